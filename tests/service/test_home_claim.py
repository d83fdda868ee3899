"""One codexd alone serves a CODEX_HOME, whatever is removed, and is named in it."""

import errno
import fcntl
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from codexd.protocol.running import Holder, home_lock, running
from codexd.service import home_claim
from codexd.service.errors import CannotServe
from codexd.service.home_claim import HomeClaim
from codexd.service.locks import AlreadyRunning
from tests.service.place import Place

_CLAIM = """
import os, signal, sys
from pathlib import Path
from codexd.protocol.running import Holder
from codexd.service.home_claim import HomeClaim
claim = HomeClaim(Path(sys.argv[1]), Holder(os.getpid(), "/s", sys.argv[1], os.uname().nodename))
signal.signal(signal.SIGHUP, lambda *_: sys.argv[2:] or claim.mend())
claim.take()
print("claimed", flush=True)
sys.stdin.read()
"""
"""With another argument it does nothing when it is asked to make anew what is gone."""
_LOCK = """
import fcntl, os, sys
if len(sys.argv) > 2: os.setuid(int(sys.argv[2]))
directory = os.open(sys.argv[1], os.O_RDONLY)
fcntl.flock(directory, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()
"""

needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows the open files of others")


@contextmanager
def other(place: Place, script: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that runs this with the CODEX_HOME, and has said that it is done."""
    process = place.start(
        args=[sys.executable, "-c", script, str(place.codex_home), *arguments], stdin=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() != "", process.communicate()
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def claim(place: Place) -> Iterator[HomeClaim]:
    """A claim on the place's CODEX_HOME, not yet taken."""
    made = HomeClaim(place.codex_home, Holder(os.getpid(), "/run/s", str(place.codex_home)))
    yield made
    made.drop()


def named(place: Place) -> Holder | None:
    """Who is found there."""
    return running(home_lock(str(place.codex_home)))


def test_it_is_named_as_long_as_it_lasts(place: Place, claim: HomeClaim) -> None:
    """With what others need to reach it; afterwards there is neither lock nor file."""
    claim.take()
    assert named(place) == Holder(os.getpid(), "/run/s", str(place.codex_home))
    claim.listens()
    assert named(place) == Holder(os.getpid(), "/run/s", str(place.codex_home), is_listening=True)
    assert claim.is_whole()
    assert (place.codex_home / "codexd.lock").stat().st_mode & 0o777 == 0o600
    claim.drop()
    claim.drop()
    assert list(place.codex_home.iterdir()) == []


def test_a_second_one_is_refused_whatever_is_removed(place: Place, claim: HomeClaim) -> None:
    """The lock is on the directory: it holds when the file that names it is gone, and when it has another name."""
    with other(place, _CLAIM) as process:
        with pytest.raises(
            AlreadyRunning, match=f"codexd already runs .*: pid {process.pid}, socket /s"
        ) as refusal:
            claim.take()
        assert refusal.value.holder == named(place)
        (place.codex_home / "codexd.lock").unlink()
        with pytest.raises(AlreadyRunning, match=f"codexd already runs .*: pid {process.pid}, socket /s"):
            claim.take()
        (place.root / "alias").symlink_to(place.codex_home)
        with pytest.raises(AlreadyRunning):
            HomeClaim(place.root / "alias", Holder(1, "/s", "/h")).take()
    claim.take()
    assert claim.is_whole()


@needs_proc
@pytest.mark.parametrize("loss", ["removed", "moved", "swept"])
def test_a_second_one_is_refused_when_all_of_it_is_gone(place: Place, claim: HomeClaim, loss: str) -> None:
    """Regression: with the directory and every lock gone at once, it served the same CODEX_HOME beside the first one.

    The first one is asked to lock and name itself anew, and is found then.
    """
    with other(place, _CLAIM) as process:
        match loss:
            case "removed":
                shutil.rmtree(place.codex_home)
                place.codex_home.mkdir()
            case "moved":
                place.codex_home.rename(place.home / "old")
                place.codex_home.mkdir()
            case _:
                (place.codex_home / "codexd.lock").unlink()
        assert named(place) is None
        with pytest.raises(AlreadyRunning, match=f"codexd already runs .*: pid {process.pid}, socket /s"):
            claim.take()
        found = named(place)
        assert found is not None
        assert found.pid == process.pid
    claim.take()
    assert claim.is_whole()


@needs_proc
def test_one_that_does_not_answer_is_in_the_way_too(
    place: Place, claim: HomeClaim, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be suspended: it still has its clients and its Codex."""
    monkeypatch.setattr(home_claim, "NAMING_SECONDS", 0.0)
    with other(place, _CLAIM, "idle") as process:
        shutil.rmtree(place.codex_home)
        place.codex_home.mkdir()
        with pytest.raises(AlreadyRunning, match=f"pid {process.pid}, socket /s"):
            claim.take()
        assert list(place.codex_home.iterdir()) == []


@needs_proc
def test_two_that_have_begun_in_two_directories_of_one_name_do_not_both_go_on(
    place: Place, claim: HomeClaim, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one was not there when this one looked first."""
    monkeypatch.setattr(home_claim, "NAMING_SECONDS", 0.0)
    real = home_claim._locked_directory
    with ExitStack() as stack:

        def lock_late(home: Path) -> int:
            stack.enter_context(other(place, _CLAIM, "idle"))
            place.codex_home.rename(place.home / "old")
            place.codex_home.mkdir()
            return real(home)

        monkeypatch.setattr(home_claim, "_locked_directory", lock_late)
        with pytest.raises(AlreadyRunning):
            claim.take()
        assert list(place.codex_home.iterdir()) == []


def test_one_that_ends_while_it_is_asked_is_waited_for_no_longer_than_others(
    place: Place, claim: HomeClaim, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal to who is gone is no error."""
    monkeypatch.setattr(home_claim, "NAMING_SECONDS", 0.01)
    ended = subprocess.Popen(["true"])
    ended.wait()
    gone = Holder(ended.pid, "/s", str(place.codex_home))
    monkeypatch.setattr(home_claim, "still_running", lambda home: gone)
    with pytest.raises(AlreadyRunning):
        claim.take()


def test_one_that_has_just_begun_is_not_named_yet(
    place: Place, claim: HomeClaim, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system does not tell who holds a lock, it is said that somebody does."""
    monkeypatch.setattr(home_claim, "flock_holder", lambda inode: None)
    with other(place, _LOCK), pytest.raises(AlreadyRunning, match="another codexd has just taken"):
        claim.take()


def test_a_killed_one_leaves_nothing_in_the_way(place: Place, claim: HomeClaim) -> None:
    """Its file, and one that it had not finished, are replaced."""
    with other(place, _CLAIM) as process:
        process.kill()
        process.wait()
    (place.codex_home / ".codexd.lock.new").write_text("half")
    assert named(place) is None
    claim.take()
    assert named(place) is not None


def test_another_machines_is_seen_by_its_file(place: Place, claim: HomeClaim) -> None:
    """On a network file system a directory is locked for one machine, and a file for all."""
    with (place.codex_home / "codexd.lock").open("w") as elsewhere:
        fcntl.flock(elsewhere, fcntl.LOCK_EX)
        elsewhere.write(
            '{"pid": 7, "socket": "/s", "codex_home": "/h", "machine": "far", "is_listening": true, '
        )
        elsewhere.write('"state": ""}')
        elsewhere.flush()
        with pytest.raises(
            AlreadyRunning, match="codexd already runs for /h: pid 7 on the machine far, socket /s"
        ):
            claim.take()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user for a test")
def test_another_user_cannot_keep_it_away(
    place: Place, claim: HomeClaim, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever may read the directory may lock it: that is no codexd of ours, and is said in the log."""
    for directory in (place.root, place.home, place.codex_home):
        directory.chmod(0o755)
    with other(place, _LOCK, "65534") as process:
        claim.take()
        assert f"process {process.pid} of another user has locked {place.codex_home}" in caplog.text
    assert named(place) is not None


def test_who_locked_it_may_have_ended(place: Place) -> None:
    """Nobody knows then whose process it was."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert not home_claim._is_another_users(ended.pid)


def test_a_name_that_is_removed_or_replaced_is_written_anew(place: Place, claim: HomeClaim) -> None:
    """By whoever holds the directory."""
    claim.take()
    file = place.codex_home / "codexd.lock"
    file.unlink()
    assert not claim.is_whole()
    claim.mend()
    assert claim.is_whole()
    assert named(place) is not None
    file.unlink()
    file.symlink_to("/nowhere")
    assert not claim.is_whole()
    claim.mend()
    assert not file.is_symlink()
    assert claim.is_whole()


def test_a_home_that_is_removed_is_not_made(place: Place, claim: HomeClaim) -> None:
    """It may be on a disk that was unmounted; when there is one again, it is locked."""
    claim.take()
    shutil.rmtree(place.codex_home)
    assert not claim.is_whole()
    assert not claim.is_displaced()
    with pytest.raises(CannotServe, match="has been removed"):
        claim.mend()
    place.codex_home.mkdir()
    assert claim.is_displaced()
    claim.mend()
    assert claim.is_whole()
    assert not claim.is_displaced()


def test_a_home_that_was_replaced_may_be_anothers(place: Place, claim: HomeClaim) -> None:
    """Whoever was quicker to lock the new directory has it."""
    claim.take()
    place.codex_home.rename(place.home / "old")
    place.codex_home.mkdir()
    with (
        other(place, _LOCK) as process,
        pytest.raises(AlreadyRunning, match=f"process {process.pid} has locked"),
    ):
        claim.mend()


def test_a_directory_that_is_replaced_while_it_is_locked_is_locked_anew(
    place: Place, claim: HomeClaim, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock of a directory that has lost its name locks nobody out."""
    real = fcntl.flock
    calls: list[int] = []

    def lock_and_lose(descriptor: int, operation: int) -> None:
        real(descriptor, operation)
        if not calls:
            place.codex_home.rename(place.home / "old")
            place.codex_home.mkdir()
        calls.append(descriptor)

    monkeypatch.setattr(fcntl, "flock", lock_and_lose)
    claim.take()
    assert claim.is_whole()


def test_a_home_that_cannot_be_opened_is_said(place: Place) -> None:
    """The system's own reason is in the sentence."""
    with pytest.raises(CannotServe, match=r"the CODEX_HOME /nowhere cannot be opened: No such file"):
        HomeClaim(Path("/nowhere"), Holder(1, "/s", "/h")).take()


def test_a_home_that_cannot_be_written_to_any_more_is_let_go_of(
    place: Place, claim: HomeClaim, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a chmod, or an error of the disk: codexd ends as always, and the file that stays names nobody."""
    claim.take()

    def refused(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", refused)
        claim.drop()
    assert named(place) is None
    claim.take()


def test_a_home_that_cannot_be_written_to_is_locked_without_a_name(
    place: Place, claim: HomeClaim, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A read-only file system or a full disk: codexd serves, and the log says once who will not find it."""
    real = os.pwrite

    def full(descriptor: int, data: bytes, offset: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    claim.take()
    claim.mend()
    said = f"{place.codex_home}/codexd.lock cannot be written (No space left on device): who has another environment"
    assert caplog.text.count(said) == 1
    monkeypatch.setattr(os, "pwrite", real)
    (place.codex_home / ".codexd.lock.new").unlink()
    (place.codex_home / ".codexd.lock.new").mkdir()
    claim.mend()
    assert caplog.text.count("cannot be written (Is a directory)") == 1
    (place.codex_home / ".codexd.lock.new").rmdir()
    assert not claim.is_whole()
    claim.mend()
    assert claim.is_whole()


def test_a_directory_that_cannot_be_locked_is_said(
    place: Place, claim: HomeClaim, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A file system without locks: the lock in the state directory has to do."""

    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with caplog.at_level(logging.WARNING):
        claim.take()
    assert f"the directory {place.codex_home} cannot be locked: No locks available" in caplog.text
