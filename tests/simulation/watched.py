"""The broker as it is, with every seam of the core watched: all that goes in and out is written into the books."""

from collections.abc import Callable, Iterator, Sequence

import trio

from codexd.protocol.framing import TooLong
from codexd.routing.effects import ClientId, Effect, Numbered, Replay, ToClients, ToCodex
from codexd.routing.events import Event
from codexd.routing.router import Identity
from codexd.runtime.archive import NoArchive
from codexd.runtime.broker import Broker
from codexd.runtime.limits import Limits
from codexd.runtime.session import Session
from codexd.runtime.timeline import Timeline
from tests.simulation.books import ClientBook, CodexBook, Wrong
from tests.simulation.machine import Door, SimulatedMachine

EPOCH = 1_800_000_000.0
FRAME_BYTES = 14
"""The most that a transport adds to a line."""


class WatchedBroker(Broker):
    """`codex` is the book of the Codex that the core was told of; `flooded` is called while a client has to catch up."""

    def __init__(self, identity: Identity, machine: SimulatedMachine, limits: Limits, door: Door) -> None:
        super().__init__(
            identity, machine, Timeline(NoArchive()), limits, lambda: EPOCH + trio.current_time()
        )
        self._watched_machine = machine
        self._door = door
        self._max_outbox_bytes = limits.max_outbox_bytes
        self._largest = 0
        self._events: list[Event] = []
        self.books: dict[ClientId, ClientBook] = {}
        self.codex: CodexBook | None = None
        self.flooded: Callable[[], None] | None = None

    def join(self, session: Session) -> None:
        """A client is there."""
        self.books[session.client] = self._door.behind[session._connection.fileno()].book
        super().join(session)

    def receive(self, client: ClientId, lines: Sequence[bytes | TooLong]) -> None:
        """A burst from a client."""
        self.books[client].reaches_core(lines)
        super().receive(client, lines)

    def codex_spawned(self, incarnation: int, pid: int) -> None:
        """Codex runs."""
        self.codex = self._watched_machine.codexes[pid].book
        super().codex_spawned(incarnation, pid)

    def codex_receive(self, incarnation: int, lines: Sequence[bytes]) -> None:
        """A burst from Codex."""
        assert self.codex is not None, "it runs"
        self.codex.reaches_core(lines)
        super().codex_receive(incarnation, lines)

    def codex_exited(self, incarnation: int, reason: str) -> None:
        """Codex has ended."""
        if self.codex is not None:
            self.codex.ends()
            self.codex = None
        super().codex_exited(incarnation, reason)

    async def _flush(self) -> None:
        for client in self._on_frames:
            self.books[client].is_parted = True
        await super()._flush()

    def _carry_out(self, effects: Sequence[Effect]) -> None:
        told = 0
        for effect in effects:
            for client, line in self._told(effect):
                self.books[client].is_told(line)
                told += len(line) + FRAME_BYTES
            if isinstance(effect, ToCodex):
                if self.codex is None:
                    raise Wrong(f"there is no Codex to be told {effect.line!r:.200}")
                self.codex.is_written(effect.line)
        self._largest = max(self._largest, told)
        super()._carry_out(effects)
        self._look_at_outboxes()

    def _look_at_outboxes(self) -> None:
        for client, session in self._sessions.items():
            book, outbox = self.books[client], session.outbox.statistics()
            if outbox.queued_bytes and book.reads_at_once and self.flooded is not None:
                self.flooded()
            if outbox.queued_bytes > self._max_outbox_bytes + self._largest:
                raise Wrong(f"{outbox.queued_bytes} bytes are queued for {book.name}")
            if outbox.is_cut and not book.was_cut:
                book.cut_at = trio.current_time()
                if book.due_bytes <= self._max_outbox_bytes:
                    raise Wrong(f"{book.name} was cut off with no more than {book.due_bytes} bytes due")

    def _told(self, effect: Effect) -> Iterator[tuple[ClientId, bytes]]:
        """Who is to be sent what by an effect."""
        match effect:
            case ToClients():
                yield from ((client, effect.line) for client in effect.clients)
            case Numbered():
                self._events.append(effect.event)
                yield from ((client, effect.event.line) for client in effect.clients)
                yield from ((client, effect.event.numbered()) for client in effect.with_number)
            case Replay():
                for event in self._events:
                    line = effect.selection.line(event)
                    if line is not None and effect.first <= event.seq <= effect.last:
                        yield effect.client, line
            case _:
                pass
