"""What codexd stands on is looked after: made anew when it is gone, and never taken from somebody else."""

import logging
import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
import trio
from trio.testing import MockClock

from codexd.protocol.running import Holder
from codexd.service import sockets
from codexd.service.errors import CannotServe
from codexd.service.locks import AlreadyRunning, Lock, holder, socket_lock
from codexd.service.sockets import OwnSocket, private_listener
from codexd.service.upkeep import CHECK_SECONDS, KeptFile, LockedDirectory, ServedSocket, Upkeep
from tests.runtime.shortage import no_more_threads
from tests.service.place import Place

ME = Holder(os.getpid(), "/s", "/h")


class Thing:
    """A part that is broken as often as a test says, and mended unless there is something in the way."""

    def __init__(self, broken: int = 0, refusal: CannotServe | None = None) -> None:
        self.broken = broken
        self.refusal = refusal
        self.mended = 0

    def is_whole(self) -> bool:
        """As the test says."""
        return self.broken == 0

    def mend(self) -> None:
        """Does it, or says why not."""
        if self.refusal is not None:
            raise self.refusal
        self.broken -= 1
        self.mended += 1


class Heard(list[str]):
    """What an Upkeep has said to its daemon."""

    def upkeep(self, *parts: Thing) -> Upkeep:
        """One that looks after these."""
        named = [(f"thing {number}", part) for number, part in enumerate(parts)]
        return Upkeep(named, lambda: self.append("mended"), lambda: self.append("displaced"))


