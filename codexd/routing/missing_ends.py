"""Turns of which Codex has said that their thread is at rest, and not that they have ended.

Codex says the one just before the other, in the same millisecond: `thread/status/changed` with `idle`, or with
`systemError`, then `turn/completed` (0.163 and 0.169, completed, failed and interrupted ones, measured). But users have
seen turns that were never completed, and whoever waits for one then waits for ever.

Rule 1. A turn's end is missing from the moment when its thread is at rest, or when the next turn begins there, until Codex
        says it. That the thread is active again may be the next turn, or the same.
Rule 2. When it is still missing after `GRACE_SECONDS`, Codex is asked how the turn ended, and that is told in its stead.
Rule 3. When Codex can't say it, and the thread is active: the turn goes on, or if the next one does, it is asked again when
        the thread is at rest. When that is at rest, the turn has failed; or it is interrupted, if another one has begun
        since: Codex's own history calls such a turn so (0.163 and 0.171), and a client that is told of a failure behind
        the next turn's beginning, or end, takes it for that turn's.
Rule 4. A turn ends once. What Codex says later of one that codexd has ended is not passed on.
"""

from codexd.routing.delays import Delays
from codexd.routing.remembered import Remembered

GRACE_SECONDS = 3.0


class MissingEnds:
    """The turns whose end is missing, and those that codexd has ended itself."""

    def __init__(self) -> None:
        self._clocks = Delays(GRACE_SECONDS)
        self._threads: dict[str, str] = {}
        self._overdue: dict[str, None] = {}
        self._told = Remembered()

    def miss(self, thread: str, turn: str, now: float) -> None:
        """The thread is at rest, and this turn of it has not ended."""
        if turn not in self._threads:
            self._threads[turn] = thread
            self._clocks.add(turn, now)

    def found(self, turn: str) -> bool:
        """It has ended, or goes on; returns whether its end was missing."""
        self._overdue.pop(turn, None)
        self._clocks.cancel(turn)
        return self._threads.pop(turn, None) is not None

    def wait_for_rest(self, turn: str) -> None:
        """Codex can't say yet how it ended; it is asked again some time after the thread has come to rest."""
        del self._overdue[turn]

    def rests(self, thread: str, now: float) -> None:
        """The thread is at rest."""
        for turn in self.of_thread(thread):
            if turn not in self._overdue:
                self._clocks.add(turn, now)

    def take_due(self, now: float) -> list[str]:
        """The threads in which the end of a turn is missing for too long by now."""
        due = self._clocks.take_due(now)
        self._overdue.update(dict.fromkeys(due))
        return list(dict.fromkeys(self._threads[turn] for turn in due))

    def overdue(self, thread: str) -> list[str]:
        """The turns of a thread whose end is missing for too long, the oldest first."""
        return [turn for turn in self.of_thread(thread) if turn in self._overdue]

    def of_thread(self, thread: str) -> list[str]:
        """The turns of a thread whose end is missing, the oldest first."""
        return [turn for turn, its_thread in self._threads.items() if its_thread == thread]

    def forget_thread(self, thread: str) -> None:
        """The thread is gone, and nobody waits for the ends of its turns any more."""
        for turn in self.of_thread(thread):
            self.found(turn)

    def told(self, turn: str) -> None:
        """codexd has told the turn's followers of its end."""
        self._told.add(turn)

    def is_told(self, turn: str) -> bool:
        """Whether codexd has."""
        return turn in self._told

    @property
    def deadline(self) -> float | None:
        """When the next end is missing for too long."""
        return self._clocks.deadline

    def clear(self) -> None:
        """Codex is gone: it ends no turn any more."""
        self._clocks.clear()
        self._threads.clear()
        self._overdue.clear()
        self._told = Remembered()
