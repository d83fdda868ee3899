import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from codexctl import reach as module
from codexctl.reach import check_home, reach
from codexd.protocol.errors import Unavailable
from codexd.protocol.sandbox import MARK_VARIABLE, mark_of
from codexd.protocol.socket_path import codex_home

_RUN = """
import fcntl, json, os, signal, socket, sys
from codexd.protocol.running import Holder
asked, socket_path, home, members = sys.argv[1], sys.argv[2], sys.argv[3], json.loads(sys.argv[4])
listeners = []
def listen(*_):
    if asked == "listens":
        listeners.append(socket.socket(socket.AF_UNIX))
        listeners[-1].bind(socket_path)
        listeners[-1].listen()
    if asked == "ends":
        os._exit(0)
signal.signal(signal.SIGHUP, listen)
with open(home + "/codexd.lock", "w") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    lock.write(json.dumps({**Holder(os.getpid(), socket_path, home, os.uname().nodename, True).members(), **members}))
    lock.flush()
    print(os.getpid(), flush=True)
    sys.stdin.read()
"""
needs_table = pytest.mark.skipif(
    not Path("/proc/locks").exists(), reason="the system does not tell who holds a lock"
)


@contextmanager
def running(path: Path, home: Path, asked: str = "", **members: object) -> Iterator[int]:
    """A process that holds the lock of a CODEX_HOME and names this socket; what it does when it is asked to listen."""
    home.mkdir(exist_ok=True)
    argv = [sys.executable, "-c", _RUN, asked, str(path), str(home), json.dumps(members)]
    pipe = subprocess.PIPE
    root = Path(__file__).parents[2]
    with subprocess.Popen(argv, text=True, cwd=root, stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.kill()


def test_it_reaches_who_listens(codexd, monkeypatch):
    """At the default socket; one that is named by hand may serve any CODEX_HOME, unless that is named too."""
    connection, _, _ = reach(None, start=False)
    with connection:
        assert connection.getpeername() == str(codexd.path)
    for path, environ, named in (
        (None, {}, False),
        (str(codexd.path), {}, True),
        (str(codexd.path), {"CODEX_HOME": "/x"}, False),
    ):
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        connection, where, meant = reach(path, start=False)
        connection.close()
        assert (where, meant) == (str(codexd.path), named)


def test_where_nobody_listens_it_may_start_one(place, monkeypatch):
    """When it may not, it says where it looked and what would help."""
    with pytest.raises(Unavailable, match=r"no codexd listens at .*codexd\.sock; `codexd start` starts one"):
        reach(None, start=False)
    monkeypatch.setattr("codexctl.start.own_command", lambda: ["/bin/false"])
    with pytest.raises(Unavailable, match="exited with 1"):
        reach(None, start=True)
    monkeypatch.setattr("codexctl.start.own_command", lambda: ["/bin/true"])
    with pytest.raises(Unavailable, match="no codexd listens at"):
        reach(None, start=True)


def reached(path=None, start=False):
    """Where a connection is to."""
    connection, where, named = reach(path, start=start)
    with connection:
        assert connection.getpeername() == where
    return where, named


def test_the_codexd_of_this_home_is_found_whatever_the_environment_says(codexd, place, monkeypatch):
    """Started from cron and used from a login shell: the address in the environment is another one, the home the same."""
    with running(codexd.path, place / ".codex"):
        monkeypatch.delenv("XDG_RUNTIME_DIR")
        monkeypatch.setenv("XDG_STATE_HOME", str(place / "elsewhere"))
        assert reached() == (str(codexd.path), False)
        monkeypatch.setenv("CODEXD_SOCKET", str(place / "stale.sock"))
        assert reached() == (str(codexd.path), False)
        monkeypatch.setenv("CODEXD_SOCKET", "/" + "x" * 200)
        monkeypatch.setenv("CODEX_HOME", str(place / ".codex"))
        assert reached() == (str(codexd.path), False)


def test_a_socket_that_was_chosen_comes_first(codexd, place, monkeypatch):
    """`--socket` means this one and no other; CODEXD_SOCKET this one, where somebody listens."""
    other = place / "other.sock"
    with socket.socket(socket.AF_UNIX) as listener, running(codexd.path, place / ".codex"):
        listener.bind(str(other))
        listener.listen()
        assert reached(str(other)) == (str(other), True)
        monkeypatch.setenv("CODEXD_SOCKET", str(other))
        assert reached() == (str(other), True)
        with pytest.raises(Unavailable, match="no codexd listens at"):
            reached(str(place / "nobody.sock"))


@needs_table
def test_a_codexd_without_a_socket_is_asked_to_make_it_anew(place, capsys, monkeypatch):
    """It holds the lock and is alive: nobody waits a minute for a second one that could not start."""
    path = place / "run" / "gone.sock"
    monkeypatch.setattr("codexctl.start.own_command", lambda: ["/bin/false"])
    with running(path, place / ".codex", "listens") as pid:
        assert reached(start=True) == (str(path), False)
        said = f"codexctl: the socket {path} of codexd (pid {pid}) is gone; it was asked to make it anew\n"
        assert capsys.readouterr().err == said


@needs_table
def test_a_codexd_that_cannot_make_its_socket_anew_is_said(place, monkeypatch):
    """Within seconds, with what helps; it is not started a second time."""
    monkeypatch.setattr(module, "LISTEN_SECONDS", 0.1)
    monkeypatch.setattr("codexctl.start.own_command", lambda: ["/bin/false"])
    with running(place / "run" / "gone.sock", place / ".codex") as pid:
        with pytest.raises(Unavailable, match=rf"codexd runs \(pid {pid}\), and its socket .* is gone; why"):
            reached(start=True)


@needs_table
def test_a_codexd_that_ends_when_it_is_asked_has_ended(place, monkeypatch):
    """Then another one may be started."""
    monkeypatch.setattr("codexctl.start.own_command", lambda: ["/bin/false"])
    with (
        running(place / "run" / "gone.sock", place / ".codex", "ends"),
        pytest.raises(Unavailable, match="exited with 1"),
    ):
        reached(start=True)


def test_a_codexd_that_is_just_starting_is_not_asked(place, monkeypatch):
    """It has no socket yet: `codexd start` waits for it, and who may not start it is told."""
    with running(place / "run" / "soon.sock", place / ".codex", is_listening=False) as pid:
        with pytest.raises(Unavailable, match=rf"codexd \(pid {pid}\) is just starting"):
            reached()
        monkeypatch.setattr("codexctl.start.own_command", lambda: ["/bin/true"])
        with pytest.raises(Unavailable, match="is just starting"):
            reached(start=True)


def test_a_codexd_of_another_machine_is_out_of_reach(place):
    """A home directory on the network: its socket is not here, and its pid is another process's."""
    with running(place / "run" / "far.sock", place / ".codex", machine="far") as pid:
        with pytest.raises(Unavailable, match=rf"on the machine far \(pid {pid}\), and is out of reach"):
            reached()


@needs_table
def test_one_that_names_itself_wrong_is_sent_no_signal(place, monkeypatch):
    """The lock's holder has another pid: it is waited for a moment, and no more."""
    with subprocess.Popen(["sleep", "1000"]) as innocent:
        try:
            with running(place / "run" / "gone.sock", place / ".codex", pid=innocent.pid):
                with pytest.raises(Unavailable, match=r"its socket .* is gone"):
                    reached()
            assert innocent.poll() is None
        finally:
            innocent.kill()


def test_a_codexd_that_has_just_started_is_found_where_it_listens(codexd, place, monkeypatch):
    """Its settings may have another socket than the environment: config.toml is the daemon's."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(place))
    with ExitStack() as started:
        monkeypatch.setattr(
            "codexctl.start.start_codexd",
            lambda path: started.enter_context(running(codexd.path, place / ".codex")),
        )
        assert reached(start=True) == (str(codexd.path), False)


def test_another_codex_home_is_refused(place):
    """Threads and accounts are those of a CODEX_HOME; who named the socket wants it as it is."""
    own = str(place / ".codex")
    for served, named in ((own, False), (None, False), ("/other", True)):
        check_home("/the.sock", served, named=named)
    with pytest.raises(
        Unavailable, match=rf"^the codexd at /the\.sock serves CODEX_HOME /other, and yours is {own}; "
    ):
        check_home("/the.sock", "/other", named=False)


def test_in_codexs_sandbox_it_starts_nothing_and_says_where_it_is(place, monkeypatch):
    """A codexd that is started there ends with the command; `Operation not permitted` tells nobody what is wrong."""
    monkeypatch.setenv("CODEX_SANDBOX", "seatbelt")
    monkeypatch.setattr("codexctl.start.own_command", lambda: pytest.fail("it is not to be started"))
    with pytest.raises(
        Unavailable, match=r"^this is a command in Codex's sandbox, and a codexd that is started here"
    ):
        reach(None, start=True)
    with pytest.raises(
        Unavailable, match=r"^this is a command in Codex's sandbox, which codexd does not serve: no codexd"
    ):
        reach(None, start=False)

    def forbidden(path):
        raise Unavailable(f"cannot connect to {path}: Operation not permitted")

    monkeypatch.setattr("codexctl.reach.connected", forbidden)
    with pytest.raises(Unavailable, match="sandbox, which codexd does not serve: cannot connect to"):
        reach(None, start=True)


def test_a_command_of_codex_starts_no_codexd(place, monkeypatch):
    """Outside of the sandbox, too: whoever asked for it is not there to be asked."""
    monkeypatch.setenv(MARK_VARIABLE, mark_of(os.environ, codex_home(os.environ)))
    monkeypatch.setattr("codexctl.start.own_command", lambda: pytest.fail("it is not to be started"))
    with pytest.raises(Unavailable, match=r"^this is a command of the Codex that codexd runs"):
        reach(None, start=True)
