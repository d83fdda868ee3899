"""The archive in a file, with its real threads: beneath a timeline, as codexd uses it."""

import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from codexd.routing.events import Event, Gap
from codexd.runtime.archive import Status
from codexd.runtime.archive_retention import Keep
from codexd.runtime.ring import cost
from codexd.runtime.sqlite_archive import SqliteArchive
from codexd.runtime.timeline import HistoryLost, Timeline
from tests.fakes import PATIENCE_SECONDS
from tests.runtime.events import event

DEFAULT = Keep()
SMALL_RING = 10 * cost(event(1))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file will be."""
    return tmp_path / "timeline.db"


class Watched(Timeline):
    """A timeline that can be waited for."""

    async def until(self, condition: Any) -> None:
        """Until the thread has said what makes this true."""
        with trio.fail_after(PATIENCE_SECONDS):
            while not condition(self):
                self.told = trio.Event()
                await self.told.wait()

    told = trio.Event()

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

    async def until_committed(self) -> None:
        """Until everything is."""
        await self.until(lambda timeline: timeline._committed >= timeline._last_put)


@asynccontextmanager
async def living(path: Path, keep: Keep = DEFAULT, **how: Any) -> AsyncIterator[Watched]:
    """One life of a timeline on this file, ended well."""
    timeline = Watched(SqliteArchive(path, keep, **how), SMALL_RING)
    async with trio.open_nursery() as nursery:
        await nursery.start(timeline.run)
        yield timeline
        timeline.close()


def append(timeline: Timeline, count: int, thread: str = "t", line: bytes = b"") -> list[Event]:
    """Appends so many events."""
    first = max(timeline.next_seq, timeline.statistics().last_seq + 1)
    put = [event(seq, thread, line) for seq in range(first, first + count)]
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


async def test_a_life_and_the_next(path: Path) -> None:
    """What one appended the next one reads, without a gap; numbers go on."""
    async with living(path) as timeline:
        put = append(timeline, 3000)
        assert await everything(timeline, put[-5].seq, put[-1].seq) == put[-5:]
        await timeline.until_committed()
        assert await everything(timeline, put[0].seq, put[-1].seq) == put
        assert timeline.statistics().memory_bytes <= SMALL_RING
        put += append(timeline, 100)
    assert [file.name for file in path.parent.iterdir()] == ["timeline.db"]
    async with living(path) as timeline:
        assert timeline.next_seq > put[-1].seq
        put += append(timeline, 10)
        await timeline.until_committed()
        assert await everything(timeline, 0, put[-1].seq, lenient=True) == put
        assert timeline.gap(0, put[-1].seq) is timeline.gap(put[0].seq, put[-1].seq) is None
        assert timeline.statistics().events == len(put)


async def test_events_are_read_while_they_come(path: Path) -> None:
    """From the archive into memory, in one go: the seam shows in nothing."""
    async with living(path) as timeline:
        put: list[Event] = []
        for _ in range(20):
            put += append(timeline, 50)
            assert await everything(timeline, timeline.next_seq, put[-1].seq) == put


async def test_readers_that_leave_and_many_at_once(path: Path) -> None:
    """One that is cancelled harms no other."""
    async with living(path) as timeline:
        put = append(timeline, 2000)
        await timeline.until_committed()
        found: list[list[Event]] = []

        async def read() -> None:
            found.append(await everything(timeline, put[0].seq, put[-1].seq))

        async with trio.open_nursery() as readers:
            for number in range(10):
                readers.start_soon(read)
                if number % 2:
                    with trio.CancelScope() as leaving:
                        leaving.cancel()
                        await timeline.read(put[0].seq, put[-1].seq, max_bytes=1000, max_events=10)
        assert found == [put] * 10


async def test_a_killed_codexd(path: Path) -> None:
    """In a storm, again and again: what was committed is there once; the rest is a gap; no number comes twice."""
    known: list[int] = []
    for _ in range(3):
        lines = storm(path)
        heard = [int(line) for line in lines]
        first, appended, committed = heard[0], heard[1::2], heard[2::2]
        assert first > max(known, default=0)
        async with living(path) as timeline:
            found = [each.seq for each in await everything(timeline, 0, timeline.next_seq, lenient=True)]
            newest = found[-1]
            assert newest >= committed[-1]
            assert found == known + list(range(first, newest + 1))
            assert timeline.next_seq > appended[-1]
            assert timeline.gap(newest, timeline.next_seq) == Gap(newest + 1, timeline.next_seq - 1)
            assert timeline.gap(first - 1, newest) is None
            assert timeline.statistics().events == len(found)
        known = found


STORM = """
import sys, trio
from pathlib import Path
from codexd.runtime.archive_retention import Keep
from codexd.runtime.sqlite_archive import SqliteArchive
from codexd.runtime.timeline import Timeline
from tests.runtime.events import event

