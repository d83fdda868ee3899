"""Ids that are remembered for a long time, but not for ever: the oldest are forgotten first."""


class Remembered:
    """A set with an end."""

    def __init__(self, most: int = 10_000) -> None:
        self._ids: dict[str, None] = {}
        self._most = most

    def __contains__(self, id: str) -> bool:
        return id in self._ids

    def add(self, id: str) -> None:
        """Remembers it as the newest."""
        self._ids.pop(id, None)
        self._ids[id] = None
        if len(self._ids) > self._most:
            del self._ids[next(iter(self._ids))]

    def discard(self, id: str) -> None:
        """Forgets it, if it is known."""
        self._ids.pop(id, None)
