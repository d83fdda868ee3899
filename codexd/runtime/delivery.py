"""Sending: what goes to the same clients in a burst is joined, and queued once for all who speak the same."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial

from codexd.routing.effects import ClientId, Numbered, ReadEvents, Replay, ToClients, ViewChanged
from codexd.runtime.frames import FRAMES
from codexd.runtime.lag import Lag
from codexd.runtime.lines import LINES
from codexd.runtime.outbox import Outbox
from codexd.runtime.transport import Framing

NOBODY: tuple[ClientId, ...] = ()


class Delivery:
    """Takes effects in their order; `flush` queues what was taken.

    `on_frames`: the clients that speak WebSocket. `lag`: those that are not given events. `read` carries out a `ReadEvents`
    when its turn has come, and returns what hands in its outcome.
    """

    def __init__(
        self,
        outboxes: Mapping[ClientId, Outbox],
        on_frames: set[ClientId],
        lag: Lag,
        read: Callable[[ReadEvents], Awaitable[Callable[[], None]]],
    ) -> None:
        self._outboxes = outboxes
        self._on_frames = on_frames
        self._lag = lag
        self._read = read
        self._clients = self._with_number = NOBODY
        self._lines: list[bytes] = []
        self._numbered: list[bytes] = []
        self._first = self._last = 0

    def tell(self, effect: ToClients) -> None:
        """A line without a number."""
        clients = effect.clients
        if self._first or (clients is not self._clients and clients != self._clients):
            self.flush()
            self._clients, self._with_number = clients, NOBODY
        self._lines.append(effect.line)

    def publish(self, effect: Numbered) -> None:
        """An event. One of an ephemeral thread can't be read back late, so it is queued as if it had no number."""
        event = effect.event
        if event.ephemeral:
            if effect.clients:
                self.tell(ToClients(effect.clients, event.line))
            if effect.with_number:
                self.tell(ToClients(effect.with_number, event.numbered()))
            return
        if (
            not self._first
            or (effect.clients is not self._clients and effect.clients != self._clients)
            or effect.with_number != self._with_number
        ):
            self.flush()
            self._clients, self._with_number, self._first = effect.clients, effect.with_number, event.seq
        self._last = event.seq
        self._lines.append(event.line)
        if effect.with_number:
            self._numbered.append(event.numbered())

    def arrange(self, effect: ViewChanged | Replay | ReadEvents) -> None:
        """What concerns one client's queue, behind all that was taken."""
        self.flush()
        outbox = self._outboxes[effect.client]
        match effect:
            case ViewChanged():
                outbox.change_view(effect.view)
            case Replay():
                outbox.replay(effect)
            case ReadEvents():
                outbox.do_later(partial(self._read, effect))

    def flush(self) -> None:
        """Queues what was taken."""
        if self._lines and self._clients:
            self._deliver(self._clients, self._lines)
        if self._numbered:
            self._deliver(self._with_number, self._numbered)
            self._numbered = []
        if self._lines:
            self._lines = []
        if self._first:
            self._lag.reach(self._last)
            self._first = self._last = 0
        self._clients = self._with_number = NOBODY

    def _deliver(self, clients: tuple[ClientId, ...], lines: list[bytes]) -> None:
        if self._first:
            clients = self._lag.keeping_up(clients)
        on_frames = self._on_frames.intersection(clients) if self._on_frames else self._on_frames
        if on_frames:
            self._put(on_frames, FRAMES, lines)
            clients = tuple(client for client in clients if client not in on_frames)
        if clients:
            self._put(clients, LINES, lines)

    def _put(self, clients: Iterable[ClientId], framing: Framing, lines: list[bytes]) -> None:
        chunk = framing.chunk(lines)
        outboxes, first = self._outboxes, self._first
        if first:
            for client in clients:
                outboxes[client].put_events(chunk, first)
        else:
            for client in clients:
                outboxes[client].put(chunk)
