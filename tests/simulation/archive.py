"""The archive under the timeline: a file in memory that is slow, fails, refuses, and forgets what was not committed."""

from collections import deque
from collections.abc import Callable
from random import Random
from typing import NamedTuple

import trio
from msgspec import Struct

from codexd.routing.events import Event
from codexd.runtime.archive import (
    DEGRADED,
    ON,
    ArchiveFailed,
    ArchiveReports,
    History,
    Page,
    Size,
    Span,
    Status,
)
from codexd.runtime.timeline import page_of

BLOCK = 10_000
"""How many numbers are reserved at a time; the clock may be set back by a life or two."""


GONE = "gone for good"
"""The fault after which the next life begins with an empty file."""

KILLED = "killed"
LOCKED = "locked"
"""The one of a file that can't be opened when codexd starts."""
RETENTION = "retention"
"""The one that nobody who is being sent events suffers from."""


class File(Struct, eq=False):
    """What outlives codexd. `faults`: why something may have been lost, or can't be read for a while."""

    events: dict[int, Event] = {}
    lost: list[Span] = []
    born: int = 0
    floor: int = 0
    life: int = 0
    reserved: int = 0
    is_ended: bool = True
    faults: list[str] = []

    def vanish(self) -> None:
        """Somebody has removed it."""
        self.events, self.lost = {}, []
        self.born = self.floor = self.life = self.reserved = 0
        self.is_ended = True


class _Deletion(NamedTuple):
    thread: str
    upto: int


class Climate(Struct, frozen=True):
    """How the disk is. Seconds, chances, and how many events wait at most."""

    commit: float
    read: float
    fails: float
    refuses_read: float
    room: int
    keeps: int


def climate(rng: Random) -> Climate:
    """Any; mostly one that works."""
    works = rng.random() < 0.6
    return Climate(
        commit=rng.choice((0.0, 0.01, 0.5, 3.0)),
        read=rng.choice((0.0, 0.01, 0.5)),
        fails=0.0 if works else rng.choice((0.0, 0.02, 0.3)),
        refuses_read=0.0 if works else rng.choice((0.0, 0.05, 1.0)),
        room=1_000_000 if works else rng.choice((10, 1_000_000)),
        keeps=rng.choice((20, 200, 1_000_000, 1_000_000)),
    )


