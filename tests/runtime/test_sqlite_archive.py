"""The archive in a file, with its real threads: beneath a timeline, as codexd uses it."""

import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import trio

from codexd.routing.events import Event, Gap
from codexd.runtime import archive_file, archive_writer
from codexd.runtime.archive import Page, Span
from codexd.runtime.archive_retention import Keep
from codexd.runtime.archive_store import Store
from codexd.runtime.ring import cost
from codexd.runtime.sqlite_archive import END_SECONDS, SqliteArchive
from codexd.runtime.timeline import HistoryLost, Timeline
from tests.runtime.events import event
from tests.runtime.living import SMALL_RING, append, everything, living


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file will be."""
    return tmp_path / "timeline.db"


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
from typing import Any
from codexd.runtime.archive import Page, Span
from codexd.runtime.archive_retention import Keep
from codexd.runtime.sqlite_archive import SqliteArchive
from codexd.runtime.timeline import Timeline
from tests.runtime.events import event
from tests.runtime.living import SMALL_RING, append, everything, living

async def main():
    timeline = Timeline(SqliteArchive(Path(sys.argv[1]), Keep()))
    seq = timeline.next_seq
    print(seq, flush=True)
    async with trio.open_nursery() as nursery:
        await nursery.start(timeline.run)
        while True:
            for seq in range(seq, seq + 20):
                timeline.append(event(seq, text=b"x" * 300))
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


async def test_a_deletion_does_not_wait_for_the_next_commit(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends the pause that the thread makes."""
    monkeypatch.setattr(archive_writer, "PACE_SECONDS", 3600)
    async with living(path) as timeline:
        append(timeline, 1, "gone")
        await timeline.until_committed()
        append(timeline, 1, "gone")
        timeline.forget_thread("gone")
        await timeline.until_committed()


def is_in_a_file(text: bytes, path: Path) -> bool:
    """Whether the text stands anywhere in the files of the timeline."""
    return any(text in file.read_bytes() for file in path.parent.iterdir())


