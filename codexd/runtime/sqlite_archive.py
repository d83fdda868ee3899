"""The archive in a SQLite file: one thread writes it, fed by a queue; another one reads it when somebody asks."""

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import trio

from codexd.routing.events import Event
from codexd.runtime.archive import (
    DEGRADED,
    ArchiveFailed,
    ArchiveReports,
    Page,
    Size,
    Span,
    Status,
    number_of_now,
)
from codexd.runtime.archive_file import FAILURES, Failure, in_words
from codexd.runtime.archive_reader import Reader
from codexd.runtime.archive_retention import Keep
from codexd.runtime.archive_store import BLOCK
from codexd.runtime.archive_writer import Batch, Close, Deletion, Used, Writer
from codexd.runtime.ring import cost
from codexd.runtime.threads import in_thread

logger = logging.getLogger(__name__)

MAX_QUEUED_BYTES = 32 * 1024 * 1024
"""How much waits for a disk that does not keep up; what does not fit there any more is lost."""
MAX_EVENT_BYTES = 512 * 1024 * 1024
"""A longer one is lost: SQLite takes no more than 10**9, and a batch that it refuses would be tried again for ever."""
END_SECONDS = 3.0
"""How long the thread has to commit what waits at the end. A disk that hangs must not hold up the end of codexd."""


class _FromThread(NamedTuple):
    """What the writer's thread says, brought into trio's."""

    token: trio.lowlevel.TrioToken
    on_committed: Callable[[Batch], None]
    on_changed: Callable[[Status], None]
    on_allow: Callable[[int, bool], int]
    on_let_go: Callable[[], Awaitable[None]]

    def committed(self, batch: Batch) -> None:
        self.token.run_sync_soon(self.on_committed, batch)

    def changed(self, status: Status) -> None:
        self.token.run_sync_soon(self.on_changed, status)

    def allow(self, floor: int, force: bool) -> int:
        return trio.from_thread.run_sync(self.on_allow, floor, force)

    def let_go(self) -> None:
        trio.from_thread.run(self.on_let_go)


