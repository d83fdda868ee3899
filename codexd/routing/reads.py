"""Questions for events: who has asked and has no answer, while the timeline is read."""

from collections import Counter
from itertools import count

from msgspec import Struct

from codexd.routing.effects import ClientId


class Read(Struct, frozen=True):
    """One question, asked under `id`. `after` and `last`: the numbers of the events that it is about, and none beyond."""

    client: ClientId
    id: bytes
    thread: str | None
    after: int
    last: int


class Reads:
    """The open questions by number, and how many each client has."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._open: dict[int, Read] = {}
        self._counts: Counter[ClientId] = Counter()

    def add(self, read: Read) -> int:
        """A new question; returns its number."""
        number = next(self._numbers)
        self._open[number] = read
        self._counts[read.client] += 1
        return number

    def take(self, number: int) -> Read | None:
        """The question, which is open no more; `None` when its asker has left."""
        read = self._open.pop(number, None)
        if read is not None:
            self._counts[read.client] -= 1
        return read

    def take_all(self) -> list[Read]:
        """All open questions, oldest first; none is open any more."""
        found, self._open = list(self._open.values()), {}
        self._counts.clear()
        return found

    def waiting(self, client: ClientId) -> int:
        """How many questions of the client are open."""
        return self._counts.get(client, 0)

    def leave(self, client: ClientId) -> None:
        """The client is gone, and its questions with it."""
        if self._counts.pop(client, 0):
            self._open = {number: read for number, read in self._open.items() if read.client != client}
