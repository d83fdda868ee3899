#!/bin/sh
# Runs codexd and codexctl in odd environments, and checks what a user sees there.
#
#   scripts/odd_environments.sh [NAME...]     all of them, or those named; --list prints the names
#
# In each environment it runs `codexd start`, `codexd status`, `codexctl send`, `codexctl attach </dev/null`,
# `codexd doctor` and `codexd stop`, with the real Codex and the scripted model, and checks that
#   - nothing prints a traceback, and the log has none,
#   - every exit code is the one in the table below,
#   - a command that fails says so in one sentence, which names the culprit, and doctor names it, too,
#   - `send` prints the reply wherever it ends with 0.
#
# To add an environment: a line in the table, and a function `in_NAME` that makes it; `after_start_NAME`, where there is one,
# changes it between start and status. They run in mount and process
# namespaces of their own, as root, in the directory $WORLD/project, with an environment of HOME, PATH and
# CODEX_PATH alone; the home directory of root, in the passwd file too, is $WORLD/home.
#
# Needs Linux, root (or the capability to make namespaces), and .venv as `make setup` makes it. Exits with 77 and the
# reason where something is missing, with 1 when a check fails.
set -u

# name                exit codes of start, status, send, attach, doctor, stop   what names the culprit (extended regular
# expression; - for none: nothing is wrong, and doctor has nothing to say)
environments() {
    cat <<'END'
ordinary                0 0 0 0 0 0  -
home_unset              0 0 0 0 0 0  HOME is not set
home_empty              0 0 0 0 0 0  HOME is not set
home_relative           0 0 0 0 0 0  HOME is 'some/where'
home_is_root            0 0 0 0 0 0  -
no_passwd_entry         0 0 0 0 0 0  -
no_passwd_no_home       3 3 3 3 1 0  HOME is not set|/\.local
tmpdir_long             0 0 0 0 0 0  -
tmpdir_missing          0 0 0 0 0 0  -
read_only_root          0 0 0 0 0 0  -
read_only_everything    3 3 3 3 1 0  [Rr]ead-only file system
runtime_dir_full        3 3 3 3 1 0  No space left on device
home_full               3 3 3 3 1 0  No space left on device
xdg_relative            0 0 0 0 0 0  XDG_
socket_vanished         0 0 0 0 0 0  -
cron_then_login         0 0 0 0 0 0  -
no_proc                 3 3 3 3 1 0  /proc is not there
codex_home_dangling     2 3 3 3 1 0  \.codex is a link to /nowhere/codex
codex_home_unmakeable   2 3 3 3 1 0  \.codex (cannot be made|is no directory)
cwd_removed             0 0 2 2 0 0  current directory
python_path_foreign     0 0 0 0 0 0  -
python_optimized        0 0 0 0 0 0  -
python_warnings_error   0 0 0 0 0 0  -
locale_of_1980          0 0 0 0 0 0  -
stdout_full             1 1 1 1 1 1  stdout
stdout_closed           0 0 0 0 0 0  -
stderr_closed           0 0 0 0 0 0  -
stderr_full             0 0 0 0 0 0  -
stdin_closed            0 0 0 0 0 0  -
END
}

