"""The broker as it is, with every seam of the core watched: all that goes in and out is written into the books."""

from collections.abc import Callable, Iterator, Sequence

import trio

from codexd.protocol.bulk import LongLine
from codexd.protocol.framing import TooLong
from codexd.routing.effects import (
    ClientId,
    Effect,
    ForgetThread,
    Numbered,
    ReadEvents,
    Replay,
    ToClients,
    ToCodex,
)
from codexd.routing.events import Event
from codexd.routing.router import Identity
from codexd.runtime.broker import Broker
from codexd.runtime.budget import MOVING_SECONDS
from codexd.runtime.limits import Limits
from codexd.runtime.session import Session
from codexd.runtime.timeline import Timeline
from tests.protocol.long_lines import whole
from tests.simulation.archive import GONE, KILLED, LOCKED, RETENTION
from tests.simulation.books import ClientBook, CodexBook, Due, EventBook, Wrong
from tests.simulation.disorder import PAGE_BYTES
from tests.simulation.machine import Doorway, SimulatedMachine
from tests.simulation.shortage import Shortage

LITTLE_MEMORY = "there is too little memory for ephemeral threads"
SCARCE_BYTES = 100_000
"""With less than this in memory, events may leave it too early."""
FRAME_BYTES = 14
"""The most that a transport adds to a line."""


def _pieces(effect: ToCodex) -> list[bytes]:
    return [effect.line] if effect.bulk is None else effect.bulk.restored(effect.line)


