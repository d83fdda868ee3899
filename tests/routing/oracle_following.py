"""The oracle's book of numbers: the newest, who wants them, who follows events, and who has asked for events."""

from msgspec import Struct

NOBODY: frozenset[int] = frozenset()


class ReadView(Struct, eq=False):
    """One `codexd/events/read` without an answer. `last`: the newest number when it was asked; `number`: codexd's own."""

    client: int
    raw_id: bytes
    thread: str | None
    after: int
    limit: int
    last: int
    number: int = 0


class FollowBook:
    """`ephemeral`: the threads that leave nothing on disk. `to_forget`: the one whose events are to be deleted now."""

    def __init__(self, last_seq: int) -> None:
        self.last_seq = last_seq
        self.numbers: set[int] = set()
        self.ephemeral: set[str] = set()
        self.to_forget: str | None = None
        self.reads: list[ReadView] = []
        self._of_all: dict[int, None] = {}
        self._of_thread: dict[str, dict[int, None]] = {}
        self._followers: dict[str, frozenset[int]] = {}

    def followers(self, thread: str) -> frozenset[int]:
        """Who follows the events of this thread."""
        if not self._of_all and not self._of_thread:
            return NOBODY
        found = self._followers.get(thread)
        if found is None:
            found = frozenset((*self._of_all, *self._of_thread.get(thread, ())))
            self._followers[thread] = found
        return found

    def clients(self) -> frozenset[int]:
        """Who follows any events."""
        return frozenset(self._of_all).union(*self._of_thread.values())

    def follow(self, client: int, thread: str | None) -> None:
        """The client follows the events of a thread, or of all."""
        book = self._of_all if thread is None else self._of_thread.setdefault(thread, {})
        book[client] = None
        self._followers.clear()

    def leave(self, client: int) -> None:
        """The client is gone."""
        self.numbers.discard(client)
        self._of_all.pop(client, None)
        for thread, clients in list(self._of_thread.items()):
            clients.pop(client, None)
            if not clients:
                del self._of_thread[thread]
        self.reads = [read for read in self.reads if read.client != client]
        self._followers.clear()
