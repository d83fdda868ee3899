"""What is queued for clients, as codexd/runtime/outbox.py does it: of one that is behind, stretches of the timeline.

What such a client reads later must be what it would have been sent at once: the same lines, at the same places.
"""

from collections.abc import Iterator
from random import Random

from msgspec import Struct

from codexd.routing.effects import Effect, ForgetThread, Numbered, Replay, ToClients, ViewChanged
from codexd.routing.events import Event, Selection, View
from tests.routing.sim_timeline import SimulatedTimeline
from tests.routing.sim_words import Wrong


class Stretch(Struct, eq=False):
    """What `selection` says of the events from `first` to `last`."""

    first: int
    last: int
    selection: Selection


class SimulatedOutbox:
    """The way to one client. Nothing waits there while it keeps up."""

    def __init__(self, client: int, timeline: SimulatedTimeline, rng: Random) -> None:
        self.view = View()
        self._client = client
        self._timeline = timeline
        self._rng = rng
        self._waiting: list[bytes | Stretch] = []
        self._due: list[tuple[int, bytes]] = []
        """Each line, with its number if it is to be read back: what is deleted meanwhile can't be."""

    @property
    def oldest_needed(self) -> int | None:
        """The oldest number that is still to be read."""
        return min((waiting.first for waiting in self._waiting if isinstance(waiting, Stretch)), default=None)

    def put(self, line: bytes) -> None:
        """Something that has no number."""
        self._waiting.append(line)
        self._due.append((0, line))

    def put_event(self, event: Event, line: bytes | None) -> None:
        """An event, or `None` for one that is not for the client. An ephemeral thread's can't be read back late."""
        latest = self._waiting[-1] if self._waiting else None
        if event.ephemeral:
            if line is not None:
                self.put(line)
        elif isinstance(latest, Stretch) and latest.selection is self.view:
            latest.last = event.seq
            if line is not None:
                self._due.append((event.seq, line))
        elif line is not None and self._rng.random() < 0.8:
            self._waiting.append(Stretch(event.seq, event.seq, self.view))
            self._due.append((event.seq, line))
        elif line is not None:
            self.put(line)

    def replay(self, wanted: Replay) -> None:
        """A stretch of what has been."""
        stretch = Stretch(wanted.first, wanted.last, wanted.selection)
        self._waiting.append(stretch)
        self._due += self._read(stretch)

    def catch_up(self) -> int:
        """The client reads everything. Returns how many lines were read back from the timeline.

        Raises `Wrong` if it is not what it would have been sent at once.
        """
        got: list[bytes] = []
        for waiting in self._waiting:
            got += [waiting] if isinstance(waiting, bytes) else [line for _, line in self._read(waiting)]
        due = [line for seq, line in self._due if not seq or seq in self._timeline]
        if got != due:
            self._complain(got, due)
        read_back = sum(seq > 0 for seq, _ in self._due)
        self._waiting, self._due = [], []
        return read_back

    def _read(self, stretch: Stretch) -> Iterator[tuple[int, bytes]]:
        for event in self._timeline.between(stretch.first, stretch.last):
            line = stretch.selection.line(event)
            if line is not None:
                yield event.seq, line

    def _complain(self, got: list[bytes], due: list[bytes]) -> None:
        at = next((i for i, (one, other) in enumerate(zip(got, due, strict=False)) if one != other), None)
        at = min(len(got), len(due)) if at is None else at
        raise Wrong(
            f"client {self._client} was behind and reads as line {at}: {got[at : at + 1]}, due was {due[at : at + 1]}"
        )


class SimulatedOutboxes:
    """Those of all clients."""

    def __init__(self, timeline: SimulatedTimeline, rng: Random) -> None:
        self._timeline = timeline
        self._rng = rng
        self._outboxes: dict[int, SimulatedOutbox] = {}
        self._behind: dict[int, SimulatedOutbox] = {}
        self.read_back = 0

    def connect(self, client: int) -> None:
        """A connection is accepted."""
        self._outboxes[client] = SimulatedOutbox(client, self._timeline, self._rng)

    def leave(self, client: int) -> None:
        """A connection is gone; the client has read everything before."""
        self._catch_up(client)
        del self._outboxes[client]

    def drift(self) -> None:
        """One of the clients falls behind, or catches up; and time passes for the timeline."""
        if self._outboxes:
            client = self._rng.choice(list(self._outboxes))
            if client in self._behind:
                self._catch_up(client)
            else:
                self._behind[client] = self._outboxes[client]
        if self._rng.random() < 0.1:
            needed = [each.oldest_needed for each in self._behind.values()]
            self._timeline.trim(self._rng, min((seq for seq in needed if seq is not None), default=None))

    def catch_up(self) -> None:
        """Everybody reads everything."""
        for client in list(self._behind):
            self._catch_up(client)

    def carry_out(self, effect: Effect) -> None:
        """What concerns the clients' queues and the timeline."""
        match effect:
            case ToClients():
                self._put(effect.clients, effect.line)
            case Numbered():
                self._publish(effect)
            case ViewChanged():
                self._outboxes[effect.client].view = effect.view
            case Replay():
                if effect.client in self._behind:
                    self._behind[effect.client].replay(effect)
            case ForgetThread():
                self._timeline.forget(effect.thread)
            case _:
                pass

    def _put(self, clients: tuple[int, ...], line: bytes) -> None:
        for client in self._behind and clients:
            if client in self._behind:
                self._behind[client].put(line)

    def _publish(self, effect: Numbered) -> None:
        event = effect.event
        self._timeline.append(event)
        for client, outbox in self._behind.items():
            if client in effect.clients:
                outbox.put_event(event, event.line)
            elif client in effect.with_number:
                outbox.put_event(event, event.numbered())
            else:
                outbox.put_event(event, None)

    def _catch_up(self, client: int) -> None:
        if (behind := self._behind.pop(client, None)) is not None:
            self.read_back += behind.catch_up()
