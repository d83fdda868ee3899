"""A timeline on a real file, for as long as a test wants it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from codexd.routing.events import Event
from codexd.runtime.archive import Status
from codexd.runtime.archive_retention import Keep
from codexd.runtime.ring import cost
from codexd.runtime.sqlite_archive import SqliteArchive
from codexd.runtime.timeline import Timeline
from tests.fakes import PATIENCE_SECONDS
from tests.runtime.events import event

DEFAULT = Keep()
SMALL_RING = 10 * cost(event(1))


class Watched(Timeline):
    """A timeline that can be waited for."""

    told = trio.Event()

    async def until(self, condition: Any) -> None:
        """Until the thread has said what makes this true."""
        with trio.fail_after(PATIENCE_SECONDS):
            while not condition(self):
                self.told = trio.Event()
                await self.told.wait()

    async def until_committed(self) -> None:
        """Until everything is."""
        await self.until(lambda timeline: timeline._committed >= timeline._last_put)

    def committed(self, seq: int) -> None:
        super().committed(seq)
        self.told.set()

    def changed(self, status: Status) -> None:
        super().changed(status)
        self.told.set()

    def trim(self, floor: int, force: bool) -> int:
        granted = super().trim(floor, force)
        self.told.set()
        return granted


@asynccontextmanager
async def living(path: Path, keep: Keep = DEFAULT, **how: Any) -> AsyncIterator[Watched]:
    """One life of a timeline on this file, ended well."""
    timeline = Watched(SqliteArchive(path, keep, **how), SMALL_RING)
    async with trio.open_nursery() as nursery:
        await nursery.start(timeline.run)
        yield timeline
        timeline.close()


def append(timeline: Timeline, count: int, thread: str = "t", text: bytes = b"") -> list[Event]:
    """Appends so many events."""
    first = max(timeline.next_seq, timeline.statistics().last_seq + 1)
    put = [event(seq, thread, text) for seq in range(first, first + count)]
    for each in put:
        timeline.append(each)
    return put


async def everything(timeline: Timeline, first: int, last: int, **how: Any) -> list[Event]:
    """Page after page."""
    found: list[Event] = []
    while first <= last:
        page = await timeline.read(first, last, max_bytes=10**6, max_events=333, **how)
        found += page.events
        first = page.next
    return found
