"""The time of day in a simulated world: virtual time, and now and then somebody sets the clock, either way."""

from collections.abc import Callable
from random import Random

import trio

EPOCH = 1_800_000_000.0
YEAR = 365 * 86_400.0
JUMPS = (-YEAR, -86_400.0, -60.0, 3.0, 86_400.0, 10 * YEAR)
"""In seconds. codexd takes over one forward of more than 5 s, as after a suspend, and never goes back."""


class SimulatedClock:
    """Tells the seconds since the epoch. Its jumps have a chance of their own: worlds without any stay as they were."""

    def __init__(self, seed: int, note: Callable[[str], None]) -> None:
        self._rng = Random(f"clock {seed}")
        self._is_steady = self._rng.random() < 0.3
        self._note = note
        self._offset = self._furthest = 0.0

    def __call__(self) -> float:
        return EPOCH + trio.current_time() + self._offset

    async def run(self) -> None:
        """Sets the clock now and then."""
        while not self._is_steady:
            await trio.sleep(self._rng.choice((0.01, 0.5, 20.0)) * self._rng.random())
            jump = self._rng.choice(JUMPS)
            self._offset += jump
            self._furthest = max(self._furthest, self._offset)
            self._note(f"the clock is set by {jump:.0f} s")
            self._is_steady = self._rng.random() < 0.3

    def set_right(self) -> None:
        """Before another life of codexd: the clock is not behind any time that it has told.

        Where the file can't be read at the start, the clock alone keeps numbers from being used twice.
        """
        self._offset = self._furthest
