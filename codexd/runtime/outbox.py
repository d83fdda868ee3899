"""What is queued for one client: it never makes anybody wait, loses nothing, and is bounded.

Past a first limit events are no longer kept as bytes but as a stretch of the timeline, read back when the client has
taken what is before it, through the view that it has had all the while. A stretch ends where something un-numbered is
queued or the view changes, so order and rights are kept.

Past a second limit, or when the timeline has lost what was to be read, the queue is cut: the message that has begun is
completed, the last one says why (an error line, or a WebSocket close), and the client is treated as gone.
"""

from collections.abc import Callable
from typing import Protocol

import trio
from msgspec import Struct

from codexd.routing.effects import Replay
from codexd.routing.events import Gap, History, View
from codexd.runtime.archive import Page
from codexd.runtime.backlog import Backlog, Errand, Stretch
from codexd.runtime.lines import LINES
from codexd.runtime.timeline import HistoryLost
from codexd.runtime.transport import Framing
from codexd.runtime.write_queue import CHUNKS_PER_WRITE, WriteQueue

SPILL_BYTES = 4 * 1024 * 1024
SPILL_CHUNKS = 1024
"""So many short messages weigh more than their bytes: each costs a place in a queue, for each client."""
MAX_WAITING = 10_000
"""Who asks for the past so often and takes nothing of it is cut off: each question takes some memory, too."""
MAX_OUTBOX_BYTES = 64 * 1024 * 1024
PAGE_BYTES = 64 * 1024
PAGE_EVENTS = 512
"""How much is read back at once: as much as a client takes at once, and little enough that the others have their turn."""
END_GRACE_SECONDS = 30.0
"""How long a client that was told something last has to read it, and what is left before it."""


class OutboxStatistics(Struct, frozen=True):
    """How full an outbox is. `queued_bytes` counts what the kernel has not taken yet; stretches weigh nothing."""

    queued_bytes: int
    queued_chunks: int
    is_cut: bool


class Past(Protocol):
    """Where stretches are read from: the timeline."""

    @property
    def keeps(self) -> bool:
        """Whether what was appended can be read back however late."""

    def gap(self, after: int, upto: int, thread: str | None) -> Gap | None:
        """What can't be read any more of the events of a thread, or of all, above `after`, up to `upto`."""

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
        """Events in order, and the number to go on from."""


