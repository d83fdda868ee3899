"""The events of ephemeral threads: in memory alone, whatever becomes of them."""

from collections.abc import Iterator

from codexd.routing.events import Event
from codexd.runtime.archive import Span
from codexd.runtime.ring import Ring

_MAX_THREADS = 1000
"""Of how many threads is remembered one by one which of their events have gone."""


class Ephemeral:
    """A ring of their own, so that no other thread's traffic drives them out; it remembers whose events have gone."""

    def __init__(self, floor: int, max_bytes: int) -> None:
        self._ring = Ring(floor)
        self._max_bytes = max_bytes
        self._gone: dict[str, Span] = {}
        self._began = self._gone_before = floor

    @property
    def bytes(self) -> int:
        """How much memory they take."""
        return self._ring.bytes

    def append(self, event: Event) -> None:
        """Takes the newest event, and lets the oldest go where there are too many bytes."""
        self._ring.append(event)
        while self._ring.bytes > self._max_bytes and len(self._ring) > 1:
            self._note_gone(self._ring.pop())

    def between(self, first: int, last: int) -> Iterator[Event]:
        """What is left of these numbers."""
        return self._ring.between(first, last)

    def gone(self, thread: str | None) -> Iterator[Span]:
        """Numbers of which some have gone, of one thread or of all."""
        if self._gone_before > self._began:
            yield Span(self._began, self._gone_before - 1)
        yield from (span for name, span in self._gone.items() if thread in (None, name))

    def forget(self, thread: str) -> None:
        """Removes every event of this thread, and what is known of it."""
        self._ring.forget(thread)
        self._gone.pop(thread, None)

    def _note_gone(self, event: Event) -> None:
        before = self._gone.get(event.thread)
        self._gone[event.thread] = Span(before.first if before else event.seq, event.seq)
        if len(self._gone) > _MAX_THREADS:
            oldest = next(iter(self._gone))
            self._gone_before = max(self._gone_before, self._gone.pop(oldest).last + 1)
