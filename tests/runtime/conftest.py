"""What the tests of the runtime share."""

import socket
import uuid
from collections.abc import Callable, Iterator

import pytest
import trio

from codexd.runtime import processes
from codexd.runtime.limits import Limits
from tests.fakes import PATIENCE_SECONDS, FarEnd, fake_codex
from tests.runtime.place import Place

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


@pytest.fixture
async def serve(tmp_path, nursery):
    """Runs a broker with this way to find Codex, or a fake one with these manners; stops it at the end."""
    mark = f"test-{uuid.uuid4().hex}"
    places = []

    async def start(find=None, limits=None, codex_silence=30.0, **manners):
        find = find or (lambda: fake_codex(mark, **manners))
        place = Place(tmp_path / "s", find, limits or Limits(), codex_silence)
        places.append(place)
        await nursery.start(place.run)
        return place

    with trio.fail_after(PATIENCE_SECONDS):
        yield start
        for place in places:
            place.broker.stop()
    for place in places:
        place.close()
