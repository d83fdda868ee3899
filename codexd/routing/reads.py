"""Questions for events: who has asked and has no answer, while the timeline is read."""

from itertools import count

from msgspec import Struct

from codexd.protocol.messages import Request
from codexd.routing.effects import ClientId


class Read(Struct, frozen=True):
    """One question. `after` and `last`: the numbers of the events that it is about, and none beyond."""

    client: ClientId
    request: Request
    thread: str | None
    after: int
    last: int


class Reads:
    """The open questions by number."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._open: dict[int, Read] = {}

    def add(self, read: Read) -> int:
        """A new question; returns its number."""
        number = next(self._numbers)
        self._open[number] = read
        return number

    def take(self, number: int) -> Read | None:
        """The question, which is open no more; `None` when its asker has left."""
        return self._open.pop(number, None)

    def take_all(self) -> list[Read]:
        """All open questions, oldest first; none is open any more."""
        found, self._open = list(self._open.values()), {}
        return found

    def waiting(self, client: ClientId) -> int:
        """How many questions of the client are open."""
        return sum(read.client == client for read in self._open.values())

    def leave(self, client: ClientId) -> None:
        """The client is gone, and its questions with it."""
        self._open = {number: read for number, read in self._open.items() if read.client != client}
