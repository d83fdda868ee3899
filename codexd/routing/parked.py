"""Requests that are kept back until a thread has been resumed, by a client or after a death."""

from codexd.routing.effects import ClientId
from codexd.routing.requests import Call


class Parked:
    """What is kept back, by thread, in order."""

    def __init__(self) -> None:
        self._calls: dict[str, list[Call]] = {}

    def add(self, thread: str, call: Call) -> None:
        """Keeps a request back until a resume of its thread is answered."""
        self._calls.setdefault(thread, []).append(call)

    def has(self, thread: str, client: ClientId | None) -> bool:
        """Whether a request of this client for the thread is kept back."""
        return any(call.owner == client for call in self._calls.get(thread, ()))

    def has_any(self, thread: str) -> bool:
        """Whether any request for the thread is kept back."""
        return bool(self._calls.get(thread))

    def take(self, thread: str) -> list[Call]:
        """What was kept back for the thread, in order."""
        return self._calls.pop(thread, [])

    def threads(self) -> list[str]:
        """The threads for which requests are kept back."""
        return list(self._calls)

    def drop(self, client: ClientId | None) -> None:
        """The client left: what is kept back of it goes with it. `None`: what codexd itself had to ask, goes with Codex."""
        self._calls = {
            thread: kept
            for thread, calls in self._calls.items()
            if (kept := [call for call in calls if call.owner != client])
        }

    def count(self, client: ClientId | None = None) -> int:
        """How many requests are kept back, of one client or of all."""
        return sum(client in (None, call.owner) for calls in self._calls.values() for call in calls)
