"""What all clients together may make codexd hold of lines that are not finished yet."""

MAX_BUFFERED_BYTES = 256 * 1024 * 1024
FREE_BYTES = 64 * 1024
"""An unfinished line up to this long costs nothing: everybody may send half a line."""


class LineBudget:
    """The shared limit. Each client's share is the length of its unfinished line."""

    def __init__(self, limit: int = MAX_BUFFERED_BYTES) -> None:
        self._limit = limit
        self._held: dict[int, int] = {}
        self._total = 0

    @property
    def held_bytes(self) -> int:
        """How much all clients together hold at present, short lines not counted."""
        return self._total

    def hold(self, client: int, length: int) -> bool:
        """The client's unfinished line is now this long. False: that is too much, and it is to be given up."""
        if length <= FREE_BYTES:
            if client in self._held:
                self._total -= self._held.pop(client)
            return True
        total = self._total - self._held.get(client, 0) + length
        if total > self._limit:
            self.hold(client, 0)
            return False
        self._held[client] = length
        self._total = total
        return True