async def test_it_looks_now_and_then_and_when_it_is_asked(
    nursery: trio.Nursery, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An idle daemon is woken once in half a minute; who has noticed something does not wait for that."""
    looks = []

    async def look(find: Callable[[], object], **_: object) -> object:
        looks.append(trio.current_time())
        return find()

    monkeypatch.setattr(trio.to_thread, "run_sync", look)
    heard = Heard()
    upkeep = heard.upkeep(Thing())
    nursery.start_soon(upkeep.run)
    await trio.sleep(CHECK_SECONDS + 1)
    upkeep.ask()
    await trio.sleep(2)
    assert looks == [CHECK_SECONDS, CHECK_SECONDS + 1]
    assert heard == []
    nursery.cancel_scope.cancel()


async def test_what_is_gone_is_made_anew_and_said(caplog: pytest.LogCaptureFixture) -> None:
    """Once for all of it the daemon is told: it may have files of its own there."""
    heard, things = Heard(), [Thing(broken=1), Thing(), Thing(broken=1)]
    await heard.upkeep(*things).look()
    assert [thing.mended for thing in things] == [1, 0, 1]
    assert heard == ["mended"]
    assert caplog.text.count("was gone, and has been made anew") == 2


async def test_what_cannot_be_had_is_said_once_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    """Every half minute the same line would fill a log."""
    heard, thing = Heard(), Thing(broken=2, refusal=CannotServe("somebody is there"))
    upkeep = heard.upkeep(thing)
    for _ in range(3):
        await upkeep.look()
    assert caplog.text.count("thing 0 is gone and cannot be made anew: somebody is there") == 1
    assert heard == []
    thing.refusal = None
    await upkeep.look()
    assert "made anew\n" not in caplog.text, "it is still not whole"
    await upkeep.look()
    assert caplog.text.count("has been made anew") == 1
    assert heard == ["mended"]


async def test_another_codexd_that_has_it_is_the_one(caplog: pytest.LogCaptureFixture) -> None:
    """Two on one CODEX_HOME must not be: the one that has lost its lock ends."""
    heard, thing = Heard(), Thing(broken=1, refusal=AlreadyRunning("pid 7 runs", None))
    await heard.upkeep(thing).look()
    assert heard == ["displaced"]
    assert "another codexd has it now; this one ends: pid 7 runs" in caplog.text


async def test_without_a_thread_it_looks_later(caplog: pytest.LogCaptureFixture) -> None:
    """A machine that has no more threads is no reason to end."""
    heard, thing = Heard(), Thing(broken=1)
    with no_more_threads(), caplog.at_level(logging.WARNING):
        await heard.upkeep(thing).look()
    assert thing.mended == 0
    assert "no more threads" in caplog.text


@pytest.mark.parametrize("error", [OSError(24, "Too many open files"), MemoryError()])
async def test_a_part_that_cannot_be_looked_at_is_looked_at_later(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Without a descriptor or memory, nothing is known to be gone."""

    def refuse() -> bool:
        raise error

    heard, thing = Heard(), Thing(broken=1)
    monkeypatch.setattr(thing, "is_whole", refuse)
    with caplog.at_level(logging.WARNING):
        await heard.upkeep(thing).look()
    assert thing.mended == 0
    assert "cannot check whether socket and locks still exist" in caplog.text


# The parts themselves


def test_a_directory_with_a_lock_is_made_anew(place: Place) -> None:
    """With the lock in it."""
    lock = Lock(place.root / "state" / "deep" / "lock", ME)
    part = LockedDirectory(lock)
    assert not part.is_whole()
    part.mend()
    assert part.is_whole()
    shutil.rmtree(place.root / "state")
    assert not part.is_whole()
    part.mend()
    assert holder(lock.path) == ME
    lock.drop()


@pytest.fixture
def own(place: Place) -> Iterator[OwnSocket]:
    """A socket at the usual place."""
    with sockets.listening(place.socket, ME) as made:
        yield made


class Swaps(list[tuple[socket.socket, socket.socket]]):
    """Which listener was replaced by which."""

    def note(self, old: socket.socket, new: socket.socket) -> None:
        """Closes the old one, as the daemon does."""
        self.append((old, new))
        old.close()


@pytest.mark.parametrize("loss", ["socket", "lock", "directory", "replaced", "moved"])
def test_a_socket_whose_path_is_lost_listens_there_anew(place: Place, own: OwnSocket, loss: str) -> None:
    """Whatever of it was removed, replaced by something that is dead, or moved away."""
    swaps = Swaps()
    part = ServedSocket(own, swaps.note)
    assert part.is_whole()
    match loss:
        case "socket":
            place.socket.unlink()
        case "lock":
            socket_lock(place.socket).unlink()
        case "directory":
            shutil.rmtree(place.socket.parent)
        case "replaced":
            place.socket.unlink()
            with socket.socket(socket.AF_UNIX) as dead:
                dead.bind(str(place.socket))
        case _:
            place.socket.parent.rename(place.root / "moved")
    assert not part.is_whole()
    part.mend()
    assert part.is_whole()
    assert len(swaps) == (loss != "lock")
    assert place.socket.stat().st_mode & 0o777 == 0o600
    assert holder(socket_lock(place.socket)) == ME
    with place.connect():
        own.listener.accept()[0].close()


def test_somebody_elses_live_socket_stays(place: Place, own: OwnSocket) -> None:
    """codexd lost its path to a program that answers there: that is said, and the path is had when it is free."""
    swaps = Swaps()
    part = ServedSocket(own, swaps.note)
    place.socket.unlink()
    with place.listener():
        assert not part.is_whole()
        with pytest.raises(CannotServe, match="somebody listens on the socket"):
            part.mend()
        with place.connect():
            pass
    part.mend()
    assert part.is_whole()
    assert len(swaps) == 1


def test_a_codexd_of_another_home_on_the_path_has_not_taken_over(place: Place, own: OwnSocket) -> None:
    """It has the socket, not the CODEX_HOME."""
    part = ServedSocket(own, Swaps().note)
    shutil.rmtree(place.socket.parent)
    with sockets.listening(place.socket, Holder(7, "/s", "/other")), pytest.raises(CannotServe) as refusal:
        part.mend()
    assert not isinstance(refusal.value, AlreadyRunning)
    assert "for /other: pid 7" in str(refusal.value)


def test_a_socket_of_a_service_manager_is_replaced_by_one_of_codexds(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """Only systemd could bind its own anew: codexd listens there itself, says so, and takes that one away at its end."""
    place.socket.parent.mkdir(0o700)
    with place.listener() as handed:
        with OwnSocket(place.socket, private_listener, None, handed.dup()) as own:
            part = ServedSocket(own, Swaps().note)
            assert part.is_whole()
            place.socket.unlink()
            part.mend()
            assert "only systemd can make its own anew" in caplog.text
            with place.connect():
                own.listener.accept()[0].close()
    assert not place.socket.exists()


def test_the_path_of_a_service_manager_is_not_removed(place: Place) -> None:
    """It is there for the next codexd."""
    place.socket.parent.mkdir(0o700)
    with place.listener() as handed:
        with OwnSocket(place.socket, private_listener, None, handed.dup()):
            pass
        with place.connect():
            pass


async def test_who_keeps_a_file_is_told_that_it_is_gone(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """In trio's thread; whoever keeps it says what became of it."""
    file = place.root / "timeline.db"
    told: list[int] = []

    def look() -> None:
        told.append(threading.get_ident())

    heard = Heard()
    upkeep = Upkeep([("the timeline", KeptFile(file, look))], lambda: heard.append("mended"), lambda: None)
    await upkeep.look()
    file.touch()
    await upkeep.look()
    assert told == [threading.get_ident()]
    assert (list(heard), caplog.text) == ([], "")