class SqliteArchive:
    """Keeps events in this file, whose directory exists.

    To make one takes a few milliseconds of disk, so it is made in a worker thread. A file that can't be used is said
    in `status`, and never an error.
    """

    def __init__(self, path: Path, keep: Keep, max_queued_bytes: int = MAX_QUEUED_BYTES) -> None:
        self._path = path
        self._writer = Writer(path, keep, number_of_now())
        self._reader = Reader(path)
        self._reading = trio.Lock()
        self._max_queued_bytes = max_queued_bytes
        self._queued_bytes = 0
        self._refused: Span | None = None
        self._deleted: dict[str, int] = {}
        self._deleted_in_file: dict[str, int] = {}
        self._changed: Callable[[Status], None] | None = None
        self._closed = trio.Event()
        self.first_seq = self._writer.first_seq
        self.status = self._writer.status
        self._reserved_for = self.first_seq

    def put(self, event: Event) -> bool:
        """See `Archive.put`."""
        writer = self._writer
        size = cost(event)
        is_too_long = len(event.line) > MAX_EVENT_BYTES
        if (
            writer.ended
            or is_too_long
            or (self._queued_bytes and self._queued_bytes + size > self._max_queued_bytes)
        ):
            self._refused = Span(self._refused.first if self._refused else event.seq, event.seq)
            return False
        self._put_refused()
        self._queued_bytes += size
        writer.handed_out = event.seq
        writer.items.put(event)
        return True

    def use(self, seq: int) -> None:
        """See `Archive.use`. Half a block at a time is told: as much again is reserved beyond what is known."""
        self._writer.handed_out = seq
        if seq >= self._reserved_for + BLOCK // 2 and not self._writer.ended:
            self._reserved_for = seq
            self._writer.items.put(Used(seq))

    def delete_thread(self, thread: str) -> None:
        """See `Archive.delete_thread`."""
        if self._writer.ended:
            return
        upto = self._writer.handed_out
        self._deleted[thread] = upto
        self._writer.items.put(Deletion(thread, upto))
        self._writer.wake()

    async def read(self, first: int, last: int, thread: str | None, max_bytes: int, max_events: int) -> Page:
        """See `Archive.read`. One reads at a time; who is cancelled leaves the disk to its thread, which may hang."""
        async with self._reading:
            try:
                page = await in_thread(
                    self._reader.read, first, last, thread, max_bytes, max_events, abandon_on_cancel=True
                )
            except trio.Cancelled:
                self._reader = Reader(self._path)
                raise
            except FAILURES as error:
                self._reader.close()
                raise self._failed(error) from error
            # Of a thread that was deleted since it looked there; only then may what has been committed be let go of.
            events = (
                [event for event in page.events if not self._is_deleted(event)]
                if self._deleted
                else page.events
            )
            self._let_go_of_deleted()
        return Page(events, page.next)

    def look(self) -> None:
        """See `Archive.look`. The writer does before each commit."""
        if not self._writer.ended:
            self._writer.items.put(Used(self._writer.handed_out))
            self._writer.wake()

    def size(self) -> Size:
        """See `Archive.size`."""
        return self._writer.size

    async def run(self, reports: ArchiveReports) -> None:
        """See `Archive.run`."""
        self._changed = reports.changed
        loop = _FromThread(
            trio.lowlevel.current_trio_token(),
            partial(self._on_committed, reports),
            self._on_changed,
            reports.trim,
            self._close_reader,
        )
        scope = trio.CancelScope(shield=True)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write, loop, scope)
            try:
                await self._closed.wait()
            finally:
                self.close()
                scope.deadline = trio.current_time() + END_SECONDS

    def close(self) -> None:
        """See `Archive.close`."""
        self._put_refused()
        self._writer.items.put(Close())
        self._writer.hurry()
        self._closed.set()

    async def _write(self, loop: _FromThread, scope: trio.CancelScope) -> None:
        with scope:
            await in_thread(self._writer.run, loop, abandon_on_cancel=True)
            await self._close_reader()
        if scope.cancelled_caught:
            logger.warning("the disk with the timeline %s hangs: the newest events are not on it", self._path)

    async def _close_reader(self) -> None:
        async with self._reading:
            self._reader.close()

    def _put_refused(self) -> None:
        if self._refused is not None:
            self._writer.items.put(self._refused)
            self._refused = None

    def _let_go_of_deleted(self) -> None:
        """A reader that begins now does not see any more what is deleted in the file."""
        for thread, upto in self._deleted_in_file.items():
            if self._deleted.get(thread) == upto:
                del self._deleted[thread]
        self._deleted_in_file.clear()

    def _is_deleted(self, event: Event) -> bool:
        return event.seq <= self._deleted.get(event.thread, 0)

    def _on_committed(self, reports: ArchiveReports, batch: Batch) -> None:
        self._queued_bytes -= batch.bytes
        self._deleted_in_file |= batch.deleted
        if not self._reading.locked():
            self._let_go_of_deleted()
        if batch.last:
            reports.committed(batch.last)

    def _on_changed(self, status: Status) -> None:
        self.status = status
        assert self._changed is not None, "only who runs changes"
        self._changed(status)

    def _failed(self, error: Failure) -> ArchiveFailed:
        """A file that is found to be damaged is not written any more; any other is looked at by who writes it."""
        unusable = in_words(error, self._path)
        if unusable.final and self._changed is not None:
            self._writer.stop()
            self._on_changed(Status(DEGRADED, str(unusable)))
        elif self._writer.ended and self._writer.status.problem is not None:
            # The writer has given the file up, and locks it for a moment while it closes it.
            return ArchiveFailed(self._writer.status.problem)
        else:
            self.look()
        return ArchiveFailed(str(unusable))
