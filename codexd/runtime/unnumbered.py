"""How much of a queue is un-numbered: what has a number can be read back from the timeline, and the rest is held in memory."""

from collections import deque


class UnnumberedBytes:
    """Where the un-numbered chunks stand in all that was ever queued for one client.

    `queued` is what is queued at the time of the call, all chunks counted.
    """

    def __init__(self) -> None:
        self._spans: deque[tuple[int, int]] = deque()
        self._put = 0

    def put(self, length: int, queued: int, *, numbered: bool) -> None:
        """A chunk of this length was queued; all of it and what is before it is `queued` now."""
        self._put += length
        if numbered or not queued:
            return
        start = self._put - length
        if self._spans and self._spans[-1][1] == start:
            start = self._spans.pop()[0]
        self._spans.append((start, self._put))

    def count(self, queued: int) -> int:
        """How much of what is queued has no number."""
        taken = self._put - queued
        while self._spans and self._spans[0][1] <= taken:
            self._spans.popleft()
        return sum(end - max(start, taken) for start, end in self._spans)
