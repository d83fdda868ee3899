"""Which codexd runs for a CODEX_HOME, found without it and without its environment."""

import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from codexd.protocol import running as module
from codexd.protocol.running import UNNAMED, Holder, ask_to_listen, home_lock, named, running, socket_lock

MACHINE = os.uname().nodename
_HOLD = """
import fcntl, json, os, signal, sys
from codexd.protocol.running import Holder
signal.signal(signal.SIGHUP, lambda *_: print("asked", flush=True))
with open(sys.argv[1], "w") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    lock.write(json.dumps(Holder(os.getpid(), "/s", "/h", sys.argv[2], True).members()))
    lock.flush()
    print("held", flush=True)
    sys.stdin.read()
"""
needs_table = pytest.mark.skipif(
    not Path("/proc/locks").exists(), reason="the system does not tell who holds a lock"
)


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """The lock of a CODEX_HOME."""
    return Path(home_lock(str(tmp_path)))


@contextmanager
def codexd(lock: Path, machine: str = MACHINE) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock, and says so when it is asked to listen."""
    argv = [sys.executable, "-c", _HOLD, str(lock), machine]
    pipe = subprocess.PIPE
    root = Path(__file__).parents[2]
    with subprocess.Popen(argv, text=True, cwd=root, stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        assert process.stdin is not None
        process.stdin.close()


def test_where_the_locks_are() -> None:
    """In the CODEX_HOME, and beside the socket."""
    assert home_lock("/h") == "/h/codexd.lock"
    assert socket_lock("/r/codexd.sock") == "/r/codexd.sock.lock"


def test_the_one_that_holds_the_lock_is_found(lock: Path) -> None:
    """And when it has ended, whatever ended it, nobody is."""
    assert running(str(lock)) is None
    with codexd(lock) as process:
        assert running(str(lock)) == Holder(process.pid, "/s", "/h", MACHINE, True)
        process.send_signal(signal.SIGKILL)
    assert lock.read_text() != ""
    assert running(str(lock)) is None


def test_what_names_nobody(lock: Path) -> None:
    """A lock that is being written, or that something else holds, is held by nobody known."""
    whole = Holder(1, "/s", "/h").members()
    for text in (b"", b"{", b"[]", b"7", json.dumps(whole | {"pid": "1"}).encode(), b'{"pid": 1}', b"\xff"):
        assert named(text) == UNNAMED
    assert named(json.dumps(whole | {"later": 1}).encode()) == Holder(1, "/s", "/h")
    assert UNNAMED != 0
    assert "'pid': 0" in repr(UNNAMED)
    lock.touch()
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert running(str(lock)) == UNNAMED
        assert not ask_to_listen(str(lock))


def test_what_is_no_lock_of_ours(lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link, a pipe that nobody writes to, and another user's file are none; nobody waits for them."""
    target = tmp_path / "target"
    with codexd(target):
        lock.symlink_to(target)
        assert running(str(lock)) is None
        lock.unlink()
        os.mkfifo(lock)
        assert running(str(lock)) is None
        assert not ask_to_listen(str(lock))
        monkeypatch.setattr(os, "getuid", lambda: 4711)
        assert running(str(target)) is None


def test_a_file_system_without_locks_tells_nothing(lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be locked is not taken for a sign of life."""
    lock.touch()

    def refuse(descriptor: int, operation: int) -> None:
        raise OSError("no locks")

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert running(str(lock)) is None


@needs_table
def test_the_holder_is_asked_to_listen(lock: Path) -> None:
    """It gets a SIGHUP."""
    with codexd(lock) as process:
        assert ask_to_listen(str(lock))
        assert process.stdout is not None
        assert process.stdout.readline() == "asked\n"


@needs_table
def test_nobody_else_is_sent_a_signal(lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a process that happens to have the number that a lock names: another one holds it, or another machine's does."""
    with subprocess.Popen(["sleep", "1000"]) as innocent:
        try:
            with lock.open("w") as held:
                fcntl.flock(held, fcntl.LOCK_EX)
                held.write(json.dumps(Holder(innocent.pid, "/s", "/h", MACHINE).members()))
                held.flush()
                assert not ask_to_listen(str(lock))
            assert not ask_to_listen(str(lock))
            with codexd(lock, machine="elsewhere"):
                assert not ask_to_listen(str(lock))
            with codexd(lock):
                assert not ask_to_listen(str(lock), str(tmp_path / "no table"))
            assert innocent.poll() is None
        finally:
            innocent.kill()


def test_where_no_system_tells_the_lock_itself_is_proof(lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS: the file was locked by whoever wrote it, before it had its name."""
    monkeypatch.setattr(module, "sys", SimpleNamespace(platform="darwin"))
    with codexd(lock) as process:
        assert ask_to_listen(str(lock))
        assert process.stdout is not None
        assert process.stdout.readline() == "asked\n"


@needs_table
def test_one_that_ends_just_then_was_not_asked(lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor one that may not be sent a signal."""

    def gone(pid: int, number: int) -> None:
        raise ProcessLookupError

    monkeypatch.setattr(os, "kill", gone)
    with codexd(lock):
        assert not ask_to_listen(str(lock))
