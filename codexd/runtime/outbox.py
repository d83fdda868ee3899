"""What is queued for one client: it never makes anybody wait, loses nothing, and is bounded.

Past a first limit events are no longer kept as bytes but as a stretch of the timeline, read back when the client has
taken what is before it, through the view that it has had all the while. It stays open, and the client lags, until
something un-numbered is queued or the view changes, so order and rights are kept; or until all of it has been read.

A client that has taken nothing for a while and has more than a second limit waiting is cut off, and so is one for which
the timeline has lost what was to be read. The message that has begun is completed, the last one says why (an error line,
or a WebSocket close), and the client is treated as gone. A client that goes on reading, however slowly, is served
whatever the size of its answers; its next requests wait meanwhile (`on_load`), and a limit for all clients together
(`OutboxBudget`) bounds the memory.
"""

from collections.abc import Callable

import trio
from msgspec import Struct

from codexd.routing.effects import ClientId, Replay
from codexd.routing.events import Gap, History, View
from codexd.runtime.backlog import Backlog, Errand, Stretch
from codexd.runtime.budget import MOVING_SECONDS, OutboxBudget
from codexd.runtime.isolation import SENTENCE, ClientFailed, alone
from codexd.runtime.lag import Lag
from codexd.runtime.lines import LINES
from codexd.runtime.timeline import HistoryLost
from codexd.runtime.transport import Framing
from codexd.runtime.unnumbered import UnnumberedBytes
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
STALLED_SECONDS = 60.0
"""After how long without taking anything a client may be cut off."""
LOADED_BYTES = 8 * 1024 * 1024
"""A client with more than this waiting has its next requests held back, until it has taken half of it."""
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
    `on_load` is told when so much waits without a number that the client's next requests should, too, and when not.
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
        stalled: float = STALLED_SECONDS,
        budget: OutboxBudget | None = None,
        on_load: Callable[[bool], None] = lambda is_loaded: None,
    ) -> None:
        self._client = client
        self._queue = WriteQueue(descriptor, self._was_taken)
        self._unnumbered = UnnumberedBytes()
        self._stalled = stalled
        self._budget = budget or OutboxBudget()
        self._on_load = on_load
        self._is_loaded = False
        self._overfull = trio.Event()
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
    def unnumbered_bytes(self) -> int:
        """What of it is held in memory alone; of a client that was cut off, all that is left."""
        if self._is_cut:
            return self._queue.queued_bytes
        return self._unnumbered.count(self._queue.queued_bytes) + self._backlog.bytes

    @property
    def begun_bytes(self) -> int:
        """What is left of the chunk that the client is taking."""
        return self._queue.begun_bytes

    @property
    def taken_at(self) -> float:
        """When the client last took something; now if it has taken all that it was given, and codexd reads the disk."""
        return self._queue.taken_at if self._queue.queued_bytes else trio.current_time()

    @property
    def is_behind(self) -> bool:
        """Whether there is anything that the client has not taken."""
        return bool(self._queue.queued_bytes or self._backlog)

    def is_stalled(self) -> bool:
        """Whether there is, and nothing was taken of it for a while."""
        if not self._is_overdue():
            return False
        self._queue.push()
        return self._is_overdue()

    def _is_overdue(self) -> bool:
        return self._queue.queued_bytes > 0 and trio.current_time() >= self.taken_at + self._stalled

    @property
    def oldest_needed(self) -> int | None:
        """The oldest number that is still to be read from the timeline; None: it needs nothing of it."""
        return self._backlog.oldest_needed

    def put(self, chunk: bytes) -> None:
        """Queues whole messages in the client's framing. Never blocks, never reorders.

        The limits are looked at before the chunk is added: one that is larger than a limit passes when little waits.
        """
        if self._has_ended:
            return
        if self.is_behind:
            self._look_at_limits()
            if self._has_ended:
                return
        if self._backlog and not self._has_its_turn:
            self._close()
            self._backlog.add(chunk)
        else:
            self._put(chunk)
            if self._queue.broken:
                self._conversation.cancel()
        if self.is_behind:
            self._look_at_load()

    def put_events(self, chunk: bytes, first: int) -> None:
        """Queues events, of which `first` is the first. Those of a client that lags only where nothing is kept."""
        is_full = self.queued_bytes > self._spill or len(self._queue) + len(self._backlog) >= SPILL_CHUNKS
        if not self._lag.past.keeps:
            self.put(chunk)
        elif not is_full and not self._backlog and not self._has_ended:
            self._put(chunk, numbered=True)
            if self._queue.broken:
                self._conversation.cancel()
        elif not is_full:
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
                self._put(last)

    async def run(self) -> None:
        """Sends what `put` could not; returns when the client can't be reached any more."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._work_off)
                nursery.start_soon(self._cut_when_stalled)
                await self._queue.run()
                nursery.cancel_scope.cancel()
        finally:
            self._close()
        self._backlog.clear()
        self._budget.hold(self, 0)
        self._conversation.cancel()

    def make_room(self, why: str) -> None:
        """Cuts the client off for the sake of the others; one that was cut has nothing more to read."""
        if self._is_cut:
            self._queue.abandon()
        else:
            self._cut(why)

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

    def _put(self, chunk: bytes, *, numbered: bool = False) -> None:
        self._queue.put(chunk)
        self._unnumbered.put(len(chunk), self._queue.queued_bytes, numbered=numbered)

    def _is_overfull(self) -> bool:
        return self.queued_bytes > self._limit

    def _look_at_limits(self) -> None:
        """Before something is added that has no number."""
        if self._is_overfull():
            self._overfull.set()
            self._cut_if_stalled()
        if not self._has_ended:
            self._budget.hold(self, self.unnumbered_bytes)

    def _cut_if_stalled(self) -> None:
        """What was queued while the client took nothing is more than it may be."""
        if self.is_stalled():
            self._cut(f"this client took nothing for {self._stalled:g} s of more than {self._limit} bytes")

    async def _cut_when_stalled(self) -> None:
        """The same when nothing more is queued meanwhile."""
        while True:
            await self._overfull.wait()
            if self._has_ended:
                return
            await trio.sleep_until(self.taken_at + max(self._stalled, MOVING_SECONDS))
            if self._is_overfull():
                self._cut_if_stalled()
            else:
                self._overfull = trio.Event()

    def _look_at_load(self) -> None:
        unnumbered = self.unnumbered_bytes
        self._budget.hold(self, unnumbered)
        if self._is_overfull():
            self._overfull.set()
        if not self._is_loaded and unnumbered > LOADED_BYTES and not self._has_ended:
            self._is_loaded = True
            self._on_load(True)

    def _was_taken(self) -> None:
        if self._is_loaded and not self._has_ended and self.unnumbered_bytes <= LOADED_BYTES // 2:
            self._is_loaded = False
            self._on_load(False)

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
            self._put(chunk)

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
        try:
            chunk = alone(
                self._client, "writing down what it missed", stretch.chunk, page.events, self.framing
            )
        except ClientFailed:
            self._let_go(self.framing.failed(SENTENCE))
            return
        if chunk:
            self._put(chunk, numbered=True)
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
        self._let_go(self.framing.too_slow(f"cut off: {why}; connect again and resume the threads"))

    def _let_go(self, last: bytes) -> None:
        self._is_cut = True
        self._close()
        self._backlog.clear()
        self._queue.keep_only_begun(self.framing.end_of_begun)
        if self._last_word is not None:
            self._put(self._last_word)
        self.finish(last)
        self._conversation.cancel()


def _is_within(gap: Gap, told: Gap | None) -> bool:
    return told is not None and told.from_ <= gap.from_ and gap.to <= told.to
