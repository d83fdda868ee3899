"""The timeline: the numbered events of all threads, the newest in memory, all of them in an archive.

What is read comes from memory where that has all of it, without any wait. An event leaves the memory when the archive
has committed it. Where there is no archive, or one that fails, the memory is all there is; and where an archive does
not keep up, what waits for it is bounded: numbers that nothing can be read of any more are a gap, which is said.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter

import trio

from codexd.routing.events import Event, Gap, TimelineStatistics
from codexd.runtime.archive import DEGRADED, ON, Archive, ArchiveFailed, Page, Span, Status
from codexd.runtime.ephemeral import Ephemeral
from codexd.runtime.ring import Ring

RING_BYTES = 8 * 1024 * 1024
"""How much of the newest is kept in memory."""
BACKLOG_BYTES = 32 * 1024 * 1024
"""How much more is kept there until an archive that is behind has committed it."""
COLLECTED_BYTES = 1024 * 1024
"""How much is collected at once at most, one large event apart."""
_MAX_LOST = 1000
_SEQ = attrgetter("seq")


class HistoryLost(Exception):
    """A part of what was to be read is not there any more, or can't be read. The message says why."""


def _nobody() -> int | None:
    return None


def _nobody_cares(problem: str) -> None:
    return None


class Timeline:
    """All events, whole and in order; the only holder of its archive.

    `in_use` says which is the oldest number that somebody still has to be sent, None when there is none; retention
    does not go past it. `on_degraded` is told why when an archive fails that has worked, not again while it fails.
    `keeps`: what is appended now can be read back however old it becomes.
    """

    def __init__(
        self, archive: Archive, ring_bytes: int = RING_BYTES, backlog_bytes: int = BACKLOG_BYTES
    ) -> None:
        self.next_seq = archive.first_seq
        self.in_use: Callable[[], int | None] = _nobody
        self.on_degraded: Callable[[str], None] = _nobody_cares
        self._archive = archive
        self._ring_bytes = ring_bytes
        self._most_bytes = ring_bytes + backlog_bytes
        self._ring = Ring(self.next_seq)
        self._ephemeral = Ephemeral(self.next_seq, ring_bytes // 2)
        self._last = self._last_put = self._committed = self.next_seq - 1
        self._status = archive.status
        self.keeps = self._status.state == ON
        self._history = self._status.history
        self._floor = self._history.floor if self._history else 0
        self._lost = list(self._history.lost) if self._history else []

    def append(self, event: Event) -> None:
        """Takes the newest event. Never waits."""
        self._last = event.seq
        if event.ephemeral:
            self._ephemeral.append(event)
            self._archive.use(event.seq)
            return
        self._ring.append(event)
        if not self._archive.put(event):
            self._note_lost(event.seq)
        self._last_put = event.seq
        if self._ring.bytes > self._ring_bytes:
            self._bound()

    def forget_thread(self, thread: str) -> None:
        """Deletes every event of this thread that there is, wherever it is."""
        self._ring.forget(thread)
        self._ephemeral.forget(thread)
        self._archive.delete_thread(thread)

    def gap(self, after: int, upto: int, thread: str | None = None) -> Gap | None:
        """From the first to the last number with `after` < number <= `upto` of which some can't be read any more.

        An `after` of 0 means from the beginning, which is where the archive begins. `thread`: whose events are meant;
        it matters for ephemeral threads, of which each has gaps of its own.
        """
        begin = after + 1 if after else self._born()
        spans = (*self._missing(), *self._ephemeral.gone(thread))
        missing = [span for span in spans if span.last >= begin and span.first <= upto]
        if not missing:
            return None
        first, last = min(span.first for span in missing), max(span.last for span in missing)
        return Gap(max(begin, first), min(upto, last))

    async def read(
        self,
        first: int,
        last: int,
        *,
        thread: str | None = None,
        max_bytes: int,
        max_events: int,
        lenient: bool = False,
    ) -> Page:
        """Events from `first` to `last` in order, and the number to go on from; when that is past `last`, that was all.

        There is at least one event, however long, unless there is none at all in the part that was looked through.
        From memory where that has it all: then it does not wait.

        Raises:
            HistoryLost: a part can't be read any more; with `lenient` what can be read is returned instead, and this is
                raised only for what should be there (`gap` says nothing of it) and can't be read just now. Events of
                ephemeral threads that have gone are no reason: what a client needs of them is sent as it comes.
        """
        memory = self._ring.floor
        if first >= memory:
            page = page_of(self._ring.between(first, last), last, thread, max_bytes, max_events)
        else:
            page = await self._from_archive(
                first, min(last, memory - 1), thread, max_bytes, max_events, lenient
            )
        upto = page.next - 1
        if not lenient:
            self._check(first, upto)
        if not self._ephemeral.bytes:
            return page
        merged = heapq.merge(page.events, self._ephemeral.between(first, upto), key=_SEQ)
        return page_of(merged, upto, thread, max_bytes, max_events)

    async def collect(self, first: int, last: int, thread: str | None, count: int) -> list[Event] | str:
        """The oldest `count` of these events, or fewer when they are large: of what is there, without what is in a gap.

        A sentence when what is there can't be read just now.
        """
        events: list[Event] = []
        left = COLLECTED_BYTES
        while first <= last and len(events) < count and left > 0:
            try:
                page = await self.read(
                    first, last, thread=thread, max_bytes=left, max_events=count - len(events), lenient=True
                )
            except HistoryLost as why:
                return str(why)
            events += page.events
            left -= sum(len(event.line) for event in page.events)
            first = page.next
        return events

    def statistics(self) -> TimelineStatistics:
        """How it is."""
        size, status = self._archive.size(), self._status
        memory_bytes = self._ring.bytes + self._ephemeral.bytes
        return TimelineStatistics(
            self._last, size.bytes, size.events, memory_bytes, status.state, status.problem
        )

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Archives what is appended, until `close` has been carried out."""
        task_status.started()
        await self._archive.run(self)

    def look_for_archive(self) -> None:
        """Has the archive see whether it is still there."""
        self._archive.look()

    def close(self) -> None:
        """Commits what was appended and marks a clean end; then `run` returns."""
        self._archive.close()

    def committed(self, seq: int) -> None:
        """The archive has everything up to this number that it took."""
        self._committed = seq
        self._bound()

    def trim(self, floor: int, force: bool) -> int:
        """Retention wants to delete what is below `floor`; returns how far it may. From now on that is gone."""
        oldest = self.in_use()
        if oldest is not None and not force:
            floor = min(floor, oldest)
        self._floor = max(self._floor, floor)
        self._lost = [span for span in self._lost if span.last >= self._floor]
        return self._floor

    def changed(self, status: Status) -> None:
        """The archive works again, or does not any more."""
        if self._history is None and status.history is not None:
            self._floor = status.history.floor
            self._lost = [*status.history.lost, *self._lost]
        was_degraded = self._status.state == DEGRADED
        self._history, self._status = status.history, status
        self.keeps = status.state == ON
        self._bound()
        if status.problem is not None and status.state == DEGRADED and not was_degraded:
            self.on_degraded(status.problem)

    def _born(self) -> int:
        """The number before which there was never anything; where an archive can't be read, there may have been."""
        if self._history is not None:
            return self._history.born
        return 1 if self._status.state == DEGRADED else self.next_seq

    def _missing(self) -> Iterator[Span]:
        """What can be read neither from memory nor from the archive."""
        newest = self._ring.floor - 1
        if self._history is None:
            yield Span(1, newest)
            return
        if self._floor > 1:
            yield Span(1, min(self._floor - 1, newest))
        yield from (Span(span.first, min(span.last, newest)) for span in self._lost if span.first <= newest)
        if self._committed < newest:
            yield Span(self._committed + 1, newest)

    def _check(self, first: int, upto: int) -> None:
        for span in self._missing():
            if span.first <= upto and span.last >= first:
                why = (
                    self._status.problem
                    or "retention has deleted them, the disk did not take them, or a codexd that was killed lost them"
                )
                raise HistoryLost(f"events from {max(span.first, first)} on can't be read any more: {why}")

    async def _from_archive(
        self, first: int, last: int, thread: str | None, max_bytes: int, max_events: int, lenient: bool
    ) -> Page:
        """Everything that it has and is asked for, but for what is missing (`_missing`) when it is there."""
        while self._history is not None:
            committed = self._committed
            try:
                page = await self._archive.read(first, last, thread, max_bytes, max_events)
            except ArchiveFailed as failed:
                if lenient and self._history is None:
                    break
                raise HistoryLost(str(failed)) from failed
            if committed >= last or committed == self._committed:
                return page
            # What was committed meanwhile is missing in the page, and nowhere else any more: it is read again.
        return Page([], last + 1)

    def _note_lost(self, seq: int) -> None:
        """The archive did not take it: it will be gone when it leaves the memory."""
        if self._lost and self._lost[-1].last >= self._last_put:
            self._lost[-1] = Span(self._lost[-1].first, seq)
        else:
            self._lost.append(Span(seq, seq))
        if len(self._lost) > _MAX_LOST:
            self._lost[:2] = [Span(self._lost[0].first, self._lost[1].last)]

    def _bound(self) -> None:
        """Lets the oldest leave the memory: what is committed, or would not be, and all else when there is too much."""
        ring = self._ring
        while ring.bytes > self._ring_bytes and len(ring) > 1:
            is_kept = self._history is None or ring.oldest().seq <= self._committed
            if not is_kept and ring.bytes <= self._most_bytes:
                return
            ring.pop()


def page_of(events: Iterable[Event], last: int, thread: str | None, max_bytes: int, max_events: int) -> Page:
    """As many of these events as the limits allow, one at least; `last`: how far they go."""
    taken: list[Event] = []
    size = 0
    for event in events:
        if thread is not None and event.thread != thread:
            continue
        size += len(event.line)
        if taken and (size > max_bytes or len(taken) >= max_events):
            return Page(taken, event.seq)
        taken.append(event)
    return Page(taken, last + 1)