async def test_a_thread_is_deleted_while_somebody_reads(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who looked before it was deleted and answers after does not give it away; deleted twice is deleted."""
    async with living(path) as timeline:
        append(timeline, 100, "gone")
        kept = append(timeline, 100, "kept")
        await timeline.until_committed()
        archive = timeline._archive
        assert isinstance(archive, SqliteArchive)
        has_looked, may_answer = trio.Event(), threading.Event()
        look = archive._reader.read

        def look_and_wait(*wanted: Any) -> Page:
            page = look(*wanted)
            trio.from_thread.run_sync(has_looked.set)
            may_answer.wait()
            return page

        monkeypatch.setattr(archive._reader, "read", look_and_wait)
        found: list[Event] = []

        async def read() -> None:
            found.extend(await everything(timeline, timeline.next_seq, kept[-1].seq))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await has_looked.wait()
            for _ in range(2):
                timeline.forget_thread("gone")
                append(timeline, 1)
                await timeline.until_committed()
                timeline.forget_thread("gone")
            append(timeline, 1)
            await timeline.until_committed()
            may_answer.set()
        assert found == kept
        assert archive._deleted == {}


async def test_a_thread_of_an_earlier_life_is_deleted(path: Path) -> None:
    """Before anything else is appended."""
    async with living(path) as timeline:
        put = append(timeline, 10)
    async with living(path) as timeline:
        for _ in range(3):
            timeline.forget_thread("t")
            timeline.forget_thread("never was")
            assert await everything(timeline, 0, put[-1].seq, lenient=True) == []
            append(timeline, 1, "other")
            await timeline.until_committed()
    async with living(path) as timeline:
        assert await everything(timeline, 0, put[-1].seq, lenient=True) == []
        assert timeline.statistics().events == 3


async def test_retention_stops_at_who_reads_until_it_must_not(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file stays within its limit; who is overtaken is told."""
    monkeypatch.setattr(archive_writer, "PACE_SECONDS", 0)
    async with living(path, Keep(14, 4 * 1024 * 1024)) as timeline:
        first = timeline.next_seq
        timeline.in_use = lambda: first + 10
        # In pieces, so that the log stays short: the file takes more than it may, and not so much that it must shrink.
        for _ in range(30):
            append(timeline, 100, text=b"x" * 1000)
            await timeline.until_committed()
        await timeline.until(lambda _: timeline._floor == first + 10)
        assert (await timeline.read(first + 10, first + 10, max_bytes=1, max_events=1)).events
        for _ in range(5):
            append(timeline, 1000, text=b"x" * 1000)
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


async def test_no_more_waits_for_a_disk_than_is_allowed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit is lost, which the next life still knows; what fits comes onto the disk when that can."""
    monkeypatch.setattr(archive_writer, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(archive_file, "BUSY_MILLISECONDS", 1)
    async with living(path, max_queued_bytes=20 * cost(event(10**15))) as timeline:
        first = timeline.next_seq
        somebody = sqlite3.connect(path, isolation_level=None)
        somebody.execute("BEGIN IMMEDIATE")
        append(timeline, 1)
        await timeline.until(lambda each: not each.keeps)
        assert "can't be used (database is locked)" in str(timeline.statistics().problem)
        put = append(timeline, 30)
        somebody.execute("ROLLBACK")
        somebody.close()
        await timeline.until(lambda each: each.keeps)
        await timeline.until(lambda each: each._committed >= first + 19)
        put += append(timeline, 15)
        await timeline.until_committed()
        assert timeline.gap(0, put[-1].seq) == Gap(first + 20, first + 30)
        with pytest.raises(HistoryLost, match=f"events from {first + 20} on"):
            await everything(timeline, first, put[-1].seq)
    async with living(path) as timeline:
        found = await everything(timeline, 0, put[-1].seq, lenient=True)
        assert [each.seq - first for each in found] == [*range(20), *range(31, 46)]
        assert timeline.gap(0, put[-1].seq) == Gap(first + 20, first + 30)


async def test_what_is_larger_than_the_queue(path: Path) -> None:
    """One event is taken however long it is, where nothing else waits; what is refused last is known as well."""
    async with living(path, max_queued_bytes=300) as timeline:
        put = append(timeline, 1, text=b"x" * 5000)
        await timeline.until_committed()
        put += append(timeline, 3, text=b"y" * 5000)
    async with living(path) as timeline:
        assert await everything(timeline, 0, put[-1].seq, lenient=True) == put[:2]
        assert timeline.gap(0, put[-1].seq) == Gap(put[2].seq, put[3].seq)


class HangingReader:
    """A disk that does not answer."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.answers = threading.Event()

    def read(self, *_: object) -> None:
        """Hangs."""
        self.asked.set()
        self.answers.wait()


async def test_who_leaves_does_not_wait_for_a_disk_that_hangs(path: Path) -> None:
    """Neither does who reads next, when the disk answers again, nor the end."""
    async with living(path) as timeline:
        put = append(timeline, 10)
        await timeline.until_committed()
        archive = timeline._archive
        disk = HangingReader()
        vars(archive)["_reader"] = disk
        async with trio.open_nursery() as nursery:
            nursery.start_soon(archive.read, put[0].seq, put[-1].seq, None, 1000, 10)
            await trio.to_thread.run_sync(disk.asked.wait)
            nursery.cancel_scope.cancel()
        page = await archive.read(put[0].seq, put[-1].seq, None, 10**6, 10)
        assert page.events == put
        disk.answers.set()


async def test_cancelled_it_ends_in_good_order(path: Path) -> None:
    """Whatever ends codexd: what was appended is committed, and the end is noted."""
    timeline = Timeline(SqliteArchive(path, Keep()), SMALL_RING)
    async with trio.open_nursery() as nursery:
        await nursery.start(timeline.run)
        put = append(timeline, 100)
        nursery.cancel_scope.cancel()
    async with living(path) as timeline:
        assert await everything(timeline, 0, put[-1].seq, lenient=True) == put
        assert timeline.gap(0, timeline.next_seq) is None


async def test_a_disk_that_hangs_does_not_hold_up_the_end(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, autojump_clock: object
) -> None:
    """After a few seconds its thread is left behind, and the log says so."""
    archive = SqliteArchive(path, Keep())
    stuck = threading.Event()
    monkeypatch.setattr(archive._writer, "run", lambda loop: stuck.wait())
    timeline = Timeline(archive)
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        await nursery.start(timeline.run)
        timeline.close()
    assert trio.current_time() - began == pytest.approx(END_SECONDS, abs=0.1)
    assert [each.getMessage() for each in caplog.records] == [
        f"the disk with the timeline {path} hangs: the newest events are not on it"
    ]
    stuck.set()
    assert archive._writer._store is not None
    archive._writer._store.close()


async def test_numbers_of_ephemeral_threads_are_reserved(path: Path) -> None:
    """They are not used again, though nothing else is kept of them."""
    async with living(path) as timeline:
        first = timeline.next_seq
        for seq in range(first, first + 60_000):
            timeline.append(event(seq, "e", ephemeral=True))
    store = Store(path, 10**6)
    assert store.begin_life(1) > first + 60_000
    store.close()


def test_what_was_refused_stands_where_it_is_missing(path: Path) -> None:
    """Between what was taken before and after: a codexd that is killed then leaves it known, and no more than it."""
    archive = SqliteArchive(path, Keep(), max_queued_bytes=cost(event(10**15)))
    taken = [archive.put(event(seq)) for seq in (10**15, 10**15 + 1, 10**15 + 2)]
    archive._queued_bytes = 0
    taken.append(archive.put(event(10**15 + 3)))
    assert taken == [True, False, False, True]
    items = [archive._writer.items.get_nowait() for _ in range(3)]
    assert items == [event(10**15), Span(10**15 + 1, 10**15 + 2), event(10**15 + 3)]
    assert archive._writer._store is not None
    archive._writer._store.close()
