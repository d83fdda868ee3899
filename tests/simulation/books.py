"""The books: what passed each seam of the runtime, and the rule that nothing is lost, doubled, changed or reordered.

Four streams are compared line by line with what was put into them: client to core, core to client, core to Codex, and
Codex to core. What the core makes of them is judged elsewhere (`tests/walk.py`); but the promises that a client can
check by itself are checked here once more, from what is on the wire alone.
"""

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import NamedTuple

import msgspec
import trio
from msgspec import UNSET, Raw, Struct, UnsetType

from codexd.protocol.framing import TooLong
from codexd.routing.events import Event

_SEQ = attrgetter("seq")
LONG_BYTES = 400
"""A line that is longer may be refused for want of memory; none of those that begin or end a turn is."""
TOLD_SECONDS = 2.0
"""So long after a death of Codex everybody has been told of it."""


class Wrong(AssertionError):
    """A promise was broken."""


class Envelope(Struct):
    """A message, as anybody reads it."""

    id: Raw | UnsetType = UNSET
    method: str | UnsetType = UNSET
    params: Raw | UnsetType = UNSET
    result: Raw | UnsetType = UNSET
    error: Raw | UnsetType = UNSET
    seq: int | UnsetType = UNSET


_envelope = msgspec.json.Decoder(Envelope)


def read(line: bytes) -> Envelope | None:
    """The line as a message; None when it is none."""
    try:
        return _envelope.decode(line)
    except msgspec.DecodeError:
        return None


class Due(NamedTuple):
    """A line that a client is to hear; `event`: the one that it is of. `is_optional`: it may be lost, and it was told so."""

    line: bytes
    event: Event | None = None
    is_optional: bool = False


class EventBook:
    """All events of all lives, and what may have become of them. `faults`: why some may be lost."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        self.last = 0
        self.deleted: set[str] = set()
        self._events: list[Event] = []

    def happens(self, event: Event) -> None:
        """The core has numbered it."""
        if event.seq <= self.last:
            raise Wrong(f"number {event.seq} comes after {self.last}")
        self.last = event.seq
        self._events.append(event)

    def fault(self, what: str) -> None:
        """From now on some may be lost, for this reason."""
        if what not in self.faults:
            self.faults.append(what)

    def between(self, first: int, last: int) -> list[Event]:
        """Those with these numbers, in order."""
        at = bisect_left(self._events, first, key=_SEQ)
        return self._events[at : bisect_right(self._events, last, key=_SEQ)]

    def must_be_there(self, event: Event) -> bool:
        """Whether it can't be lost without a word."""
        return event.thread not in self.deleted and not event.ephemeral


def _for_no_reason(book: "ClientBook") -> None:
    raise Wrong(f"{book.name} is cut off, and nobody knows it")


