"""Who asked what: requests on their way to Codex, and whom each answer belongs to.

Every request that is handed to Codex gets a number that was never used before in the life of the daemon, whatever
the asker called it and however many of it are the same. So an answer can only be that of one request of one asker,
and the answers of a Codex that has died can't be taken for another's.
"""

from collections.abc import Container, Iterator
from enum import Enum, auto
from typing import Any

from msgspec import Struct

from codexd.protocol import messages
from codexd.protocol.catalogue import STARTS_TURN, SUBSCRIBING
from codexd.protocol.members import INTEGER
from codexd.protocol.messages import Request
from codexd.protocol.strictness import is_same_id
from codexd.routing.effects import ClientId

_BEGINS = STARTS_TURN | SUBSCRIBING


class Purpose(Enum):
    """Why codexd itself asks something."""

    MARKER = auto()
    INITIALIZE = auto()
    RESUME = auto()
    RELEASE = auto()
    FIND_PARENT = auto()
    CLEAN_UP = auto()
    WATCH_AGAIN = auto()
    TURN_END = auto()


class Call(Struct, eq=False):
    """A request on its way: queued, under way, or waiting for another try.

    `owner` is the client, or `None` for codexd itself, which then has a `purpose`. `thread` is the thread in its
    params. `handle` is the id that the client chose for a resource, as the client wrote it. `abandoned` says that
    the owner left while Codex was working on it, or has been answered in Codex's stead: Codex's answer is still looked at, and
    goes to nobody.

    `about` are the calls that it names by their ids in its params, as they were when this one was sent first; `None` for
    an id that was none's.

    `sent_at`: when it was sent last.

    `instead_of` is the client's own request where codexd asks something else in its stead; `joins`: how often it did.

    `warning` is a notification that its owner gets in front of the answer, if that is no error.

    A client's notification takes the same way, because it takes a place in Codex's queue like a request; it is one
    that `wants_answer` no more once it is sent, and its `request` has no id.
    """

    owner: ClientId | None
    request: Request
    thread: str | None = None
    handle: str | None = None
    purpose: Purpose | None = None
    tries: int = 0
    about: "tuple[Call | None, ...]" = ()
    abandoned: bool = False
    wants_answer: bool = True
    sent_at: float = 0.0
    instead_of: Request | None = None
    joins: int = 0
    warning: bytes | None = None

    @property
    def method(self) -> str:
        """What its owner asks."""
        return (self.instead_of or self.request).method

    @property
    def size(self) -> int:
        """Its line in bytes."""
        return self.request.size


class Requests:
    """The calls that Codex has and has not answered yet, by number."""

    def __init__(self) -> None:
        self._next = 0
        self._under_way: dict[int, Call] = {}
        self._counts: dict[ClientId | None, int] = {}

    def send(self, call: Call) -> tuple[int, bytes]:
        """Gives a call its number; returns that and the line to write."""
        self._next += 1
        if not call.wants_answer:
            return self._next, call.request.line
        call.tries += 1
        self._under_way[self._next] = call
        self._count(call, 1)
        return self._next, messages.with_id(call.request, b"%d" % self._next)

    def take(self, raw_id: bytes) -> tuple[int, Call] | None:
        """The call that an answer with this id belongs to, which is thereby over; `None` if there is none."""
        number = int(raw_id) if INTEGER.fullmatch(raw_id) else 0
        call = self._under_way.pop(number, None)
        if call is None:
            return None
        if not call.abandoned:
            self._count(call, -1)
        return number, call

    def take_all(self) -> list[Call]:
        """Every call under way, in the order of sending; all are thereby over."""
        calls = list(self._under_way.values())
        self._under_way.clear()
        self._counts.clear()
        return calls

    def abandon(self, client: ClientId) -> list[Call]:
        """The client left: its calls under way go on without it, and are returned."""
        calls = [call for call in self._under_way.values() if call.owner == client]
        for call in calls:
            self.give_up(call)
        return calls

    def give_up(self, call: Call) -> None:
        """Nobody waits for its answer any more; what Codex says of it is nobody's."""
        if not call.abandoned:
            call.abandoned = True
            self._count(call, -1)

    def oldest(self, methods: frozenset[str]) -> Call | None:
        """The client's call under way that was sent first among those of these methods."""
        return next((call for call in self.of_methods(methods) if call.owner is not None), None)

    def get(self, number: int) -> Call | None:
        """The call under way with this number."""
        return self._under_way.get(number)

    def longest(self, numbers: Container[int]) -> Call | None:
        """The call under way whose line is the longest of those with these numbers."""
        calls = [call for number, call in self._under_way.items() if number in numbers]
        return max(calls, key=lambda call: call.size, default=None)

    def newest(self, owner: ClientId | None, raw_id: bytes, methods: frozenset[str] | None) -> Call | None:
        """The call of these methods, or of any, that the owner has under way as `raw_id`, and sent last."""
        calls = (c for c in reversed(self._under_way.values()) if methods is None or c.method in methods)
        return next((c for c in calls if c.owner == owner and is_same_id(c.request.id, raw_id)), None)

    def number_of(self, call: Call | None) -> int:
        """The number under which the call is under way; one that no call ever had or will have if it is not."""
        for number, under_way in self._under_way.items():
            if under_way is call:
                return number
        self._next += 1
        return self._next

    def of_methods(self, methods: frozenset[str]) -> Iterator[Call]:
        """The calls under way of these methods, in the order of sending."""
        return (call for call in self._under_way.values() if call.method in methods)

    def is_asked_of(self, thread: str) -> bool:
        """Whether a client's call under way may change who follows the thread, or what happens in it.

        Of a client that has left only one that begins a turn or attaches: until that is known. Any other may never be
        answered, or take as long as an MCP server likes.
        """
        return any(
            call.thread == thread
            and call.owner is not None
            and (not call.abandoned or call.method in _BEGINS)
            for call in self._under_way.values()
        )

    def count(self, owner: ClientId | None) -> int:
        """How many calls the owner has under way."""
        return self._counts.get(owner, 0)

    @property
    def wanted(self) -> int:
        """How many calls somebody waits for, codexd's own counted in."""
        return sum(self._counts.values())

    def __len__(self) -> int:
        return len(self._under_way)

    def _count(self, call: Call, change: int) -> None:
        count = self._counts.get(call.owner, 0) + change
        if count:
            self._counts[call.owner] = count
        else:
            self._counts.pop(call.owner, None)


def own_call(purpose: Purpose, method: str, params: dict[str, Any], thread: str | None = None) -> Call:
    """A request of codexd's own; its id is filled in when it is sent."""
    return Call(None, messages.own_request(b"0", method, params), thread, purpose=purpose)
