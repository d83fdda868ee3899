"""The seam behind which events are kept for long: what the timeline asks of it, and the one that keeps nothing.

A simulation puts an archive of its own here; everything above knows neither SQLite nor threads.
"""

import time
from typing import Literal, Protocol

import trio
from msgspec import Struct

from codexd.routing.events import Event

ON: Literal["on"] = "on"
OFF: Literal["off"] = "off"
DEGRADED: Literal["degraded"] = "degraded"


class ArchiveFailed(Exception):
    """What was asked for can't be read. The message is a sentence that names the file and the way out."""


class Span(Struct, frozen=True):
    """Numbers, both included."""

    first: int
    last: int


class History(Struct, frozen=True):
    """What an archive holds at the begin of a life.

    Everything from `floor` on, but for `lost`, which is in order. `born`: nothing older was ever put into it.
    """

    born: int
    floor: int
    lost: tuple[Span, ...] = ()


class Status(Struct, frozen=True):
    """How an archive is. `problem`: a sentence, unless it is `on`. `history` is None when nothing can be read back."""

    state: Literal["on", "off", "degraded"]
    problem: str | None = None
    history: History | None = None


class Page(Struct, frozen=True):
    """Some events in order, and the number to go on from."""

    events: list[Event]
    next: int


class Size(Struct, frozen=True):
    """How much there is on disk."""

    bytes: int = 0
    events: int = 0


class ArchiveReports(Protocol):
    """Who is told what becomes of the events: the timeline. All are called in trio's thread."""

    def committed(self, seq: int) -> None:
        """Everything that was put and taken, up to this number, can be read back."""

    def trim(self, floor: int, force: bool) -> int:
        """Asks before everything below `floor` is deleted; what is below the answer may go, and counts as gone.

        `force`: the archive is so far over its size that no reader may hold it up.
        """

    def changed(self, status: Status) -> None:
        """It works again, or does not any more."""


class Archive(Protocol):
    """Keeps events. Nothing but `read` and `run` waits, and nothing but `read` raises."""

    @property
    def first_seq(self) -> int:
        """The first number of this life: above every one that was ever used before."""

    @property
    def status(self) -> Status:
        """How it is now. A later change is reported."""

    def put(self, event: Event) -> bool:
        """Takes an event to be kept, in the order of numbers. False: it can't, and the event counts as lost."""

    def use(self, seq: int) -> None:
        """Notes a number that is in use by an event which is not to be kept: no later life gives it again."""

    def delete_thread(self, thread: str) -> None:
        """Deletes what was put of this thread so far; nothing of it is read from now on."""

    async def read(self, first: int, last: int, thread: str | None, max_bytes: int, max_events: int) -> Page:
        """Committed events from `first` to `last`, of one thread or of all; one at least where there is one.

        Raises:
            ArchiveFailed: they can't be read.
        """

    def look(self) -> None:
        """Sees to it that an archive which was removed is soon begun anew, also while nothing is put."""

    def size(self) -> Size:
        """How much it holds on disk."""

    async def run(self, reports: ArchiveReports) -> None:
        """Works until `close` has been carried out. Cancelled, it ends in good order within a few seconds."""

    def close(self) -> None:
        """Commits what was put and marks a clean end."""


def number_of_now() -> int:
    """Where a life begins that knows no earlier one: microseconds since the epoch, far below 2**53."""
    return time.time_ns() // 1000


class NoArchive:
    """Keeps nothing, and touches no disk: for `timeline = "off"`."""

    def __init__(self, first_seq: int | None = None) -> None:
        self.first_seq = number_of_now() if first_seq is None else first_seq
        self.status = Status(OFF)
        self._closed = trio.Event()

    def put(self, event: Event) -> bool:
        return False

    def use(self, seq: int) -> None:
        return None

    def delete_thread(self, thread: str) -> None:
        return None

    async def read(self, first: int, last: int, thread: str | None, max_bytes: int, max_events: int) -> Page:
        raise ArchiveFailed('with timeline = "off" only the newest events are kept, in memory')

    def look(self) -> None:
        return None

    def size(self) -> Size:
        return Size()

    async def run(self, reports: ArchiveReports) -> None:
        await self._closed.wait()

    def close(self) -> None:
        self._closed.set()
