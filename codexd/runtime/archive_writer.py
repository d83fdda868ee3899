"""The thread that writes the archive: takes what was put, commits it in batches, and tidies up in between.

An archive that can't be written is tried again now and then with what could not be committed, which waits. For a file
that was removed a new one is begun. One that is of no use any more ends the thread.
"""

import logging
import queue
import threading
import time
from pathlib import Path
from typing import NamedTuple, Protocol

from codexd.routing.events import Event
from codexd.runtime.archive import DEGRADED, ON, History, Size, Span, Status
from codexd.runtime.archive_file import FAILURES, Failure, Unusable, Vanished, in_words
from codexd.runtime.archive_retention import Keep, Retention
from codexd.runtime.archive_store import BLOCK, Store
from codexd.runtime.ring import cost

logger = logging.getLogger(__name__)

BATCH_EVENTS = 1024
BATCH_BYTES = 4 * 1024 * 1024
"""A batch is committed at once; one event is taken, however long."""
PACE_SECONDS = 0.1
"""From a commit to the next, unless the batch was full: a commit of one event costs as much as one of fifty.

At 200 events a second codexd took 156 µs for each without a timeline, about 200 with this pause, 228 with half of it, and
384 with a tenth. What a killed codexd has not committed is what came in the meantime.
"""
RETRY_SECONDS = 5.0
_LOG_SECONDS = 1.0
_ERASING_SECONDS = 1.0
"""How long deleted threads are still erased at the end; what is left then is the next life's."""
_IDLE_SECONDS = 3600.0
"""How often retention looks at the age of events while none come."""
MAX_LOG_BYTES = 4 * 1024 * 1024


class Deletion(NamedTuple):
    """The events of this thread up to this number are to go."""

    thread: str
    upto: int


class Used(NamedTuple):
    """Numbers up to this one are in use, by events that are not kept."""

    seq: int


class Close(NamedTuple):
    """Nothing comes any more."""


Item = Event | Span | Deletion | Used | Close
"""What is put into the queue. A `Span` was lost: it did not fit there."""


class Loop(Protocol):
    """The other side, in trio's thread. Only `allow` and `let_go` are waited for."""

    def committed(self, batch: "Batch") -> None:
        """This has been committed, and with it all that was put before."""

    def changed(self, status: Status) -> None:
        """The archive works again, or does not any more."""

    def allow(self, floor: int, force: bool) -> int:
        """How far retention may go."""

    def let_go(self) -> None:
        """Closes the file for reading: it was removed. SQLite removes what belongs to it when it is closed last, by name."""