async def main():
    timeline = Timeline(SqliteArchive(Path(sys.argv[1]), Keep()))
    seq = timeline.next_seq
    print(seq, flush=True)
    async with trio.open_nursery() as nursery:
        await nursery.start(timeline.run)
        while True:
            for seq in range(seq, seq + 20):
                timeline.append(event(seq, line=b"x" * 300))
            seq += 1
            await trio.sleep(0.0005)
            print(seq - 1, timeline._committed, sep="\\n", flush=True)

trio.run(main)
"""


def storm(path: Path) -> list[str]:
    """What a codexd said that was killed while it appended as fast as it could: its first number, and then by turns
    the newest that it had given and the newest that it knew to be committed."""
    with subprocess.Popen([sys.executable, "-c", STORM, path], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(601)]
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().splitlines(keepends=True)
    lines += [line for line in rest if line.endswith("\n")]
    return lines if len(lines) % 2 else lines[:-1]


async def test_a_deleted_thread(path: Path) -> None:
    """It is not read from this moment on, and when the life has ended nothing of it is in the file."""
    async with living(path) as timeline:
        append(timeline, 500, "gone", b"planted-secret")
        kept = append(timeline, 500, "kept")
        await timeline.until_committed()
        append(timeline, 500, "gone", b"planted-secret")
        timeline.forget_thread("gone")
        after = append(timeline, 20, "gone")
        assert await everything(timeline, timeline.next_seq, after[-1].seq) == kept + after
        await timeline.until_committed()
        assert await everything(timeline, timeline.next_seq, after[-1].seq) == kept + after
        assert await everything(timeline, timeline.next_seq, after[-1].seq, thread="gone") == after
    assert not is_in_a_file(b"planted-secret", path)
    async with living(path) as timeline:
        assert await everything(timeline, 0, after[-1].seq, lenient=True) == kept + after


def is_in_a_file(text: bytes, path: Path) -> bool:
    """Whether the text stands anywhere in the files of the timeline."""
    return any(text in file.read_bytes() for file in path.parent.iterdir())


async def test_retention_stops_at_who_reads_until_it_must_not(path: Path) -> None:
    """The file stays within its limit; who is overtaken is told."""
    async with living(path, Keep(14, 4 * 1024 * 1024)) as timeline:
        first = timeline.next_seq
        timeline.in_use = lambda: first + 10
        append(timeline, 4000, line=b"x" * 1000)
        await timeline.until(lambda _: timeline._floor == first + 10)
        assert (await timeline.read(first + 10, first + 10, max_bytes=1, max_events=1)).events
        for _ in range(5):
            append(timeline, 1000, line=b"x" * 1000)
            await timeline.until_committed()
        await timeline.until(lambda _: timeline._floor > first + 2000)
        with pytest.raises(HistoryLost, match="retention has deleted them"):
            await timeline.read(first + 10, first + 20, max_bytes=1, max_events=1)
        assert timeline.gap(0, first + 99) == Gap(first, first + 99)
    lives = 0
    while size(path) > 5.5 * 1024 * 1024:
        async with living(path, Keep(14, 4 * 1024 * 1024)):
            lives += 1
    assert lives < 100


def size(path: Path) -> int:
    """Of the file, when nobody writes it."""
    return path.stat().st_size
