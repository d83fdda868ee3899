"""Seconds since the epoch, by trio's clock: so time that is made up in a test is made up here too, and never goes back."""

from collections.abc import Callable

import trio

SLEPT_SECONDS = 5.0
"""Trio's clock stands still while the machine sleeps. When it is late by more than that, it is put right."""


class WallClock:
    """`clock` tells the time; trio's clock counts on from when `start` is called."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._epoch = clock()

    def start(self) -> None:
        """Called first, inside trio."""
        self._epoch = self._clock() - trio.current_time()

    def now(self) -> float:
        """The time."""
        now = self._epoch + trio.current_time()
        late = self._clock() - now
        if late > SLEPT_SECONDS:
            self._epoch += late
            now += late
        return now

    def in_trio(self, time: float) -> float:
        """The same time by trio's clock."""
        return time - self._epoch
