"""The timeline as the Router sees it: the events of all lives of codexd, as far as they are still there."""

from collections.abc import Sequence
from random import Random

from codexd.routing.events import Event, Gap, TimelineStatistics

MOST_EVENTS = 3000
"""More are not kept, whatever the lot says: what is read from the beginning on costs so much."""
LOST_AT_ONCE = 12
"""At most so many of the newest events are lost with a codexd that is killed."""
LEFT_OF_BLOCK = 40
"""At most so many numbers of the block that was reserved are never given."""


class SimulatedTimeline:
    """What outlives a codexd: the numbers, and what was numbered with them. `Kept` of every Router, one after the other."""

    def __init__(self) -> None:
        self.next_seq = 1
        self.last = 0
        self._events: dict[int, Event] = {}
        self._floor = 1
        self._lost: list[Gap] = []

    def __contains__(self, seq: int) -> bool:
        return seq in self._events

    def append(self, event: Event) -> None:
        """The newest event."""
        self._events[event.seq] = event
        self.last = event.seq

    def between(self, first: int, last: int) -> list[Event]:
        """What there is of these numbers, in order."""
        events = self._events
        return [events[seq] for seq in range(max(first, self._floor), last + 1) if seq in events]

    def collect(self, first: int, last: int, thread: str | None, count: int) -> Sequence[Event]:
        """The oldest of these events, of one thread or of all."""
        return [event for event in self.between(first, last) if thread in (None, event.thread)][:count]

    def gap(self, after: int, upto: int, thread: str | None) -> Gap | None:
        """What is missing above `after`, up to `upto`; what is lost is so of all threads."""
        spans = [Gap(1, self._floor - 1), *self._lost]
        missing = [span for span in spans if span.from_ <= span.to and span.to > after and span.from_ <= upto]
        if not missing:
            return None
        first, last = min(span.from_ for span in missing), max(span.to for span in missing)
        return Gap(max(after + 1, first), min(upto, last))

    def statistics(self) -> TimelineStatistics:
        """It is well."""
        return TimelineStatistics(self.last, 0, len(self._events), 0, "on")

    def forget(self, thread: str) -> None:
        """The thread is deleted."""
        self._events = {seq: event for seq, event in self._events.items() if event.thread != thread}

    def trim(self, rng: Random, oldest_needed: int | None) -> None:
        """Retention: the oldest go, but for what somebody has still to be sent."""
        far = rng.choice((20, 200, MOST_EVENTS))
        wanted = self.last - rng.randrange(far) if rng.random() < 0.3 else 1
        floor = max(wanted, self.last - MOST_EVENTS)
        if oldest_needed is not None:
            floor = min(floor, oldest_needed)
        for seq in range(self._floor, floor):
            self._events.pop(seq, None)
        self._floor = max(self._floor, floor)
        self._lost = [span for span in self._lost if span.to >= self._floor]

    def ends(self, rng: Random, *, killed: bool) -> None:
        """codexd is gone, and what was in memory alone. The next one numbers on, behind all that was reserved."""
        self._events = {seq: event for seq, event in self._events.items() if not event.ephemeral}
        self.next_seq = self.last + 1
        if killed:
            first = max(self.last + 1 - rng.randrange(LOST_AT_ONCE), self._floor)
            self.next_seq += rng.randrange(LEFT_OF_BLOCK)
            for seq in range(first, self.last + 1):
                self._events.pop(seq, None)
            if first < self.next_seq:
                self._lost.append(Gap(first, self.next_seq - 1))
        self.last = self.next_seq - 1