in_ordinary() { :; }
in_home_unset() { unset HOME; }
in_home_empty() { HOME=; }
in_home_relative() { HOME=some/where; }
in_home_is_root() {
    HOME=/
    export CODEX_HOME="$WORLD/home/.codex" XDG_STATE_HOME="$WORLD/state" XDG_CACHE_HOME="$WORLD/cache"
}
in_no_passwd_entry() { as_user=12345; }
in_no_passwd_no_home() { as_user=12345; unset HOME; }
in_tmpdir_long() {
    TMPDIR="$WORLD/$(printf '%090d' 0)"
    mkdir "$TMPDIR"
    export TMPDIR
}
in_tmpdir_missing() { export TMPDIR=/nowhere/at/all; }
in_read_only_root() {
    # As in a container with --read-only and one volume, for the home.
    mount -o bind "$WORLD/home" "$WORLD/home"
    in_read_only_everything
}
in_read_only_everything() {
    for point in "$WORLD" /tmp /run; do mount -o remount,bind,ro "$point"; done
}
in_xdg_relative() {
    export XDG_RUNTIME_DIR=run XDG_STATE_HOME=state XDG_CONFIG_HOME=config XDG_CACHE_HOME=cache XDG_DATA_HOME=data
}
in_runtime_dir_full() { full_directory "$WORLD/run"; export XDG_RUNTIME_DIR="$WORLD/run"; }
in_home_full() {
    full_directory "$WORLD/other"
    export HOME="$WORLD/other"
}
in_socket_vanished() {
    export XDG_RUNTIME_DIR="$WORLD/run"
    mkdir -m 700 "$WORLD/run"
}
after_start_socket_vanished() { rm -r "$WORLD/run/codexd"; }
in_cron_then_login() { :; }
after_start_cron_then_login() { in_socket_vanished; }
in_no_proc() { mount -t tmpfs none /proc; }
in_codex_home_dangling() { rm -r "$HOME/.codex"; ln -s /nowhere/codex "$HOME/.codex"; }
in_codex_home_unmakeable() { rm -r "$HOME/.codex"; : >"$HOME/.codex"; }
in_cwd_removed() { mkdir "$WORLD/gone"; cd "$WORLD/gone"; rmdir "$WORLD/gone"; }
in_python_path_foreign() {
    mkdir "$WORLD/foreign"
    for module in trio msgspec psutil platformdirs websockets queue selectors argparse socket tempfile subprocess; do
        echo 'raise SystemError("a foreign module was imported")' >"$WORLD/foreign/$module.py"
    done
    export PYTHONPATH="$WORLD/foreign"
}
in_python_optimized() { export PYTHONOPTIMIZE=2; }
in_python_warnings_error() { export PYTHONWARNINGS=error; }
in_locale_of_1980() { export LC_ALL=POSIX PYTHONCOERCECLOCALE=0 PYTHONUTF8=0; }
in_stdout_full() { stdout=/dev/full; }
in_stdout_closed() { stdout=-; }
in_stderr_closed() { stderr=-; }
in_stderr_full() { stderr=/dev/full; }
in_stdin_closed() { stdin=-; }

full_directory() {
    mkdir -p "$1"
    mount -t tmpfs -o size=64k,mode=700 none "$1"
    cp -r "$WORLD/home/.codex" "$1/" 2>/dev/null
    cat /dev/zero >"$1/filler" 2>/dev/null
}

# Leaves nothing of the machine to be written to but this world, /tmp and /run, which are new.
protect() {
    mount --make-rprivate /
    mount -o bind "$WORLD" "$WORLD"
    mkdir "$WORLD.said"
    mount -t tmpfs none "$WORLD.said"
    # The checkout itself may be below /tmp.
    mkdir "$WORLD.checkout"
    mount -o bind "$CHECKOUT" "$WORLD.checkout"
    mount -o remount,bind,ro "$WORLD.checkout"
    for point in $(awk '{ print $5 }' /proc/self/mountinfo | sort -u); do
        case $point in
        /proc* | /sys* | /dev* | "$WORLD"*) ;;
        *) mount -o remount,bind,ro "$point" 2>/dev/null ;;
        esac
    done
    mount -t tmpfs -o mode=1777 none /tmp
    mount -t tmpfs none /run
    if [ ! -e "$CHECKOUT" ]; then
        mkdir -p "$CHECKOUT"
        mount -o bind "$WORLD.checkout" "$CHECKOUT"
        mount -o remount,bind,ro "$CHECKOUT"
    fi
}

LIMIT_S=40
PROMPT="a reply of the scripted model"

fail() {
    printf '%s\n' "FAILED $name: $*" "$(sed 's/^/    stdout: /' "$WORLD.said/out")" "$(sed 's/^/    stderr: /' "$WORLD.said/err")"
    exit 1
}

# run CODE CULPRIT PROGRAM ARGUMENTS...
run() {
    wanted=$1 culprit=$2
    shift 2
    : >"$WORLD.said/out"
    : >"$WORLD.said/err"
    (
        exec </dev/null >"$WORLD.said/out" 2>"$WORLD.said/err"
        case $stdin in -) exec <&- ;; esac
        case $stdout in -) exec >&- ;; ?*) exec >"$stdout" ;; esac
        case $stderr in -) exec 2>&- ;; ?*) exec 2>"$stderr" ;; esac
        # It may read all, because the programs may be in the home directory of root.
        [ -z "$as_user" ] || exec setpriv --reuid "$as_user" --clear-groups --inh-caps=-all,+dac_read_search \
            --ambient-caps=-all,+dac_read_search timeout "$LIMIT_S" "$@"
        exec timeout "$LIMIT_S" "$@"
    )
    code=$?
    said="${1##*/} $2 ended with $code"
    [ "$code" = "$wanted" ] || fail "$said, and $wanted was expected"
    if grep -qE 'Traceback|Exception ignored|[a-zA-Z]Error:' "$WORLD.said/out" "$WORLD.said/err"; then fail "$said and a traceback"; fi
    case $2 in
    doctor) [ "$culprit" = - ] || [ -n "$stdout" ] || grep -qE "$culprit" "$WORLD.said/out" || fail "doctor names no culprit" ;;
    send) [ "$code" != 0 ] || [ -n "$stdout" ] || grep -q "You said: $PROMPT" "$WORLD.said/out" || fail "$said and without a reply" ;;
    esac
    if [ "$code" != 0 ] && [ "$2" != doctor ] && [ -z "$stderr" ]; then
        [ "$2" = status ] && culprit="$culprit|is not running"
        grep -qE "^codex(d|ctl): .*($culprit)" "$WORLD.said/err" || fail "$said and names no culprit"
        [ "$(grep -c '^codex' "$WORLD.said/err")" -le 2 ] || fail "$said and many words"
    fi
}

