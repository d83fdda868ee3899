"""What all clients together may make codexd hold: of lines that are not finished yet, and of what they do not read."""

import logging
from typing import Protocol

import trio

logger = logging.getLogger(__name__)

MAX_BUFFERED_BYTES = 256 * 1024 * 1024
FREE_BYTES = 64 * 1024
"""An unfinished line up to this long costs nothing: everybody may send half a line."""


class LineBudget:
    """The shared limit. Each client's share is the length of its unfinished line."""

    def __init__(self, limit: int = MAX_BUFFERED_BYTES) -> None:
        self._limit = limit
        self._held: dict[int, int] = {}
        self._total = 0

    @property
    def held_bytes(self) -> int:
        """How much all clients together hold at present, short lines not counted."""
        return self._total

    def hold(self, client: int, length: int) -> bool:
        """The client's unfinished line is now this long. False: that is too much, and it is to be given up."""
        if length <= FREE_BYTES:
            if client in self._held:
                self._total -= self._held.pop(client)
            return True
        total = self._total - self._held.get(client, 0) + length
        if total > self._limit:
            self.hold(client, 0)
            return False
        self._held[client] = length
        self._total = total
        return True


MAX_OUTBOXES_BYTES = 256 * 1024 * 1024
MOVING_SECONDS = 1.0
"""Who has taken something within this time reads."""


class Held(Protocol):
    """What is queued for one client."""

    @property
    def unnumbered_bytes(self) -> int:
        """How much of it is held in memory alone."""

    @property
    def begun_bytes(self) -> int:
        """What is left of the message that the client is taking."""

    @property
    def taken_at(self) -> float:
        """When the client last took something, in trio's time."""

    def make_room(self, why: str) -> None:
        """Drops what is queued and cuts the client off; asked again, drops what was left for its end, too."""


class OutboxBudget:
    """The shared limit of what is queued without a number, and who goes when it is passed.

    Of those who hold at least the average, it is the client with the most bytes times the seconds for which it has taken
    nothing: one that does not read goes before one that reads slowly, and nobody for a few bytes. The message that is
    being taken by the one with the most bytes does not count while that client reads: a single large answer is no
    reason to cut anybody.
    """

    def __init__(self, limit: int = MAX_OUTBOXES_BYTES) -> None:
        self._limit = limit
        self._held: dict[Held, int] = {}
        self._total = 0

    @property
    def held_bytes(self) -> int:
        """How much all clients together hold, as far as they have said."""
        return self._total

    def hold(self, outbox: Held, length: int) -> None:
        """So much is queued for the client without a number. It may be less by now for the others."""
        self._set(outbox, length)
        if self._total > self._limit:
            self._relieve()

    def _set(self, outbox: Held, length: int) -> None:
        self._total += length - self._held.pop(outbox, 0)
        if length:
            self._held[outbox] = length

    def _relieve(self) -> None:
        for outbox in list(self._held):
            self._set(outbox, outbox.unnumbered_bytes)
        now = trio.current_time()
        while self._total > self._limit and not self._is_one_large_answer(now):
            average = self._total / len(self._held)
            large = [outbox for outbox, held in self._held.items() if held >= average]
            worst = max(large, key=lambda o: (self._held[o] * (now - o.taken_at), self._held[o]))
            logger.warning("%d bytes are queued for all clients together: one is cut off", self._total)
            worst.make_room(f"more than {self._limit} bytes were waiting for all clients together")
            self._set(worst, worst.unnumbered_bytes)

    def _is_one_large_answer(self, now: float) -> bool:
        largest = max(self._held, key=self._held.__getitem__)
        is_read = now - largest.taken_at < MOVING_SECONDS
        return is_read and self._total - min(largest.begun_bytes, self._held[largest]) <= self._limit
