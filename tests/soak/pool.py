"""The threads that a soak talks in."""

import threading
from random import Random

THREADS = 12
TURNS = 25
"""After so many a thread is left alone, and another one takes its place: a conversation should not grow for ever."""


class Pool:
    """Threads, each talked in by one at a time."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._lock = threading.Lock()
        self._turns: dict[str, int] = {}
        self._free: set[str] = set()
        self._founding = 0

    def take(self) -> str | None:
        """One that nobody talks in."""
        with self._lock:
            if not self._free:
                return None
            thread = self._rng.choice(sorted(self._free))
            self._free.remove(thread)
            return thread

    def give_back(self, thread: str, turns: int) -> None:
        """It has had so many turns more."""
        with self._lock:
            self._turns[thread] += turns
            if self._turns[thread] < TURNS:
                self._free.add(thread)
            else:
                del self._turns[thread]

    def may_found(self) -> bool:
        """Whether another one is wanted. Then `founded` has to be called."""
        with self._lock:
            wanted = len(self._turns) + self._founding < THREADS
            self._founding += wanted
            return wanted

    def founded(self, thread: str | None) -> None:
        """The new one has had its first turn; None: it came to nothing."""
        with self._lock:
            self._founding -= 1
            if thread is not None:
                self._turns[thread] = 1
                self._free.add(thread)

    def glance(self) -> str:
        """One of them, to look at; empty: there is none."""
        with self._lock:
            return self._rng.choice([*self._turns, ""])
