"""The newest events in memory, the oldest of which go when there are too many bytes."""

from bisect import bisect_left
from collections.abc import Iterator
from operator import attrgetter

from codexd.routing.events import Event

OVERHEAD_BYTES = 200
"""What an event takes in memory beside its line."""
_DEAD_EVENTS = 1024
_DEAD_BYTES = 1024 * 1024
_SEQ = attrgetter("seq")


def cost(event: Event) -> int:
    """How many bytes of memory it counts for."""
    return len(event.line) + OVERHEAD_BYTES


class Ring:
    """Events in the order of their numbers. From `floor` on it has all that were ever put into it."""

    def __init__(self, floor: int) -> None:
        self.floor = floor
        self.bytes = 0
        self._events: list[Event] = []
        # What stands before `_head` has gone: to delete from the front of a list moves all the rest, so it is done
        # now and then, for many at once.
        self._head = 0
        self._dead_bytes = 0

    def __len__(self) -> int:
        return len(self._events) - self._head

    def append(self, event: Event) -> None:
        """Puts the newest event."""
        self._events.append(event)
        self.bytes += cost(event)

    def oldest(self) -> Event:
        """The one that goes next; there must be one."""
        return self._events[self._head]

    def pop(self) -> Event:
        """Lets the oldest go."""
        event = self._events[self._head]
        size = cost(event)
        self.floor = event.seq + 1
        self.bytes -= size
        self._head += 1
        self._dead_bytes += size
        if self._head >= _DEAD_EVENTS or self._dead_bytes >= _DEAD_BYTES:
            del self._events[: self._head]
            self._head = self._dead_bytes = 0
        return event

    def between(self, first: int, last: int) -> Iterator[Event]:
        """Its events of these numbers, in order. Nothing may be put or let go while they are gone through."""
        at = bisect_left(self._events, first, lo=self._head, key=_SEQ)
        while at < len(self._events) and self._events[at].seq <= last:
            yield self._events[at]
            at += 1

    def forget(self, thread: str) -> None:
        """Removes every event of this thread."""
        kept = [event for event in self._events[self._head :] if event.thread != thread]
        self._events, self._head, self._dead_bytes = kept, 0, 0
        self.bytes = sum(map(cost, kept))
