"""What is queued for one client: it never makes anybody wait, loses nothing, and is bounded.

Past a first limit events are no longer kept as bytes but as a stretch of the timeline, read back when the client has
taken what is before it, through the view that it has had all the while. It stays open, and the client lags, until
something un-numbered is queued or the view changes, so order and rights are kept; or until all of it has been read.

Past a second limit, or when the timeline has lost what was to be read, the queue is cut: the message that has begun is
completed, the last one says why (an error line, or a WebSocket close), and the client is treated as gone.
"""

from collections.abc import Callable

import trio
from msgspec import Struct

from codexd.routing.effects import ClientId, Replay
from codexd.routing.events import Gap, History, View
from codexd.runtime.backlog import Backlog, Errand, Stretch
from codexd.runtime.lag import Lag
from codexd.runtime.lines import LINES
from codexd.runtime.timeline import HistoryLost
from codexd.runtime.transport import Framing
from codexd.runtime.write_queue import CHUNKS_PER_WRITE, WriteQueue

SPILL_BYTES = 4 * 1024 * 1024
SPILL_CHUNKS = 64
"""Short messages weigh more than their bytes: each costs a place in a queue, for each client.

To put one there took 500 clients that never read 0.4 ms of each event; to those who only read now and then it makes no
difference whether so many wait for them or twenty times as many.
"""
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


class Outbox:
    """The way to one client.

    `conversation` is cancelled when nothing more can be said to the client: it does not read, or it is gone.
    `framing` is what the client speaks; whoever finds out that it is not lines sets it.
    """

    def __init__(
        self,
        client: ClientId,
        descriptor: int,
        lag: Lag,
        conversation: trio.CancelScope,
        *,
        spill: int = SPILL_BYTES,
        limit: int = MAX_OUTBOX_BYTES,
    ) -> None:
        self._client = client
        self._queue = WriteQueue(descriptor)
        self._backlog = Backlog()
        self._open: Stretch | None = None
        self._lag = lag
        self._spill = spill
        self._limit = limit
        self._conversation = conversation
        self.framing: Framing = LINES
        self._view = View()
        self._last_word: bytes | None = None
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
            self._close()
            self._backlog.add(chunk)
        else:
            self._queue.put(chunk)
            if self._queue.broken:
                self._conversation.cancel()

    def put_events(self, chunk: bytes, first: int) -> None:
        """Queues events, of which `first` is the first. Those of a client that lags only where nothing is kept."""
        is_full = self.queued_bytes > self._spill or len(self._queue) + len(self._backlog) >= SPILL_CHUNKS
        if not is_full or not self._lag.past.keeps:
            self.put(chunk)
        elif not self._has_ended:
            self._open = Stretch(first, None, self._view)
            self._backlog.add(self._open)
            self._lag.begin(self._client)

    def change_view(self, view: View) -> None:
        """Which events the client is sent from now on."""
        self._close()
        self._view = view

    def replay(self, wanted: Replay) -> None:
        """Queues a stretch of the timeline."""
        if self._takes_more():
            self._backlog.add(Stretch(wanted.first, wanted.last, wanted.selection, wanted.gap))

    def do_later(self, errand: Errand) -> None:
        """Does something when the client has taken what is queued for it now.

        The outcome goes before what waits by then; what the client takes while it is being done goes before it.
        """
        if self._takes_more():
            self._backlog.add(errand)

    def finish(self, last: bytes) -> None:
        """Queues what is said last; what is put later is dropped. A client that was told something last keeps that."""
        if not self._has_ended:
            self._last_word = last
            self._close()
            if self._backlog:
                self._backlog.add(last)
            else:
                self._queue.put(last)

    async def run(self) -> None:
        """Sends what `put` could not; returns when the client can't be reached any more."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._work_off)
                await self._queue.run()
                nursery.cancel_scope.cancel()
        finally:
            self._close()
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

    @property
    def _has_ended(self) -> bool:
        return self._last_word is not None

    def statistics(self) -> OutboxStatistics:
        """How full it is."""
        return OutboxStatistics(self.queued_bytes, len(self._queue) + len(self._backlog), self._is_cut)

    def _close(self) -> None:
        """Nothing more belongs to the stretch that is open, if one is: the client is given events again."""
        if self._open is not None:
            self._open.last = self._lag.newest
            self._open = None
            self._lag.end(self._client)

    def _takes_more(self) -> bool:
        """Whether another stretch or errand may wait; one too many is the client's end."""
        if not self._has_ended and self._backlog.asked >= MAX_WAITING:
            self._cut(f"this client did not read, and asked for events {MAX_WAITING} times meanwhile")
        self._close()
        return not self._has_ended

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
        selection, begin, last = stretch.selection, stretch.next, self._last_of(stretch)
        is_history = isinstance(selection, History)
        try:
            page = await self._lag.past.read(
                begin,
                last,
                thread=selection.thread,
                max_bytes=PAGE_BYTES,
                max_events=PAGE_EVENTS,
                lenient=is_history,
            )
        except HistoryLost as why:
            self._lose(stretch, str(why))
            return
        if self._backlog.first is not stretch:
            return
        lost = self._lag.past.gap(begin - 1, page.next - 1, selection.thread) if is_history else None
        if lost is not None and not _is_within(lost, stretch.told):
            self._lose(stretch, f"the events {lost.from_} to {lost.to} are gone")
            return
        lines = [line for event in page.events if (line := selection.line(event)) is not None]
        if lines:
            self._queue.put(self.framing.chunk(lines))
        stretch.next = page.next
        if stretch.next > self._last_of(stretch):
            if stretch is self._open:
                self._close()
            self._backlog.pop()

    def _last_of(self, stretch: Stretch) -> int:
        return self._lag.newest if stretch.last is None else stretch.last

    def _lose(self, stretch: Stretch, why: str) -> None:
        """What the client should be sent can't be had any more, and so it is sent nothing of what stands behind it."""
        if self._backlog.first is not stretch:
            return
        if isinstance(stretch.selection, History):
            self._cut(f"the past that this client follows can't be read: {why}")
        else:
            self._cut(f"this client did not read in time, and what it has not read is lost: {why}")

    def _cut(self, why: str) -> None:
        self._is_cut = True
        self._close()
        self._backlog.clear()
        self._queue.keep_only_begun(self.framing.end_of_begun)
        if self._last_word is not None:
            self._queue.put(self._last_word)
        self.finish(self.framing.too_slow(f"cut off: {why}; connect again and resume the threads"))
        self._conversation.cancel()


def _is_within(gap: Gap, told: Gap | None) -> bool:
    return told is not None and told.from_ <= gap.from_ and gap.to <= told.to
