"""Threads that Codex was told to let go of, and the clients that want to know when it has.

Codex answers `thread/unsubscribe` first and unloads then; with `thread/closed` the thread's writer lock is free
(measured on 0.163 and 0.169). A thread is `closing` in between.

A `thread/resume` that comes just then is refused (`is closing; retry`), or, one in some hundred under load, attached and
never answered (measured on 0.163). So it is held back until the thread is closed. Not for ever: a Codex that keeps a
thread by a delay of its own would answer it at once.
"""

from codexd.protocol.messages import Request
from codexd.routing.effects import ClientId

HOLD_SECONDS = 5.0
"""How long a resume is held back at most; Codex needs some milliseconds."""
Waiting = tuple[ClientId, Request]
"""Who waits, and the request that it gets its answer to."""


class Releases:
    """What is on its way out of Codex."""

    def __init__(self) -> None:
        self._closing: set[str] = set()
        self._held_until: dict[str, float] = {}
        self._waiting: dict[str, list[Waiting]] = {}

    def closes(self, thread: str, now: float) -> None:
        """Codex unloads the thread now; `end` follows."""
        self._closing.add(thread)
        self._held_until[thread] = now + HOLD_SECONDS

    def is_closing(self, thread: str) -> bool:
        """Whether Codex has not said yet that it is unloaded."""
        return thread in self._closing

    def holds(self, thread: str) -> bool:
        """Whether a resume of the thread is to wait for that."""
        return thread in self._held_until

    def take_overdue(self, now: float) -> list[str]:
        """The threads for which it is to wait no longer."""
        overdue = [thread for thread, until in self._held_until.items() if until <= now]
        for thread in overdue:
            del self._held_until[thread]
        return overdue

    @property
    def deadline(self) -> float | None:
        """When that is so for the next one."""
        return next(iter(self._held_until.values()), None)

    def wait(self, thread: str, client: ClientId, request: Request) -> None:
        """The client gets its answer when that is over."""
        self._waiting.setdefault(thread, []).append((client, request))

    def is_awaited(self, thread: str) -> bool:
        """Whether anybody waits for that."""
        return bool(self._waiting.get(thread))

    def waiting(self, client: ClientId) -> int:
        """How many of the client's requests wait for that."""
        return sum(each[0] == client for waiting in self._waiting.values() for each in waiting)

    def end(self, thread: str) -> list[Waiting]:
        """The thread is unloaded, or stays after all; returns who waited for that."""
        self._closing.discard(thread)
        self._held_until.pop(thread, None)
        return self._waiting.pop(thread, [])

    def leave(self, client: ClientId) -> None:
        """The client is gone."""
        for waiting in self._waiting.values():
            waiting[:] = [each for each in waiting if each[0] != client]

    def clear(self) -> list[Waiting]:
        """Codex is gone; returns everybody who waited."""
        self._closing.clear()
        self._held_until.clear()
        everybody = [each for waiting in self._waiting.values() for each in waiting]
        self._waiting.clear()
        return everybody