# inside NAME START STATUS SEND ATTACH DOCTOR STOP CULPRIT
inside() {
    name=$1
    protect
    mount -o bind "$WORLD.passwd" /etc/passwd
    for variable in $(env | sed -n 's/^\([A-Za-z_][A-Za-z_0-9]*\)=.*/\1/p'); do
        case $variable in PATH | WORLD | PROGRAMS | CHECKOUT | CODEX_PATH | COVERAGE_*) ;; *) unset "$variable" ;; esac
    done
    export HOME="$WORLD/home"
    stdin= stdout= stderr= as_user=
    cd "$WORLD/project"
    "in_$1"
    [ -z "$as_user" ] || chown -R "$as_user" "$WORLD"
    run "$2" "$8" "$PROGRAMS/codexd" start
    ! type "after_start_$1" >/dev/null 2>&1 || "after_start_$1"
    run "$3" "$8" "$PROGRAMS/codexd" status
    run "$4" "$8" "$PROGRAMS/codexctl" send "$PROMPT"
    run "$5" "$8" "$PROGRAMS/codexctl" attach
    run "$6" "$8" "$PROGRAMS/codexd" doctor
    run "$7" "$8" "$PROGRAMS/codexd" stop
    logs=$(grep -lrE 'Traceback|Exception ignored' "$WORLD" --include '*.log')
    [ -z "$logs" ] || { cp "$logs" "$WORLD.said/out"; fail "a traceback in the log"; }
    echo "ok     $name"
}

skip() { echo "odd_environments: $*" >&2; exit 77; }

if [ "${1:-}" = --inside ]; then
    shift
    inside "$@"
    exit
fi
if [ "${1:-}" = --list ]; then
    environments | sed 's/ .*//'
    exit
fi
here=$(cd "$(dirname "$0")/.." && pwd)
PROGRAMS=${PROGRAMS:-$here/.venv/bin}
[ "$(uname)" = Linux ] || skip "needs Linux"
unshare --mount --pid --fork --mount-proc sh -c 'mount --make-rprivate / && mount -t tmpfs none /run' 2>/dev/null ||
    skip "needs root, to make mount and process namespaces"
[ -x "$PROGRAMS/codexctl" ] || skip "needs .venv: make setup"
CODEX_PATH=${CODEX_PATH:-$("$PROGRAMS/python" -c 'import codex_cli_bin; print(codex_cli_bin.bundled_codex_path())')} ||
    skip "needs Codex: make setup"
root=$(mktemp -d /var/tmp/codexd-odd-XXXXXX)
chmod 755 "$root"
trap 'kill "$model" 2>/dev/null; rm -rf "$root"' EXIT
trap 'exit 130' INT TERM
mkfifo "$root/address"
"$PROGRAMS/python" -m codexd.demo.scripted_model --codex-home "$root/template" >"$root/address" &
model=$!
read -r address <"$root/address"
CHECKOUT=$here
export CODEX_PATH PROGRAMS WORLD CHECKOUT
failed=0
environments >"$root/table"
while read -r name codes; do
    [ $# = 0 ] || case " $* " in *" $name "*) ;; *) continue ;; esac
    WORLD="$root/$name"
    mkdir -p "$WORLD/project" "$WORLD/home"
    cp -r "$root/template" "$WORLD/home/.codex"
    sed "s|^root:.*|root:x:0:0::$WORLD/home:/bin/sh|" /etc/passwd >"$WORLD.passwd"
    set -f
    # shellcheck disable=SC2086
    echo $codes | {
        read -r start status send attach doctor stop culprit
        unshare --mount --pid --fork --kill-child --mount-proc \
            sh "$0" --inside "$name" "$start" "$status" "$send" "$attach" "$doctor" "$stop" "$culprit"
    } || failed=1
    set +f
done <"$root/table"
exit "$failed"
