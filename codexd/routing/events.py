"""Numbered events: what one is, and which of them a client is sent.

An event is sent to its recipients when it comes. A client that is behind is sent it later, from the timeline, and must
then be sent the same: so what a client gets is a value, its `View`, which holds until the client's rights change.
"""

from typing import Literal, Protocol

from msgspec import Struct

from codexd.protocol import extension
from codexd.protocol.catalogue import EVERYONE_ALTHOUGH_OF_A_THREAD
from codexd.routing import params


class Event(Struct, frozen=True):
    """One message of a thread that has a number.

    `at`: seconds since the epoch. `line`: as it is sent to who has not asked for numbers. `ephemeral`: of a thread that
    leaves nothing on disk.
    """

    seq: int
    at: float
    thread: str
    method: str
    line: bytes
    ephemeral: bool = False

    def numbered(self) -> bytes:
        """The line with its number."""
        return b'%b,"seq":%d}' % (self.line.rstrip()[:-1], self.seq)

    def dated(self) -> bytes:
        """The line with its number and its time, as history has it."""
        return b'%b,"seq":%d,"at":%.3f}' % (self.line.rstrip()[:-1], self.seq, self.at)


class Gap(Struct, frozen=True, rename={"from_": "from"}):
    """Numbers of which some can't be had any more, the first and the last of them."""

    from_: int
    to: int


class Kept(Protocol):
    """The timeline, as far as decisions depend on it."""

    @property
    def next_seq(self) -> int:
        """The number from which on events are to be numbered, when codexd starts."""

    def gap(self, after: int, upto: int, thread: str | None) -> Gap | None:
        """What can't be had any more of the events of a thread, or of all, with numbers above `after`, up to `upto`."""

    def statistics(self) -> "TimelineStatistics":
        """How it is."""


class TimelineStatistics(Struct, frozen=True, rename="camel"):
    """How the timeline is: `bytes` and `events` are those on disk, `memory_bytes` those of the newest events.

    `state`: `on`; `off`, by the settings; `degraded`, and `problem` is a sentence that says why and what to do.
    """

    last_seq: int
    bytes: int
    events: int
    memory_bytes: int
    state: Literal["on", "off", "degraded"]
    problem: str | None = None


class View(Struct, frozen=True):
    """What a client is sent of what happens.

    `threads`: those that it is subscribed to, its parents' sub-agents included. `followed`: those of which it follows the
    events, whoever is subscribed; `follows_all`: any. `hears_all`: it gets what goes to everybody, which is
    `to_everyone`. `unwanted`: methods that it gets nothing of. `with_numbers`: whether it wants the numbers of what it is sent as a subscriber.
    """

    threads: frozenset[str] = frozenset()
    followed: frozenset[str] = frozenset()
    follows_all: bool = False
    hears_all: bool = False
    to_everyone: frozenset[str] = EVERYONE_ALTHOUGH_OF_A_THREAD
    unwanted: frozenset[str] = frozenset()
    with_numbers: bool = False

    @property
    def thread(self) -> None:
        """A view is of any number of threads."""
        return None

    def line(self, event: Event) -> bytes | None:
        """What the client is sent of this event, later than when it came; `None` for what is not for it.

        Nothing of an ephemeral thread: that was queued as it came.
        """
        if event.ephemeral or event.method in self.unwanted:
            return None
        if self.follows_all or event.thread in self.followed:
            return event.numbered()
        if event.method == extension.SERVER_REQUEST or not self._is_subscribed(event):
            return None
        return event.numbered() if self.with_numbers else event.line

    def _is_subscribed(self, event: Event) -> bool:
        if event.method in self.to_everyone:
            return self.hears_all
        return event.thread in self.threads


class History(Struct, frozen=True):
    """What a follower is sent of the past: the events of one thread, or of all (`None`), with number and time."""

    thread: str | None
    unwanted: frozenset[str] = frozenset()

    def line(self, event: Event) -> bytes | None:
        """What it is sent of this event."""
        is_meant = self.thread in (None, event.thread) and event.method not in self.unwanted
        return event.dated() if is_meant else None


class OpenItems(Struct, frozen=True):
    """What a late joiner is sent of the running turn: that it has started, and what its open items have said so far.

    What is finished is in Codex's own history, which the client reads; sent again, it would be shown twice.
    """

    thread: str
    items: frozenset[str]
    unwanted: frozenset[str] = frozenset()

    def line(self, event: Event) -> bytes | None:
        """What it is sent of this event."""
        if event.thread != self.thread or event.method in self.unwanted:
            return None
        if event.method == "turn/started":
            return event.line
        return event.line if params.item_of(event.line) in self.items else None


Selection = View | History | OpenItems
"""Which events of a stretch of the timeline a client is sent, and how."""
