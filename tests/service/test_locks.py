"""Locks: who runs, whatever became of them."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from codexd.protocol.running import Holder
from codexd.service import locks
from codexd.service.errors import CannotServe
from codexd.service.locks import AlreadyRunning, held, holder, waited_for
from tests.service.place import Place

ME = Holder(os.getpid(), "/run/s", "/home/.codex")
_HOLD = """
import sys
from pathlib import Path
from codexd.protocol.running import Holder
from codexd.service.locks import held
with held(Path(sys.argv[1]), Holder(1, "/old", "/old")):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_names_of_locks(place: Place) -> None:
    """The locks of a CODEX_HOME are in a directory of the state directory that is named after it; a socket's beside it."""
    one, two = (locks.home_lock(place.environ, place.home / name) for name in ("a", "b"))
    assert one.parent.parent == two.parent.parent == place.root / "state" / "codexd"
    assert one.parent.name != two.parent.name
    assert locks.start_lock(place.environ, place.home / "a").parent == one.parent
    assert locks.socket_lock(Path("/run/codexd.sock")) == Path("/run/codexd.sock.lock")


def test_a_held_lock_says_who_holds_it(place: Place) -> None:
    """While the lock is held everybody can read who holds it, and nobody else gets it; afterwards it names nobody."""
    path = place.home / "lock"
    assert holder(path) is None
    with held(path, ME):
        assert holder(path) == ME
        assert path.stat().st_mode & 0o777 == 0o600
        with (
            pytest.raises(
                AlreadyRunning, match=f"for /home/.codex: pid {os.getpid()}, socket /run/s$"
            ) as refusal,
            held(path, ME),
        ):
            raise AssertionError("two hold one lock")
    assert refusal.value.holder == ME
    assert refusal.value.exit_code == 3
    assert holder(path) is None
    assert path.read_bytes() == b""


def test_a_lock_falls_with_its_holder(place: Place) -> None:
    """kill -9 leaves no lock behind, only a file with an old name in it, which nobody believes."""
    path = place.home / "lock"
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=place.environ
    )
    assert process.stdout is not None
    assert process.stdin is not None
    with process:
        process.stdout.readline()
        assert holder(path) == Holder(1, "/old", "/old")
        process.send_signal(signal.SIGKILL)
    assert path.read_bytes() != b""
    assert holder(path) is None
    with held(path, ME):
        assert holder(path) == ME


def test_a_look_at_a_lock_does_not_keep_a_codexd_from_starting(place: Place) -> None:
    """`status` takes the lock for an instant to see whether it is free; whoever wants it just then waits and gets it."""
    path = place.home / "lock"
    look = (
        "import fcntl, sys, time; f = open(sys.argv[1], 'a+'); fcntl.flock(f, fcntl.LOCK_SH);"
        "print('looking', flush=True); sys.stdin.readline()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", look, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as looking:
        assert looking.stdout is not None
        assert looking.stdin is not None
        looking.stdout.readline()
        with pytest.raises(AlreadyRunning, match="another codexd has just taken"), held(path, ME):
            raise AssertionError("two hold one lock")
        looking.stdin.close()
        with held(path, ME):
            assert holder(path) == ME


def test_a_lock_that_is_not_yet_named(place: Place) -> None:
    """Between taking a lock and writing one's name into it there is an instant: it is held, by nobody known."""
    path = place.home / "lock"
    with waited_for(path, 0):
        assert holder(path) == Holder(0, "", "")
        path.write_text('{"pid": 1}')
        assert holder(path) == Holder(0, "", "")
        path.write_text("[]")
        assert holder(path) == Holder(0, "", "")


def test_waiting_for_a_lock_ends(place: Place) -> None:
    """A starter that is stuck holds nobody up for ever."""
    path = place.home / "lock"
    with (
        waited_for(path, 0),
        pytest.raises(CannotServe, match="another command of codexd is still at work"),
        waited_for(path, 0.05),
    ):
        raise AssertionError("two hold one lock")


def test_a_lock_whose_file_was_cleaned_away_is_taken_anew(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that was removed between opening and locking locks nothing: the lock of the new one is what counts."""
    path = place.home / "lock"
    opened: list[int] = []
    real_open = os.open

    def open_and_lose(name: Path, flags: int, mode: int = 0o777) -> int:
        descriptor = real_open(name, flags, mode)
        if not opened:
            os.unlink(name)
        opened.append(descriptor)
        return descriptor

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", open_and_lose)
        with held(path, ME):
            assert len(opened) == 2
            assert os.path.samestat(path.stat(), os.fstat(opened[1]))


def test_a_link_in_the_place_of_a_lock_is_refused(place: Place) -> None:
    """Nobody makes codexd write its name into a file of his choice."""
    path, target = place.home / "lock", place.home / "precious"
    target.write_text("precious")
    path.symlink_to(target)
    with pytest.raises(CannotServe, match=r"the lock .* cannot be opened"), held(path, ME):
        raise AssertionError("locked through a link")
    with pytest.raises(CannotServe, match=r"the lock .* cannot be read"):
        holder(path)
    assert target.read_text() == "precious"


def test_a_file_system_without_locks_is_said(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be locked, as on some network file systems, is an error and never taken for free."""

    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with (
        pytest.raises(CannotServe, match=r"the lock .* cannot be taken: No locks"),
        held(place.home / "lock", ME),
    ):
        raise AssertionError("locked what cannot be locked")


def test_a_path_under_a_file_is_nobodys(place: Place) -> None:
    """To ask who holds a lock that cannot exist is no error."""
    (place.home / "file").write_text("")
    assert holder(place.home / "file" / "lock") is None