class Outbox:
    """The way to one client.

    `conversation` is cancelled when nothing more can be said to the client: it does not read, or it is gone.
    `framing` is what the client speaks; whoever finds out that it is not lines sets it. `view` says which events the
    client is sent.
    """

    def __init__(
        self,
        descriptor: int,
        past: Past,
        conversation: trio.CancelScope,
        *,
        spill: int = SPILL_BYTES,
        limit: int = MAX_OUTBOX_BYTES,
    ) -> None:
        self._queue = WriteQueue(descriptor)
        self._backlog = Backlog()
        self._past = past
        self._spill = spill
        self._limit = limit
        self._conversation = conversation
        self.framing: Framing = LINES
        self.view = View()
        self._has_ended = False
        self._has_its_turn = False
        self._is_cut = False

    @property
    def queued_bytes(self) -> int:
        """What the kernel has not taken yet, stretches left out."""
        return self._queue.queued_bytes + self._backlog.bytes

    @property
    def is_behind(self) -> bool:
        """Whether there is anything that the client has not taken."""
        return bool(self._queue.queued_bytes or self._backlog)

    @property
    def oldest_needed(self) -> int | None:
        """The oldest number that is still to be read from the timeline; None: it needs nothing of it."""
        return self._backlog.oldest_needed

    def put(self, chunk: bytes) -> None:
        """Queues whole messages in the client's framing. Never blocks, never reorders.

        The limit is looked at before the chunk is added: one that is larger than the limit passes when little waits.
        """
        if self._has_ended:
            return
        if self.queued_bytes > self._limit:
            self._cut(f"this client did not read, and more than {self._limit} bytes were waiting for it")
        elif self._backlog and not self._has_its_turn:
            self._backlog.add(chunk)
        else:
            self._queue.put(chunk)
            if self._queue.broken:
                self._conversation.cancel()

    def put_events(self, chunk: bytes, first: int, last: int) -> None:
        """Queues events: all with these numbers that are for this client. Of one that is behind only the numbers."""
        if not self._backlog and self._queue.queued_bytes <= self._spill and len(self._queue) < SPILL_CHUNKS:
            self.put(chunk)
        elif not self._has_ended:
            self._put_late(chunk, first, last)

    def replay(self, wanted: Replay) -> None:
        """Queues a stretch of the timeline."""
        if self._takes_more():
            self._backlog.add(Stretch(wanted.first, wanted.last, wanted.selection, wanted.gap))

    def do_later(self, errand: Errand) -> None:
        """Does something when the client has taken what is queued for it now; the outcome goes before what came later."""
        if self._takes_more():
            self._backlog.add(errand)

    def finish(self, last: bytes) -> None:
        """Queues what is said last; what is put later is dropped. A client that was told something last keeps that."""
        if not self._has_ended:
            self._has_ended = True
            if self._backlog:
                self._backlog.add(last)
            else:
                self._queue.put(last)

    async def run(self) -> None:
        """Sends what `put` could not; returns when the client can't be reached any more."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._work_off)
            await self._queue.run()
            nursery.cancel_scope.cancel()
        self._backlog.clear()
        self._conversation.cancel()

    async def wait_sent(self) -> None:
        """Waits until nothing is queued any more, whether it was sent or the client is gone."""
        await self._backlog.wait_empty()
        await self._queue.wait_empty()

    async def wait_rest_sent(self) -> None:
        """Gives a client that was told something last its time to read it; any other has had its time."""
        if self._has_ended:
            with trio.move_on_after(END_GRACE_SECONDS):
                await self.wait_sent()

    def statistics(self) -> OutboxStatistics:
        """How full it is."""
        return OutboxStatistics(self.queued_bytes, len(self._queue) + len(self._backlog), self._is_cut)

    def _takes_more(self) -> bool:
        """Whether another stretch or errand may wait; one too many is the client's end."""
        if not self._has_ended and len(self._backlog) >= MAX_WAITING:
            self._cut(f"this client did not read, and asked for events {MAX_WAITING} times meanwhile")
        return not self._has_ended

    def _put_late(self, chunk: bytes, first: int, last: int) -> None:
        latest = self._backlog.last
        is_full = self.queued_bytes > self._spill or len(self._queue) + len(self._backlog) >= SPILL_CHUNKS
        if not self._past.keeps:
            self.put(chunk)
        elif isinstance(latest, Stretch) and latest.selection is self.view:
            latest.last = last
        elif is_full:
            self._backlog.add(Stretch(first, last, self.view))
        else:
            self.put(chunk)

    async def _work_off(self) -> None:
        """Queues what waits in the backlog, when the client has taken what was queued before."""
        while True:
            await self._backlog.wait_filled()
            await self._queue.wait_empty()
            waiting = self._backlog.first
            if isinstance(waiting, bytes):
                self._move_bytes()
            elif isinstance(waiting, Stretch):
                await self._read_on(waiting)
            elif waiting is not None:
                self._backlog.pop()
                self._take_in_turn(await waiting())

    def _take_in_turn(self, outcome: Callable[[], None]) -> None:
        """Behind what waits, the outcome of one errand would let the next be done before the client has taken it."""
        self._has_its_turn = True
        outcome()
        self._has_its_turn = False

    def _move_bytes(self) -> None:
        for _ in range(CHUNKS_PER_WRITE):
            if not isinstance(self._backlog.first, bytes):
                return
            chunk = self._backlog.pop()
            assert isinstance(chunk, bytes), "it was looked at"
            self._queue.put(chunk)

    async def _read_on(self, stretch: Stretch) -> None:
        """Queues the next part of a stretch, unless the queue is cut meanwhile."""
        selection, begin = stretch.selection, stretch.next
        is_history = isinstance(selection, History)
        try:
            page = await self._past.read(
                begin,
                stretch.last,
                thread=selection.thread,
                max_bytes=PAGE_BYTES,
                max_events=PAGE_EVENTS,
                lenient=is_history,
            )
        except HistoryLost as why:
            self._cut(f"this client did not read in time, and what it has not read is lost: {why}")
            return
        if self._backlog.first is not stretch:
            return
        lost = self._past.gap(begin - 1, page.next - 1, selection.thread) if is_history else None
        if lost is not None and not _is_within(lost, stretch.told):
            self._cut(f"this client did not read in time, and the events {lost.from_} to {lost.to} are gone")
            return
        lines = [line for event in page.events if (line := selection.line(event)) is not None]
        if lines:
            self._queue.put(self.framing.chunk(lines))
        stretch.next = page.next
        if stretch.next > stretch.last:
            self._backlog.pop()

    def _cut(self, why: str) -> None:
        self._is_cut = True
        self._backlog.clear()
        self._queue.keep_only_begun(self.framing.end_of_begun)
        self.finish(self.framing.too_slow(f"cut off: {why}; connect again and resume the threads"))
        self._conversation.cancel()


def _is_within(gap: Gap, told: Gap | None) -> bool:
    return told is not None and told.from_ <= gap.from_ and gap.to <= told.to
