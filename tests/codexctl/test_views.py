import io

from codexctl.views import PlainView, SilentView


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_reply_stands_alone_on_its_stream():
    """Byte for byte as said, a line feed at its end, an empty line between messages; notes elsewhere."""
    replies, notes = io.StringIO(), io.StringIO()
    view = PlainView(replies, notes)
    view.reply("one ")
    view.note("a note\nof two lines", "dim")
    view.reply("two\x1b[0m")
    view.end_reply()
    view.end_reply()
    view.reply("")
    view.reply("three\n")
    view.end_reply()
    view.reply("four")
    view.end_reply()
    view.finish()
    assert replies.getvalue() == "one two\x1b[0m\n\nthree\n\nfour\n"
    assert notes.getvalue() == "a note\nof two lines\n"


def test_what_was_abandoned_is_not_on_a_pipe():
    """A pipe has each message once and whole; what was said before a retry can't be taken back there."""
    replies = io.StringIO()
    view = PlainView(replies, io.StringIO())
    view.reply("half an ans")
    assert replies.getvalue() == ""
    view.abandon_reply()
    view.reply("the whole")
    view.reply(" answer")
    view.finish()
    assert replies.getvalue() == "the whole answer\n"


def test_a_terminal_has_the_reply_as_it_comes_and_a_new_line_for_the_next_attempt():
    """What is on the screen stays there."""
    replies = Terminal()
    view = PlainView(replies, io.StringIO())
    view.reply("half an ans")
    assert replies.getvalue() == "half an ans"
    view.abandon_reply()
    view.reply("the whole")
    view.finish()
    assert replies.getvalue() == "half an ans\n\nthe whole\n"


def test_only_the_last_message_is_the_reply_where_that_is_wanted():
    """What was said on the way is a note, so that a reply by a schema is one JSON document. A terminal has all."""
    replies, notes = io.StringIO(), io.StringIO()
    view = PlainView(replies, notes, last_only=True)
    for said in ("on my way", '{"a": 1}'):
        view.reply(said)
        view.end_reply()
    assert (replies.getvalue(), notes.getvalue()) == ("", "on my way\n")
    view.finish()
    assert replies.getvalue() == '{"a": 1}\n'
    shown = Terminal()
    view = PlainView(shown, notes, last_only=True)
    for said in ("on my way", '{"a": 1}'):
        view.reply(said)
        view.end_reply()
    view.finish()
    assert shown.getvalue() == 'on my way\n\n{"a": 1}\n'


def test_a_terminal_is_not_steered_by_what_is_said():
    """Control characters are written out there, in replies and notes."""
    replies, notes = Terminal(), Terminal()
    view = PlainView(replies, notes)
    view.reply("a\x1b[2Jb")
    view.end_reply()
    view.note("c\rd")
    assert replies.getvalue() == "a\\x1b[2Jb\n"
    assert "c\\x0dd" in notes.getvalue()


def test_a_note_begins_a_line_where_both_share_a_terminal(monkeypatch):
    """Only there: a file with the reply never gets a line feed that was not said."""
    monkeypatch.setenv("NO_COLOR", "1")
    both = Terminal()
    view = PlainView(both, both)
    view.reply("one")
    view.note("note")
    assert both.getvalue() == "one\nnote\n"


def test_silence_is_silent(capsys):
    """For `--json`, where the events themselves are printed."""
    view = SilentView()
    view.reply("a")
    view.end_reply()
    view.abandon_reply()
    view.finish()
    view.note("b")
    assert capsys.readouterr() == ("", "")
