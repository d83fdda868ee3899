#!/usr/bin/env perl
# Sends a prompt to Codex by way of codexd and streams the reply: prompt.pl PROMPT
use v5.14;
use warnings;
use Cwd;
use IO::Socket::UNIX;
use JSON::PP;

binmode $_, ':encoding(UTF-8)' for *STDOUT, *STDERR;
$_->autoflush for *STDOUT, *STDERR; # an encoding makes even stderr wait
sub fail { say STDERR @_; exit 1 }
sub text { utf8::decode(my $text = shift); $text }

my $runtime = $ENV{XDG_RUNTIME_DIR} || "/run/user/$<";
my $path = $ENV{CODEXD_SOCKET} || "$runtime/codexd/codexd.sock";
my $codexd = IO::Socket::UNIX->new($path)
    or fail("codexd does not listen at $path ($!); start it with: codexd start");
my $json = JSON::PP->new->utf8;

sub send_line { print {$codexd} $json->encode({@_}), "\n"; $codexd->flush }

send_line(id => 1, method => 'initialize', params => {clientInfo => {name => 'prompt.pl', version => '1'}});
send_line(id => 2, method => 'thread/start', params => {cwd => text(getcwd)});
while (my $line = <$codexd>) {
    my $message = $json->decode($line);
    my ($id, $method, $params) = @$message{qw(id method params)};
    if (my $error = $message->{error}) {
        fail($error->{message});
    } elsif (!$method && $id == 2) {
        my $input = [{type => 'text', text => text("@ARGV")}];
        my $thread = $message->{result}{thread}{id};
        send_line(id => 3, method => 'turn/start', params => {threadId => $thread, input => $input});
    } elsif (!$method) {
        next;
    } elsif ($method eq 'item/agentMessage/delta') {
        print $params->{delta};
    } elsif ($method eq 'turn/completed') {
        my $turn = $params->{turn};
        fail($turn->{error} ? $turn->{error}{message} : $turn->{status}) if $turn->{status} ne 'completed';
        say '';
        exit;
    } elsif (defined $id) {
        say STDERR "\n$method: codexctl approvals accept|decline $id";
    }
}
fail("codexd closed the connection");
