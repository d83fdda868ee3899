"""Followers: clients that follow the timeline by a cursor, lose their connection, their codexd too, and go on."""

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from codexd.routing.events import Event, Gap
from tests.simulation.archive import GONE
from tests.simulation.books import Envelope, EventBook, Wrong
from tests.simulation.clients import SimulatedClient, Surroundings


class _Followed(Struct):
    last: int
    gap: Gap | UnsetType = UNSET


class _KeptEvent(Struct):
    seq: int


class _Events(Struct):
    events: list[_KeptEvent]
    last: int
    gap: Gap | UnsetType = UNSET


_followed = msgspec.json.Decoder(_Followed)
_events = msgspec.json.Decoder(_Events)


class Diary:
    """What a follower knows through all its connections: the newest number that it has, and what it was told is lost."""

    def __init__(self, name: str, thread: str | None, events: EventBook) -> None:
        self.cursor = 0
        self.thread = thread
        self._name = name
        self._events = events
        self._gap: Gap | None = None
        self._asked_from = 0

    def is_told(self, gap: Gap | UnsetType) -> None:
        """What codexd says is missing after the cursor."""
        self._gap, self._asked_from = None if isinstance(gap, UnsetType) else gap, self.cursor
        if self._gap is not None and not self._events.faults:
            raise Wrong(f"{self._name} was told of a gap ({gap}), but nothing can have been lost")

    def gets(self, seq: int) -> None:
        """An event has come; everything between it and the one before must have come, or be known to be lost."""
        if seq <= self.cursor:
            raise Wrong(f"{self._name} gets number {seq} after {self.cursor}")
        self.has_all(seq - 1)
        self.cursor = seq

    def has_all(self, upto: int) -> None:
        """Nothing more comes up to this number."""
        for event in self._events.between(self.cursor + 1, upto):
            if self.thread in (None, event.thread) and not self._may_be_missing(event):
                raise Wrong(f"{self._name} had {self.cursor} and misses {event.seq}: {event.line!r:.100}")

    def _may_be_missing(self, event: Event) -> bool:
        """From the beginning, of which nobody can know when it was, once the file has gone."""
        is_before_all = not self._asked_from and GONE in self._events.faults
        is_told = self._gap is not None and self._gap.from_ <= event.seq <= self._gap.to
        return is_told or is_before_all or not self._events.must_be_there(event)


class Follower(SimulatedClient):
    """One connection of one. It may read some pages first; then it follows, and asks for nothing else."""

    def __init__(self, number: int, path: str, world: Surroundings, patience: float, diary: Diary) -> None:
        super().__init__(number, path, world, patience)
        self._diary = diary
        self._opts_out = False
        self._is_waiting = False
        self._is_following = False

    def has_all(self, upto: int) -> None:
        """The world is at rest: everything up to this number must have come."""
        if self._is_following and not self.has_ended and self.is_settled and self.reads != "never":
            self._diary.has_all(upto)

    def _burst(self) -> list[bytes]:
        if self._is_waiting or self._follows:
            return []
        self._is_waiting = True
        cursor, thread = self._diary.cursor, self._diary.thread
        since = b'"after":%d' % cursor
        if thread is not None:
            since += b',"threadId":"%b"' % thread.encode()
        if self._rng.random() < 0.5:
            limit = self._rng.choice((2, 50, 1000))
            return [self._request("codexd/events/read", b'{%b,"limit":%d}' % (since, limit))]
        self._follows = True
        return [self._request("codexd/events/follow", b"{%b}" % since)]

    def _is_given(self, method: str, result: Raw) -> None:
        self._is_waiting = False
        if method == "codexd/events/read":
            page = _events.decode(result)
            self._diary.is_told(page.gap)
            for event in page.events:
                self._diary.gets(event.seq)
        elif method == "codexd/events/follow":
            self._diary.is_told(_followed.decode(result).gap)
            self._is_following = True

    def _hear_notification(self, said: Envelope) -> None:
        if self._is_following and not isinstance(said.seq, UnsetType):
            self._diary.gets(said.seq)