class WatchedBroker(Broker):
    """`codex` is the book of the Codex that the core was told of; `flooded` is called while a client has to catch up."""

    def __init__(
        self,
        identity: Identity,
        machine: SimulatedMachine,
        timeline: Timeline,
        limits: Limits,
        doorway: Doorway,
        events: EventBook,
        shortage: Shortage,
        clock: Callable[[], float],
    ) -> None:
        super().__init__(identity, machine, timeline, limits, clock)
        shortage.let_go_of = lambda client: self.books[client].is_let_go_of()
        self._events = events
        self._first_seq = timeline.next_seq
        self._watched_machine = machine
        self._doorway = doorway
        self._largest = self._told = 0
        self._has_read = False
        self.books: dict[ClientId, ClientBook] = {}
        self.codex: CodexBook | None = None
        self.flooded: Callable[[], None] | None = None

    def join(self, session: Session) -> None:
        """A client is there."""
        self.books[session.client] = self._doorway.behind[session._connection.fileno()].book
        self.books[session.client].judge_cut = self._look_at_the_cut
        self.books[session.client].may_be_given_up = self._limits.max_outboxes_bytes < 1 << 20
        super().join(session)

    def receive(self, client: ClientId, lines: Sequence[bytes | TooLong | LongLine]) -> None:
        """A burst from a client."""
        self.books[client].reaches_core([whole(line) for line in lines])
        super().receive(client, lines)

    def leave(self, client: ClientId) -> None:
        """A client is gone."""
        if self._outboxes[client].statistics().is_cut:
            self.books[client].is_cut_off()
        super().leave(client)

    def codex_spawned(self, incarnation: int, pid: int, binary: tuple[str, str] | None) -> None:
        """Codex runs."""
        self.codex = self._watched_machine.codexes[pid].book
        super().codex_spawned(incarnation, pid, binary)

    def codex_receive(self, incarnation: int, lines: Sequence[bytes]) -> None:
        """A burst from Codex."""
        assert self.codex is not None, "it runs"
        self.codex.reaches_core(lines)
        super().codex_receive(incarnation, lines)

    def codex_exited(self, incarnation: int, reason: str) -> None:
        """Codex has ended."""
        if self.codex is not None:
            self.codex.ends(trio.current_time())
            self.codex = None
        super().codex_exited(incarnation, reason)

    async def _flush(self) -> None:
        for client in self._on_frames:
            self.books[client].is_parted = True
        self._look_who_waits_for_the_disk()
        await super()._flush()
        self._look_who_waits_for_the_disk()

    def _look_who_waits_for_the_disk(self) -> None:
        for client, outbox in self._outboxes.items():
            self.books[client].waits_for_disk |= bool(outbox._backlog)

    def _carry_out(self, effects: Sequence[Effect]) -> None:
        self._told = 0
        for effect in effects:
            if isinstance(effect, ToClients):
                self._tell(effect.clients, Due(effect.line))
            elif isinstance(effect, Numbered):
                self._events.happens(effect.event)
                self._tell(effect.clients, Due(effect.event.line, effect.event))
                self._tell(effect.with_number, Due(effect.event.numbered(), effect.event))
            elif isinstance(effect, Replay):
                self.books[effect.client].is_told(*self._past(effect))
            elif isinstance(effect, ForgetThread):
                self._events.deleted.add(effect.thread)
            elif isinstance(effect, ToCodex):
                if self.codex is None:
                    raise Wrong(f"there is no Codex to be told {effect.line!r:.200}")
                self.codex.is_written(b"".join(_pieces(effect)))
        self._largest = max(self._largest, self._told)
        super()._carry_out(effects)
        self._look_at_outboxes()

    async def _read_events(self, wanted: ReadEvents) -> Callable[[], None]:
        hand_in = await super()._read_events(wanted)

        def hand_in_watched() -> None:
            self._has_read = True
            hand_in()
            self._has_read = False

        return hand_in_watched

    def _tell(self, clients: tuple[ClientId, ...], due: Due) -> None:
        for client in clients:
            if self._has_read:
                self.books[client].is_told_in_between(due.line)
            else:
                self.books[client].is_told(due)
        self._told += len(due.line) + FRAME_BYTES

    def _past(self, wanted: Replay) -> Iterator[Due]:
        """What a stretch of the timeline holds; what is lost of it was told, or went with its thread."""
        gap = wanted.gap
        for event in self._events.between(wanted.first, wanted.last):
            line = wanted.selection.line(event)
            if line is not None:
                is_told = gap is not None and gap.from_ <= event.seq <= gap.to
                is_before_all = wanted.first == 1 and GONE in self._events.faults
                yield Due(line, event, is_told or is_before_all or self._may_have_gone(event))

    def _may_have_gone(self, event: Event) -> bool:
        """Events of ephemeral threads are in memory alone: of one life, and as long as there is room."""
        return event.ephemeral and (event.seq < self._first_seq or LITTLE_MEMORY in self._events.faults)

    def _look_at_outboxes(self) -> None:
        self._look_at_the_memory()
        together = sum(outbox.unnumbered_bytes for outbox in self._outboxes.values())
        if together > self._limits.max_outboxes_bytes + len(self._outboxes) * self._largest:
            raise Wrong(f"{together} bytes are queued for all clients together")
        for client, outbox in self._outboxes.items():
            book, full = self.books[client], outbox.statistics()
            if full.queued_bytes and book.reads_at_once and self.flooded is not None:
                self.flooded()
            too_much = self._limits.max_outbox_bytes + 2 * self._largest + PAGE_BYTES
            stalled = trio.current_time() - outbox.taken_at
            if full.queued_bytes > too_much and stalled > self._limits.stalled_seconds + MOVING_SECONDS:
                raise Wrong(f"{full.queued_bytes} bytes are queued for {book.name}")
            self._look_at_the_weight(book, full.queued_bytes)
            if full.is_cut and not book.was_cut:
                self._look_at_the_cut(book)

    def _look_at_the_memory(self) -> None:
        """What leaves it too early is lost, which is no mistake where there is so little of it."""
        timeline = self._timeline
        if timeline._ring.floor > timeline._committed + 1:
            is_unreadable = not {GONE, LOCKED}.isdisjoint(self._events.faults)
            if timeline._most_bytes > SCARCE_BYTES and not is_unreadable:
                raise Wrong("an event has left the memory that was not committed yet")
            self._events.fault("the archive is too slow for so little memory")
        if next(timeline._ephemeral.gone(None), None) is not None:
            self._events.fault(LITTLE_MEMORY)

    def _look_at_the_weight(self, book: ClientBook, queued_bytes: int) -> None:
        """Of a client that is behind only a little is kept as bytes: what has no number, and what it was about to read."""
        allowed = self._limits.spill_bytes + self._largest + PAGE_BYTES + 2 * book.plain_bytes
        if queued_bytes > allowed and {RETENTION, KILLED}.issuperset(self._events.faults):
            raise Wrong(f"{queued_bytes} bytes are queued for {book.name}, {allowed} would do")

    def _look_at_the_cut(self, book: ClientBook) -> None:
        book.cut_at = trio.current_time()
        is_explained = any(fault != RETENTION for fault in self._events.faults)
        due_bytes = book.due_bytes + FRAME_BYTES * len(book.due)
        has_room = due_bytes <= min(self._limits.max_outbox_bytes, self._limits.max_outboxes_bytes // 9)
        if has_room and not is_explained:
            raise Wrong(f"{book.name} was cut off with no more than {due_bytes} bytes due")
