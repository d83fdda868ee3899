"""Which codexd is meant, and whether it runs."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from codexd.protocol.running import Holder
from codexd.service import instance, locks
from codexd.service.instance import how_to_talk
from tests.service.place import Place


@contextmanager
def running(place: Place, home: str = "", socket: str = "") -> Iterator[Holder]:
    """Holds the locks of a codexd of this CODEX_HOME on this socket."""
    settings = place.instance(codex_home=home or None, socket=socket or None).settings
    holder = Holder(1, str(settings.socket), str(settings.codex_home))
    home_lock = locks.home_lock(place.environ, settings.codex_home)
    for directory in (home_lock.parent, settings.socket.parent):
        directory.mkdir(parents=True, exist_ok=True)
    with locks.held(home_lock, holder), locks.held(locks.socket_lock(settings.socket), holder):
        yield holder


def test_nobody(place: Place) -> None:
    """Where no lock is held nobody runs."""
    assert place.instance().runner() is None


def test_the_one_on_this_socket(place: Place) -> None:
    """Whoever serves the socket is meant, whatever CODEX_HOME he serves."""
    with running(place, home=str(place.home / "other"), socket=str(place.socket)) as holder:
        assert place.instance().runner() == holder


def test_the_one_of_this_home_on_another_socket(place: Place) -> None:
    """When nobody said which socket, the codexd of this CODEX_HOME is meant wherever it listens; else it is not."""
    elsewhere = str(place.root / "elsewhere.sock")
    with running(place, socket=elsewhere) as holder:
        assert place.instance().runner() == holder
        assert place.instance(socket=str(place.socket)).runner() is None
        assert place.instance(socket=elsewhere).runner() == holder


def test_the_environment_does_not_hide_the_one_of_this_home(place: Place) -> None:
    """A stale CODEXD_SOCKET, and another state directory: the one that runs is found by the file in the CODEX_HOME."""
    place.codex()
    process = place.start("run")
    place.wait_until_listening(process)
    other = {"CODEXD_SOCKET": str(place.root / "stale.sock"), "XDG_STATE_HOME": str(place.root / "elsewhere")}
    place.environ |= other
    instance = place.instance()
    runner = instance.runner()
    assert runner is not None
    assert (runner.pid, runner.socket) == (process.pid, str(place.socket))
    assert instance.socket_of(runner) == place.socket
    place.end(process)
    assert instance.runner() is None
    assert instance.socket_of(None) == place.root / "stale.sock"


def test_one_that_has_not_yet_said_its_name(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A codexd that takes its lock this instant is waited for, to learn its name; not for ever."""
    monkeypatch.setattr(instance, "_NAMING_SECONDS", 0.05)
    lock = place.instance().home_lock()
    lock.parent.mkdir(parents=True)
    with locks.waited_for(lock, 0):
        assert place.instance().runner() == Holder(0, "", "")


def test_how_to_talk(place: Place) -> None:
    """The hint works from any shell."""
    assert how_to_talk(place.instance().settings) == (
        f"CODEX_HOME={place.codex_home} CODEXD_SOCKET={place.socket} codexctl send hello"
    )
