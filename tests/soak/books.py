"""What a soak has come to: what everybody was sent, what went wrong, and where codexd is in its lives."""

import threading
from collections import Counter

from tests.soak.recording import Received


class Books:
    """Written by every thread of a soak."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.received: list[Received] = []
        self.counts: Counter[str] = Counter()
        self.cursor = 0
        """The newest number that the one who follows everything has seen."""
        self.life = 0
        """Counts codexd's lives; it is raised before a life is ended."""
        self._up = threading.Event()
        self._done = threading.Event()
        self._lock = threading.Lock()

    @property
    def done(self) -> bool:
        """Whether the time is over."""
        return self._done.is_set()

    def finish(self) -> None:
        """The time is over."""
        self._done.set()
        self._up.set()

    def rest(self, seconds: float) -> bool:
        """Waits, or until the time is over, which is what it returns."""
        return self._done.wait(seconds)

    def codexd_goes(self) -> None:
        """It is about to be killed."""
        with self._lock:
            self._up.clear()
            self.life += 1

    def codexd_is_there(self) -> None:
        """It serves."""
        self._up.set()

    def wait_codexd(self) -> None:
        """Waits until it serves, or the time is over."""
        self._up.wait()

    def count(self, what: str, times: int = 1) -> None:
        """So often more."""
        with self._lock:
            self.counts[what] += times

    def note(self, received: Received) -> None:
        """What somebody was sent, who is gone now."""
        with self._lock:
            self.received.append(received)
            self.counts["events received"] += len(received.seqs)
            self.counts["events received"] += sum(map(len, received.by_thread.values()))

    def complain(self, problem: str) -> None:
        """Something is wrong."""
        with self._lock:
            self.problems.append(problem)
