"""What a service manager and codexd say to each other."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from codexd.service.systemd import Starter
from tests.service.place import Place, handed_over

_ADOPT = """
import os, sys
from codexd.service.systemd import Starter
starter = Starter.taken_from(os.environ)
print([os.path.basename(each.getsockname()) for each in starter.listeners])
print([name for name in os.environ if name.startswith(("LISTEN", "NOTIFY", "WATCHDOG"))])
print([os.get_inheritable(each.fileno()) for each in starter.listeners])
"""


@pytest.fixture
def manager(place: Place) -> Iterator[socket.socket]:
    """The end of the service manager."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(place.root / "notify"))
        heard.setblocking(False)
        yield heard


def said(manager: socket.socket) -> list[dict[str, str]]:
    """What has been said so far, message by message."""
    messages: list[dict[str, str]] = []
    while True:
        try:
            text = manager.recv(65536).decode()
        except BlockingIOError:
            return messages
        messages.append(dict(line.split("=", 1) for line in text.split("\n")))


def test_states_are_said_in_one_message(place: Place, manager: socket.socket) -> None:
    """Each state is a line of one message; a sentence with line breaks cannot forge another state."""
    environ = {"NOTIFY_SOCKET": str(place.root / "notify"), "PATH": "/bin"}
    starter = Starter.taken_from(environ)
    starter.tell(READY="1", STATUS="two\nlines=1")
    starter.tell(STOPPING="1")
    assert said(manager) == [{"READY": "1", "STATUS": "two lines=1"}, {"STOPPING": "1"}]
    assert environ == {"PATH": "/bin"}


def test_reloading_is_said_with_the_time(place: Place, manager: socket.socket) -> None:
    """systemd wants to know since when, by the monotonic clock in microseconds."""
    before = time.monotonic_ns() // 1000
    Starter(str(place.root / "notify")).tell_reloading()
    (message,) = said(manager)
    assert message["RELOADING"] == "1"
    assert before <= int(message["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000


@pytest.mark.skipif(sys.platform != "linux", reason="abstract addresses are Linux's")
def test_an_abstract_address() -> None:
    """`@name` is an address without a file."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        name = f"codexd-test-{os.getpid()}"
        heard.bind(f"\0{name}")
        heard.setblocking(False)
        Starter.taken_from({"NOTIFY_SOCKET": f"@{name}"}).tell(READY="1")
        assert said(heard) == [{"READY": "1"}]


def test_nobody_to_hear_is_no_error(place: Place) -> None:
    """Without a starter nothing is said; one that has left (`codexd start` does) is not missed."""
    Starter().tell(READY="1")
    Starter(str(place.root / "gone")).tell(READY="1")


async def test_the_watchdog_is_fed_twice_in_its_interval(
    place: Place, manager: socket.socket, autojump_clock: trio.testing.MockClock
) -> None:
    """A loop that turns says so every half interval: three seconds of a two-second watchdog hear it at 0, 1, 2 and 3."""
    environ = {
        "NOTIFY_SOCKET": str(place.root / "notify"),
        "WATCHDOG_USEC": "2000000",
        "WATCHDOG_PID": str(os.getpid()),
    }
    starter = Starter.taken_from(environ)
    with trio.move_on_after(3.5):
        await starter.feed_watchdog()
    assert said(manager) == [{"WATCHDOG": "1"}] * 4


@pytest.mark.parametrize("pid", ["1", None])
async def test_a_watchdog_for_whom(
    place: Place, manager: socket.socket, pid: str | None, autojump_clock: trio.testing.MockClock
) -> None:
    """A watchdog of another process (its environment was inherited) is not fed by us; without one there is no task."""
    environ = {"NOTIFY_SOCKET": str(place.root / "notify")}
    if pid:
        environ |= {"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": pid}
    with trio.fail_after(60):
        await Starter.taken_from(environ).feed_watchdog()
    assert said(manager) == []


def adopt(place: Place, *descriptors: int) -> list[str]:
    """What a process says that was handed these descriptors."""
    program = handed_over([sys.executable, "-c", _ADOPT], *descriptors)
    done: subprocess.CompletedProcess[str] = subprocess.run(
        **program, env=place.environ, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_listening_sockets_are_adopted(place: Place) -> None:
    """The sockets that systemd listens on are taken over, and no child gets them or hears of them."""
    with socket.socket(socket.AF_UNIX) as one, socket.socket(socket.AF_UNIX) as two:
        for name, listener in (("one", one), ("two", two)):
            listener.bind(str(place.root / name))
            listener.listen()
        assert adopt(place, one.fileno(), two.fileno()) == ["['one', 'two']", "[]", "[False, False]"]


def test_what_is_no_unix_listener_is_not_adopted(place: Place) -> None:
    """A descriptor of another kind is let go, with a warning, and does not disturb the others."""
    with (
        socket.socket(socket.AF_INET) as tcp,
        socket.socket(socket.AF_UNIX) as deaf,
        socket.socket(socket.AF_UNIX) as good,
        Path("/dev/null").open() as file,
    ):
        tcp.listen()
        deaf.bind(str(place.root / "deaf"))
        good.bind(str(place.root / "good"))
        good.listen()
        given = [tcp.fileno(), deaf.fileno(), file.fileno(), good.fileno()]
        assert adopt(place, *given)[0] == "['good']"


def test_sockets_for_somebody_else_are_not_adopted() -> None:
    """LISTEN_PID says whom they are for: a child that inherited the variables must not touch its descriptors."""
    environ = {"LISTEN_PID": "1", "LISTEN_FDS": "3"}
    assert Starter.taken_from(environ).listeners == ()
    assert Starter.taken_from({"LISTEN_PID": str(os.getpid())}).listeners == ()
    assert environ == {}