class Batch:
    """What is committed at once."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.lost: list[Span] = []
        self.deleted: dict[str, int] = {}
        self.bytes = 0
        self.last = 0
        """The newest number in it; 0: there is none."""
        self.is_empty = True

    def add(self, item: Event | Span | Deletion | Used) -> None:
        """Takes one thing more."""
        self.is_empty = False
        match item:
            case Event():
                self.events.append(item)
                self.bytes += cost(item)
                self.last = item.seq
            case Span():
                self.lost.append(item)
                self.last = item.last
            case Deletion():
                self.deleted[item.thread] = item.upto
            case Used():
                pass

    def is_full(self) -> bool:
        """Whether it should be committed first."""
        return len(self.events) >= BATCH_EVENTS or self.bytes >= BATCH_BYTES


class Writer:
    """Writes what is in `items` until `Close` has been taken from there, or `stop` was called."""

    def __init__(self, path: Path, keep: Keep, now: int) -> None:
        self.items: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self.size = Size()
        self._path = path
        self._keep = keep
        self._batch = Batch()
        self._pause_until = 0.0
        self._log_from: float | None = 0.0
        """When the log is to be emptied: at once, in case that a thread had been deleted."""
        self._closing = False
        self._wanted = threading.Event()
        self._closing_soon = False
        self.ended = False
        self._store: Store | None = None
        self._has_vanished = False
        self._history: History | None = None
        self.status = Status(ON)
        try:
            self._store, self.first_seq = self._opened(now)
        except FAILURES as error:
            # Beyond what a codexd that ended this very moment may have reserved.
            self.first_seq = now + 10 * BLOCK
            self._fail(in_words(error, path))
        self._uncommitted = self.first_seq
        """Where the life of a file begins that would be begun now."""
        self.handed_out = self.first_seq - 1
        """The newest number that is in use; written in trio's thread."""

    def hurry(self) -> None:
        """Ends every pause of the thread: `Close` has been put."""
        self._closing_soon = True
        self._wanted.set()

    def wake(self) -> None:
        """Ends the pause that the thread makes now, if it does: what has been put is not to wait."""
        self._wanted.set()

    def stop(self) -> None:
        """Ends the thread before its next commit, without a note of a clean end: the file is of no use any more."""
        self.ended = True
        self._wanted.set()
        self.items.put(Close())

    def run(self, loop: Loop) -> None:
        """The thread."""
        retention = Retention(self._keep, loop.allow)
        while not self.ended:
            before = self.status
            try:
                self._work(retention, loop)
            except FAILURES as error:
                self._fail(in_words(self._cause(error), self._path))
            if self.status != before:
                loop.changed(self.status)
            if self._has_vanished:
                self._has_vanished = False
                loop.let_go()
            elif self.status.state == DEGRADED and not self.ended:
                # What can't be written by now, when nobody waits any longer, never will be.
                self.ended = self._closing_soon
                self._pause(RETRY_SECONDS)
        if self._store is not None:
            self._store.close()

    def _opened(self, now: int) -> tuple[Store, int]:
        store = Store(self._path, min(MAX_LOG_BYTES, self._keep.bytes // 8))
        try:
            first_seq = store.begin_life(now)
            self._history = store.history()
            self.size = store.size()
            self.status = Status(ON, None, self._history)
        except BaseException:
            store.close()
            raise
        return store, first_seq

    def _fail(self, unusable: Unusable) -> None:
        if self.status.problem != str(unusable):
            logger.warning("%s", unusable)
        if isinstance(unusable, Vanished):
            self._let_go()
        # What can't be written can still be read.
        self.status = Status(DEGRADED, str(unusable), None if unusable.final else self._history)
        self.ended = self.ended or unusable.final

    def _let_go(self) -> None:
        """Of the file that was removed: another one is begun with what has not been committed."""
        assert self._store is not None, "it has been looked for"
        self._store.close()
        self._store, self._history, self._has_vanished = None, None, True

    def _cause(self, error: Failure) -> Failure:
        """A file that is gone fails in as many ways as it is used; the reason is always the same."""
        if self._store is not None:
            try:
                self._store.check_still_there()
            except Unusable as gone:
                return gone
            except OSError:  # can't be told; the error itself says as much
                pass
        return error

    def _work(self, retention: Retention, loop: Loop) -> None:
        """One commit at most, and one step of what there is to tidy up."""
        is_degraded = self.status.state == DEGRADED
        if self._store is None:
            self._store = self._opened_late()
        seconds = self._tidy(self._store, retention)
        self._take(0 if is_degraded else seconds)
        if self.ended:
            return
        self._commit(self._store, retention, loop)
        self.status = Status(ON, None, self._history)
        if self._closing:
            enough = time.monotonic() + _ERASING_SECONDS
            while self._store.erase() and time.monotonic() < enough:
                pass
            self._store.end_life()
            self.ended = True

    def _opened_late(self) -> Store:
        """Numbers have been given since, which must not have been used before."""
        store, first_seq = self._opened(self._uncommitted)
        try:
            if first_seq != self._uncommitted:
                raise Unusable(
                    f"the timeline {self._path} has numbers from the future: the clock was set back. History is kept in "
                    "memory only until: codexd restart",
                    final=True,
                )
            store.write([], [], {}, self.handed_out)
        except BaseException:
            store.close()
            raise
        return store

    def _tidy(self, store: Store, retention: Retention) -> float:
        """A step of what is left to do, deletions first. Returns after how many seconds there will be more."""
        if store.erase():
            return 0
        if self._log_from is not None and time.monotonic() >= self._log_from:
            # Last of all: the log still has what was erased. A reader that is in it will be gone in a moment.
            self._log_from = None if store.empty_log() else time.monotonic() + _LOG_SECONDS
        if retention.is_due() and (retention.step(store) or retention.is_due()):
            return 0
        if store.vacuum():
            return 0
        self.size = store.size()
        return _IDLE_SECONDS if self._log_from is None else _LOG_SECONDS

    def _take(self, seconds: float) -> None:
        """Fills the batch; waits for its first event so long."""
        if self._batch.is_empty and not self._closing:
            try:
                self._add(self.items.get(block=seconds > 0, timeout=seconds or None))
            except queue.Empty:
                return
            self._pause(self._pause_until - time.monotonic())
        while not self._batch.is_full() and not self._closing:
            try:
                self._add(self.items.get_nowait())
            except queue.Empty:
                return

    def _pause(self, seconds: float) -> None:
        if not self._closing_soon:
            self._wanted.wait(max(0.0, seconds))
            self._wanted.clear()

    def _add(self, item: Item) -> None:
        if isinstance(item, Close):
            self._closing = True
        else:
            self._batch.add(item)

    def _commit(self, store: Store, retention: Retention, loop: Loop) -> None:
        batch = self._batch
        store.check_still_there()
        if batch.is_empty:
            return
        store.write(batch.events, batch.lost, batch.deleted, self.handed_out)
        self._pause_until = 0.0 if batch.is_full() else time.monotonic() + PACE_SECONDS
        self._batch = Batch()
        self._uncommitted = max(self._uncommitted, batch.last + 1)
        loop.committed(batch)
        if batch.deleted:
            self._log_from = 0.0
        retention.wrote(batch.bytes)
