"""An archive in memory that does what a test tells it, in place of one with a thread and a file."""

from collections.abc import Callable

import trio

from codexd.routing.events import Event
from codexd.runtime.archive import ON, ArchiveFailed, ArchiveReports, History, Page, Size, Status
from codexd.runtime.timeline import page_of


def _nothing() -> None:
    return


class ListArchive:
    """Commits and fails when it is told to. `first_seq`: where the life begins.

    `on_read` is called when it is read, `after_read` when what is read is known.
    """

    def __init__(self, first_seq: int = 1, status: Status | None = None) -> None:
        self.first_seq = first_seq
        self.status = status or Status(ON, None, History(first_seq, first_seq))
        self.queue: list[Event] = []
        self.kept: list[Event] = []
        self.used: list[int] = []
        self.takes = True
        self.failure: str | None = None
        self.reads: list[tuple[int, int]] = []
        self.on_read: Callable[[], None] = _nothing
        self.after_read: Callable[[], None] = _nothing
        self._closed = trio.Event()

    def put(self, event: Event) -> bool:
        assert not event.ephemeral
        if self.takes:
            self.queue.append(event)
        return self.takes

    def use(self, seq: int) -> None:
        self.used.append(seq)

    def commit(self, reports: ArchiveReports, count: int = 10**6) -> None:
        """Keeps the oldest of what was put."""
        if batch := self.queue[:count]:
            self.kept += batch
            del self.queue[:count]
            reports.committed(batch[-1].seq)

    def delete_thread(self, thread: str) -> None:
        self.queue = [event for event in self.queue if event.thread != thread]
        self.kept = [event for event in self.kept if event.thread != thread]

    async def read(self, first: int, last: int, thread: str | None, max_bytes: int, max_events: int) -> Page:
        await trio.lowlevel.checkpoint()
        self.on_read()
        if self.failure is not None:
            raise ArchiveFailed(self.failure)
        self.reads.append((first, last))
        found = (event for event in self.kept if first <= event.seq <= last)
        page = page_of(found, last, thread, max_bytes, max_events)
        self.after_read()
        return page

    def look(self) -> None:
        return

    def size(self) -> Size:
        return Size(7, len(self.kept))

    async def run(self, reports: ArchiveReports) -> None:
        await self._closed.wait()

    def close(self) -> None:
        self._closed.set()
