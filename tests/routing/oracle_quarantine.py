"""The oracle's book of the threads that were being resumed when Codex died."""

from tests.routing.oracle_requests import RequestBook
from tests.routing.sim_words import Asked, Written, Wrong

RESUME = "thread/resume"
LOADS = frozenset({RESUME, "thread/fork"})


def resumed(item: Written) -> str | None:
    """The thread that this request is to resume, if it is one that does."""
    asked = item.asked
    if (asked.method if asked is not None else item.method) != RESUME:
        return None
    if asked is not None:
        return asked.thread
    return item.params.thread_id if item.params is not None else None


class QuarantineBook:
    """`suspects`: the threads that were near one death, and when that was; `threads`: those that were near two."""

    def __init__(self) -> None:
        self.suspects: dict[str, float] = {}
        self.threads: dict[str, None] = {}

    def codex_dies(self, requests: RequestBook, now: float) -> tuple[list[str], set[float]]:
        """Returns the threads that are quarantined by that, and when each was near a death before."""
        near = [resumed(item) for item in requests.under_way.values()]
        threads = [thread for thread in dict.fromkeys(near) if thread is not None]
        twice = [thread for thread in threads if thread in self.suspects]
        before = {self.suspects.pop(thread) for thread in twice}
        self.threads |= dict.fromkeys(twice)
        self.suspects |= {thread: now for thread in threads if thread not in twice}
        return twice, before

    def lift(self, thread: str) -> bool:
        """Everything of it is forgotten; returns whether it was quarantined."""
        self.suspects.pop(thread, None)
        return thread in self.threads and self.threads.pop(thread) is None

    def answered(self, item: Written) -> None:
        """Codex has answered this, and is not asked the same again."""
        thread, asked = resumed(item), item.asked
        if thread is not None and not (asked is not None and asked.joining):
            self.suspects.pop(thread, None)

    def check_may_be_written(self, item: Written, requests: RequestBook) -> None:
        """Nobody loads a quarantined thread, and a suspect is resumed by itself."""
        asked = item.asked
        if asked is not None and asked.method in LOADS and asked.thread in self.threads:
            raise Wrong(f"{asked} would load a thread that is quarantined")
        thread = resumed(item)
        others = [resumed(other) for other in requests.under_way.values()]
        if thread in self.suspects and any(other is not None for other in others):
            raise Wrong(f"{thread} was near a death, and is resumed together with {others}")

    def refuses(self, asked: Asked) -> bool:
        """Whether codexd answers this itself."""
        return asked.method in LOADS and asked.thread in self.threads
