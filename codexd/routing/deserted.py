"""Threads that nobody follows and in which nothing happens: how long Codex keeps them loaded.

Codex unloads a thread after a delay of its own when nobody is subscribed to it. For Codex codexd is the only
subscriber, so the delay is codexd's to keep, and Codex is told to unload at once what codexd unsubscribes from.

Rule 1. The clock starts when the last follower leaves, or when the last thing ends that goes on without followers: a
        turn, a question, a request.
Rule 2. A new follower stops it, and so does a turn, of a sub-agent too.
Rule 3. A family goes together: sub-agents' threads with the one at the top, and none while one of them is busy.
"""


class Deserted:
    """When each deserted thread is to be let go of, by the thread at the top of its family.

    All wait equally long, so they are due in the order in which they were left. Only a clock that is set back can
    disturb that; a thread then stays loaded for so much longer.
    """

    def __init__(self, delay: float) -> None:
        """`delay`: in seconds; 0: what is deserted is due at once, and never stands here."""
        self.delay = delay
        self._due: dict[str, float] = {}

    def add(self, thread: str, now: float) -> None:
        """The thread is deserted; if it was already, its time goes on."""
        self._due.setdefault(thread, now + self.delay)

    def cancel(self, thread: str) -> None:
        """It is deserted no more, or gone."""
        self._due.pop(thread, None)

    def take_due(self, now: float) -> list[str]:
        """The threads whose time is over; they stand here no longer."""
        due = []
        for thread, when in self._due.items():
            if when > now:
                break
            due.append(thread)
        for thread in due:
            del self._due[thread]
        return due

    @property
    def deadline(self) -> float | None:
        """When the next one is due."""
        return next(iter(self._due.values()), None)

    def clear(self) -> None:
        """Codex is gone, and with it all that it had loaded."""
        self._due.clear()