class ClientBook:
    """One connection: what it has said, and what it is to hear.

    `cut_at`: when codexd cut it off; `judge_cut` notes that, and whether it had a reason. `may_be_given_up`: so little is allowed for all clients together that what is left for its end may go, too. `is_parted`: codexd has closed its WebSocket; what crosses the close is nobody's.
    `waits_for_disk`: at the end something has still to be read from the archive.
    `owed`: the ids of requests that reached the core and have no answer yet.
    """

    def __init__(self, name: str, events: EventBook, *, reads_at_once: bool) -> None:
        self.name = name
        self._events = events
        self.reads_at_once = reads_at_once
        self.said: deque[bytes] = deque()
        self.due: deque[Due] = deque()
        self.due_bytes = self.plain_bytes = 0
        self._loose: list[bytes] = []
        self.owed: set[bytes] = set()
        self.cut_at: float | None = None
        self.may_be_given_up = False
        self.heard_last = False
        self.is_parted = self.waits_for_disk = False
        self.judge_cut: Callable[[ClientBook], None] = _for_no_reason

    @property
    def was_cut(self) -> bool:
        """Whether codexd has given up on it, because it did not read."""
        return self.cut_at is not None

    def says(self, line: bytes) -> None:
        """The client begins to send this line."""
        self.said.append(line)

    def reaches_core(self, lines: Sequence[bytes | TooLong]) -> None:
        """A session hands these in."""
        for line in lines:
            said = self.said.popleft() if self.said else None
            if isinstance(line, TooLong):
                if said is None or not said.startswith(line.head):
                    raise Wrong(f"{self.name} did not say what is too long: {line.head[:80]!r}")
            elif line != said:
                raise Wrong(f"{self.name} said {said!r:.200}, the core was given {line!r:.200}")
            envelope = read(said)
            if (
                envelope
                and not isinstance(envelope.id, UnsetType)
                and not isinstance(envelope.method, UnsetType)
            ):
                self._owes(bytes(envelope.id))

    def is_cut_off(self) -> None:
        """The client is told so."""
        if not self.was_cut:
            self.judge_cut(self)

    def is_let_go_of(self) -> None:
        """Something that was done for the client alone has failed: it is told so, and its connection ends."""
        self.cut_at = trio.current_time()

    def _owes(self, raw_id: bytes) -> None:
        if not self.is_parted:
            self.owed.add(raw_id)

    def is_told(self, *lines: Due) -> None:
        """The core wants the client to get these lines."""
        if not (self.was_cut or self.is_parted):
            self.due += lines
            for due in lines:
                self._weigh(due, len(due.line) + 1)

    def is_told_in_between(self, line: bytes) -> None:
        """The answer to a question that took a while: it may come before what was due already."""
        if not (self.was_cut or self.is_parted):
            self._loose.append(line)
            self._weigh(Due(line), len(line) + 1)

    def _weigh(self, due: Due, weight: int) -> None:
        self.due_bytes += weight
        if due.event is None or due.event.ephemeral:
            self.plain_bytes += weight

    def _take_due(self, line: bytes) -> bool:
        """Whether this line is due now; what may be missing before it is missing."""
        if line in self._loose:
            self._loose.remove(line)
            self._weigh(Due(line), -len(line) - 1)
            return True
        while self.due and self.due[0].line != line and self._may_be_missing(self.due[0]):
            self._drop()
        if not self.due or self.due[0].line != line:
            return False
        self._drop()
        return True

    def _drop(self) -> None:
        due = self.due.popleft()
        self._weigh(due, -len(due.line) - 1)

    def _may_be_missing(self, due: Due) -> bool:
        return due.is_optional or (due.event is not None and due.event.thread in self._events.deleted)

    def hears(self, line: bytes) -> Envelope:
        """The client has got this line; returns what it says."""
        envelope = read(line)
        if envelope is None:
            raise Wrong(f"{self.name} got no message: {line!r:.200}")
        if self.heard_last:
            raise Wrong(f"{self.name} got something behind the last line: {line!r:.200}")
        is_of_nobody = bytes(envelope.id or b"") == b"null"
        is_last = is_of_nobody and (b'"code":-32052' in line or (self.was_cut and b'"code":-32603' in line))
        if is_last:
            self.is_cut_off()
        self.heard_last = is_last
        if not is_last and not self._take_due(line):
            due = self.due[0].line if self.due else None
            raise Wrong(f"{self.name} got {line!r:.200}, due was {due!r:.200}")
        if not isinstance(envelope.id, UnsetType) and isinstance(envelope.method, UnsetType):
            self._is_answered(bytes(envelope.id), line)
        return envelope

    def _is_answered(self, raw_id: bytes, line: bytes) -> None:
        if raw_id != b"null":
            if raw_id not in self.owed:
                raise Wrong(f"{self.name} got an answer to nothing: {line!r:.200}")
            self.owed.remove(raw_id)

    @property
    def is_settled(self) -> bool:
        """Whether nothing is under way in either direction."""
        return not (self.said or self.lacks_something)

    @property
    def lacks_something(self) -> bool:
        """Whether something must still come."""
        return bool(self.owed) or any(not self._may_be_missing(due) for due in self.due)

    def __str__(self) -> str:
        return (
            f"{self.name}: {len(self.said)} lines said and not handed in, {len(self.due)} lines due, "
            f"owed {sorted(self.owed)}"
        )


class CodexBook:
    """One Codex: what it was written, and what it has said. `may_lack`: there may be no memory for long lines of it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.due: deque[bytes] = deque()
        self.said: deque[bytes] = deque()
        self.ended_at = 0.0
        self.may_lack = False

    def is_written(self, line: bytes) -> None:
        """The core wants Codex to get this line."""
        self.due.append(line)

    def gets(self, line: bytes) -> None:
        """Codex reads this line."""
        due = self.due.popleft() if self.due else None
        if line != due:
            raise Wrong(f"{self.name} read {line!r:.200}, due was {due!r:.200}")

    def says(self, line: bytes) -> None:
        """The last byte of this line is in the pipe."""
        self.said.append(line)

    def reaches_core(self, lines: Sequence[bytes]) -> None:
        """The supervisor hands these in."""
        for line in lines:
            if self.may_lack and b'"code":-32053' in line:
                continue  # in the place of an answer, of which the end may still come
            said = self._next()
            while said is not None and line != said and self._may_be_refused(said):
                said = self._next()
            if line != said:
                raise Wrong(f"{self.name} said {said!r:.200}, the core was given {line!r:.200}")

    def _next(self) -> bytes | None:
        return self.said.popleft() if self.said else None

    def _may_be_refused(self, line: bytes) -> bool:
        return self.may_lack and len(line) > LONG_BYTES

    def ends(self, now: float) -> None:
        """The supervisor reports its end."""
        if now - self.ended_at > TOLD_SECONDS:
            raise Wrong(f"{self.name} has ended, and that is told {now - self.ended_at:.2f} s later")
        if self.said and not self.may_lack:
            raise Wrong(f"the last {len(self.said)} lines of {self.name} are lost: {self.said[0]!r:.200}")