class SimulatedArchive:
    """One life with the file."""

    def __init__(self, file: File, rng: Random, now: int, note: Callable[[str], None]) -> None:
        self._file, self._rng, self._note = file, rng, note
        self._climate = climate(rng)
        self._items: deque[Event | Span | _Deletion] = deque()
        self._refused: Span | None = None
        self._deleted: dict[str, int] = {}
        self._has_more = trio.Event()
        self._closed = trio.Event()
        self._is_closing = False
        self._is_killed = self._is_over = False
        self._newest = 0
        self.first_seq = self._begin_life(now)
        self._history = History(file.born, file.floor, tuple(file.lost))
        self.status = Status(ON, None, self._history)
        if rng.random() < self._climate.fails:
            self._fault(LOCKED)
            self.status = Status(DEGRADED, "the file is locked")

    def _begin_life(self, now: int) -> int:
        file = self._file
        first = max(now, file.reserved)
        if not file.born:
            file.born = file.floor = first
        elif not file.is_ended:
            file.lost.append(Span(max(max(file.events, default=0) + 1, file.life), first - 1))
        file.life, file.reserved, file.is_ended = first, first + 2 * BLOCK, False
        return first

    @property
    def reads_at_once(self) -> bool:
        """Whether nobody waits for what is read."""
        return self._climate.read == 0.0

    def kill(self) -> None:
        """Nothing is written from now on."""
        self._is_killed = True
        self._fault(KILLED)

    def calm_down(self) -> None:
        """From now on it works, and is quick."""
        self._climate = Climate(
            commit=0.0, read=0.0, fails=0.0, refuses_read=0.0, room=1 << 30, keeps=1 << 30
        )

    def put(self, event: Event) -> bool:
        """Takes it, or has no room for it."""
        self._newest = event.seq
        if self._is_over or len(self._items) >= self._climate.room:
            self._fault("no room")
            self._refused = Span(self._refused.first if self._refused else event.seq, event.seq)
            return False
        self._put_refused()
        self._items.append(event)
        self._has_more.set()
        return True

    def use(self, seq: int) -> None:
        """It will not be used again."""
        self._newest = seq

    def delete_thread(self, thread: str) -> None:
        """Hides it at once."""
        self._deleted[thread] = self._newest
        self._items.append(_Deletion(thread, self._newest))
        self._has_more.set()

    async def read(self, first: int, last: int, thread: str | None, max_bytes: int, max_events: int) -> Page:
        """Takes its time, and may fail."""
        await trio.sleep(self._rng.random() * self._climate.read)
        if self._rng.random() < self._climate.refuses_read:
            self._fault("no reading")
            raise ArchiveFailed("the disk can't be read")
        found = [
            event
            for seq, event in self._file.events.items()
            if first <= seq <= last and seq > self._deleted.get(event.thread, 0)
        ]
        page = page_of(found, last, thread, max_bytes, max_events)
        await trio.sleep(self._rng.random() * self._climate.read)
        return Page([e for e in page.events if e.seq > self._deleted.get(e.thread, 0)], page.next)

    def look(self) -> None:
        """Nothing is removed in the middle of a life here."""

    def size(self) -> Size:
        """A guess."""
        return Size(0, len(self._file.events))

    async def run(self, reports: ArchiveReports) -> None:
        """Commits what was put, in batches of any size."""
        try:
            if self.status.history is None:
                await self._recover(reports)
            while not self._is_closing:
                await self._has_more.wait()
                await trio.sleep(self._rng.random() * self._climate.commit)
                if self._rng.random() < self._climate.fails:
                    await self._fail(reports)
                elif self._items:
                    self._commit(reports, self._rng.randrange(1, len(self._items) + 1))
                    self._trim(reports)
        finally:
            self._end(reports)

    def close(self) -> None:
        """The last batch is everything."""
        self._is_closing = True
        self._has_more.set()
        self._closed.set()

    async def _fail(self, reports: ArchiveReports) -> None:
        if self._rng.random() < 0.2:
            self._fault(GONE)
            self._is_over = True
            self._change(reports, Status(DEGRADED, "the file is damaged"))
            self._file.vanish()
            while not self._is_closing:
                await self._wait_closing(1000.0)
        else:
            self._fault("no writing")
            self._change(reports, Status(DEGRADED, "the disk is full", self._history))
            await self._recover(reports)

    async def _recover(self, reports: ArchiveReports) -> None:
        await self._wait_closing(self._rng.choice((0.1, 5.0, 50.0)))
        if not self._is_closing:
            self._change(reports, Status(ON, None, self._history))

    async def _wait_closing(self, seconds: float) -> None:
        with trio.move_on_after(seconds):
            await self._closed.wait()

    def _change(self, reports: ArchiveReports, status: Status) -> None:
        self._note(f"the archive is {status.state}")
        self.status = status
        reports.changed(status)

    def _commit(self, reports: ArchiveReports, count: int) -> None:
        last = 0
        for _ in range(count):
            item = self._items.popleft()
            if isinstance(item, Event):
                self._file.events[item.seq] = item
                last = item.seq
            elif isinstance(item, Span):
                self._file.lost.append(item)
                last = item.last
            else:
                self._delete(item)
        if not self._items and not self._is_closing:
            self._has_more = trio.Event()
        self._file.reserved = max(self._file.reserved, self._newest + 2 * BLOCK)
        if last:
            reports.committed(last)

    def _delete(self, item: _Deletion) -> None:
        events = self._file.events
        for seq in [seq for seq, e in events.items() if e.thread == item.thread and seq <= item.upto]:
            del events[seq]
        if self._deleted[item.thread] == item.upto:
            del self._deleted[item.thread]

    def _trim(self, reports: ArchiveReports) -> None:
        """Retention: the oldest go, as far as they may."""
        events = self._file.events
        if len(events) <= self._climate.keeps:
            return
        is_forced = self._rng.random() < 0.2
        self._fault("retention by force" if is_forced else RETENTION)
        wanted = sorted(events)[-self._climate.keeps]
        floor = reports.trim(wanted, is_forced)
        self._file.floor = max(self._file.floor, floor)
        self._file.lost = [span for span in self._file.lost if span.last >= floor]
        for seq in [seq for seq in events if seq < floor]:
            del events[seq]

    def _end(self, reports: ArchiveReports) -> None:
        if self._is_killed or self._is_over:
            return
        if self.status.state == ON:
            self._put_refused()
            self._commit(reports, len(self._items))
            self._file.is_ended = True
        else:
            self._fault("ended while the disk was full")

    def _put_refused(self) -> None:
        if self._refused is not None:
            self._items.append(self._refused)
            self._refused = None

    def _fault(self, what: str) -> None:
        if what not in self._file.faults:
            self._note(f"the archive: {what}")
            self._file.faults.append(what)
