"""What the tests of the runtime share."""

import socket
from collections.abc import Callable, Iterator

import pytest

from codexd.runtime import processes
from tests.fakes import FarEnd

Connect = Callable[[], tuple[socket.socket, FarEnd]]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Makes connections: codexd's end, non-blocking, and a client's. Both are closed at the end."""
    ends: list[socket.socket] = []

    def make() -> tuple[socket.socket, FarEnd]:
        ours, theirs = socket.socketpair()
        ends.extend((ours, theirs))
        ours.setblocking(False)
        return ours, FarEnd(theirs)

    yield make
    for end in ends:
        end.close()


@pytest.fixture
def subreaper() -> Iterator[None]:
    """Orphans become children of the test's process, for as long as the test takes."""
    processes.become_subreaper()
    yield
    processes.become_subreaper(False)
