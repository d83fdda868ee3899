"""What can happen to the file of a timeline: codexd serves on, says what is wrong, and goes on where it can."""

import os
import resource
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from codexd.routing.events import Gap
from codexd.runtime import archive_file, archive_writer
from codexd.runtime.archive import ArchiveFailed
from codexd.runtime.archive_reader import Reader
from codexd.runtime.archive_store import Store
from codexd.runtime.sqlite_archive import SqliteArchive
from codexd.runtime.timeline import HistoryLost, Timeline
from tests.runtime.living import Watched, append, everything, living
from tests.runtime.shortage import no_more_threads

NOBODY = 65534


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tried again now and then is so at once."""
    monkeypatch.setattr(archive_writer, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(archive_file, "BUSY_MILLISECONDS", 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file will be."""
    return tmp_path / "timeline.db"


@pytest.fixture
def not_root() -> Iterator[Path]:
    """A directory of somebody for whom rights count."""
    place = Path(tempfile.mkdtemp(prefix="codexd-test-"))
    is_root = os.geteuid() == 0
    if is_root:
        os.chown(place, NOBODY, NOBODY)
        os.seteuid(NOBODY)
    yield place
    if is_root:
        os.seteuid(0)
    place.chmod(0o700)
    shutil.rmtree(place)


async def serves_from_memory(timeline: Watched, problem: str) -> None:
    """What is true of every timeline whose file is of no use."""
    statistics = timeline.statistics()
    assert (statistics.state, statistics.problem) == ("degraded", problem)
    assert timeline.keeps is False
    put = append(timeline, 30)
    assert await everything(timeline, put[-5].seq, put[-1].seq) == put[-5:]
    with pytest.raises(HistoryLost):
        await everything(timeline, put[0].seq, put[-1].seq)
    gap = timeline.gap(0, put[-1].seq)
    assert gap is not None
    assert (gap.from_, gap.to >= put[15].seq) == (1, True)
    timeline.forget_thread("t")
    assert await everything(timeline, 0, put[-1].seq, lenient=True) == []


async def test_a_damaged_file(path: Path) -> None:
    """It is left as it is, whatever is appended."""
    path.write_bytes(b"no database at all " * 1000)
    before = path.read_bytes()
    async with living(path) as timeline:
        await serves_from_memory(
            timeline,
            f"the timeline {path} is damaged (file is not a database), and is left as it is: there is no history until "
            f"it is moved away: codexd stop; mv {path} {path}.broken; codexd start",
        )
    assert (path.read_bytes(), list(path.parent.iterdir())) == (before, [path])


async def test_a_truncated_file(path: Path) -> None:
    """Half of it is missing: what is left is no history."""
    async with living(path) as timeline:
        append(timeline, 2000)
    os.truncate(path, path.stat().st_size // 2)
    async with living(path) as timeline:
        problem = str(timeline.statistics().problem)
        assert f"the timeline {path} is damaged" in problem
        await serves_from_memory(timeline, problem)


async def test_a_newer_file(path: Path) -> None:
    """It has the numbers of another codexd, and is left to it; numbers go on by the clock."""
    async with living(path) as timeline:
        put = append(timeline, 10)
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    async with living(path) as timeline:
        assert timeline.next_seq > put[-1].seq
        problem = str(timeline.statistics().problem)
        assert problem.startswith(f"the timeline {path} is of a newer codexd (format 99, this one knows 1)")
        await serves_from_memory(timeline, problem)


async def test_a_log_that_vanishes_is_noticed_by_the_next_read(path: Path) -> None:
    """The events that are only there can't be read; then it is said how things are."""
    async with living(path) as timeline:
        put = append(timeline, 100)
        await timeline.until_committed()
        Path(f"{path}-wal").unlink()
        timeline._archive._reader.close()  # type: ignore[attr-defined]
        with pytest.raises(ArchiveFailed):
            await timeline._archive.read(put[0].seq, put[-1].seq, None, 10**6, 10**6)
        await timeline.until(lambda each: not each.keeps)
        problem = str(timeline.statistics().problem)
        assert problem.startswith(f"the timeline {path} was replaced or emptied")


async def test_a_file_that_is_replaced(path: Path) -> None:
    """It is noticed with the next event; what is there now is not written."""
    async with living(path) as timeline:
        append(timeline, 100)
        await timeline.until_committed()
        path.unlink()
        path.write_bytes(b"")
        append(timeline, 1)
        await timeline.until(lambda each: not each.keeps)
        problem = str(timeline.statistics().problem)
        assert problem.startswith(f"the timeline {path} was replaced or emptied")
        await serves_from_memory(timeline, problem)
    assert path.read_bytes() == b""


@pytest.mark.parametrize("idle", [False, True])
async def test_a_directory_that_is_removed(tmp_path: Path, idle: bool) -> None:
    """Regression: the timeline was `on` and wrote into nothing. A new file is begun, and what was there is a gap, which is told.

    It is noticed with the next event, and when codexd looks.
    """
    path = tmp_path / "state" / "timeline.db"
    path.parent.mkdir()
    degraded: list[str] = []
    async with living(path) as timeline:
        timeline.on_degraded = degraded.append
        put = append(timeline, 100)
        await timeline.until_committed()
        assert await everything(timeline, put[0].seq, put[-1].seq) == put
        shutil.rmtree(path.parent)
        if idle:
            timeline.look_for_archive()
        else:
            put += append(timeline, 20)
        await timeline.until(lambda each: not each.keeps)
        path.parent.mkdir()
        await timeline.until(lambda each: each.keeps)
        put += append(timeline, 50)
        await timeline.until_committed()
        assert await everything(timeline, put[100].seq, put[-1].seq) == put[100:]
        with pytest.raises(HistoryLost):
            await everything(timeline, put[0].seq, put[-1].seq)
        assert timeline.gap(put[10].seq, put[-1].seq) == Gap(put[11].seq, put[99].seq)
        assert [each.partition(" was removed")[0] for each in degraded] == [f"the timeline {path}"]
    async with living(path) as timeline:
        assert await everything(timeline, put[100].seq, put[-1].seq) == put[100:]
        assert timeline.gap(put[100].seq, put[-1].seq) is None


async def test_a_directory_that_is_read_only(not_root: Path) -> None:
    """There is no file until it can be made: then all that waited is put into it."""
    path = not_root / "timeline.db"
    not_root.chmod(0o500)
    async with living(path) as timeline:
        assert timeline.statistics().problem == (
            f"the timeline {path} can't be used (Permission denied): until that is mended, history is kept in memory "
            f"only; the file and {not_root} have to be writable for this user"
        )
        put = append(timeline, 100)
        assert timeline.gap(0, put[-1].seq) is not None
        not_root.chmod(0o700)
        await timeline.until(lambda each: each.keeps)
        put += append(timeline, 100)
        await timeline.until_committed()
        assert await everything(timeline, put[0].seq, put[-1].seq) == put
        assert timeline.gap(0, put[-1].seq) is None


async def test_a_directory_that_can_not_be_searched(not_root: Path) -> None:
    """Whether the file is still in it can't be told, so it is tried again."""
    async with living(not_root / "timeline.db") as timeline:
        put = append(timeline, 100)
        await timeline.until_committed()
        not_root.chmod(0o000)
        put += append(timeline, 1)
        await timeline.until(lambda each: not each.keeps)
        assert "can't be used (Permission denied): until that is mended" in str(timeline.statistics().problem)
        not_root.chmod(0o700)
        await timeline.until(lambda each: each.keeps)
        await timeline.until_committed()
        assert await everything(timeline, put[0].seq, put[-1].seq) == put


async def test_a_file_that_is_read_only(not_root: Path) -> None:
    """What was in it is history again as soon as it can be written."""
    path = not_root / "timeline.db"
    async with living(path) as timeline:
        put = append(timeline, 100)
    path.chmod(0o400)
    async with living(path) as timeline:
        assert timeline.keeps is False
        put += append(timeline, 100)
        assert timeline.gap(put[0].seq, put[-1].seq) is not None
        path.chmod(0o600)
        await timeline.until(lambda each: each.keeps)
        await timeline.until_committed()
        assert timeline.gap(put[0].seq, put[-1].seq) is None
        assert await everything(timeline, 0, put[-1].seq, lenient=True) == put


async def test_a_full_disk(path: Path) -> None:
    """What is on it can still be read; what waits for room comes onto it when there is some; nothing is lost."""
    async with living(path) as timeline:
        put = append(timeline, 1000)
        await timeline.until_committed()
        limit_pages(timeline, path.stat().st_size // archive_file.PAGE_BYTES)
        put += append(timeline, 1000)
        await timeline.until(lambda each: not each.keeps)
        assert timeline.statistics().problem == (
            f"the disk with the timeline {path} is full: until there is room again, history is kept in memory only"
        )
        assert await everything(timeline, put[0].seq, put[999].seq) == put[:1000]
        limit_pages(timeline, 10**9)
        await timeline.until(lambda each: each.keeps)
        await timeline.until_committed()
        assert timeline.statistics().problem is None
        assert await everything(timeline, put[0].seq, put[-1].seq) == put


def limit_pages(timeline: Timeline, pages: int) -> None:
    """How large SQLite lets the file become."""
    archive = timeline._archive
    assert isinstance(archive, SqliteArchive)
    assert archive._writer._store is not None
    archive._writer._store._database.execute(f"PRAGMA max_page_count = {pages}").fetchall()


async def test_a_limit_on_the_size_of_files(path: Path) -> None:
    """The system refuses to write; also at the end, which comes all the same, and loses what could not be written."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        async with living(path) as timeline:
            put = append(timeline, 1000)
            await timeline.until_committed()
            resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
            put += append(timeline, 20, text=b"x" * 100_000)
            await timeline.until(lambda each: not each.keeps)
            problem = str(timeline.statistics().problem)
            assert f"the timeline {path} " in problem
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    async with living(path) as timeline:
        assert await everything(timeline, 0, put[-1].seq, lenient=True) == put[:1000]
        assert timeline.gap(put[0].seq, put[-1].seq) == Gap(put[1000].seq, put[-1].seq)


async def test_damage_that_a_reader_meets(path: Path) -> None:
    """It is told, and the file is not written any more."""
    async with living(path) as timeline:
        put = append(timeline, 3000)
    with path.open("r+b") as file:
        file.seek(20 * archive_file.PAGE_BYTES)
        file.write(b"\xff" * 40 * archive_file.PAGE_BYTES)
    before = path.read_bytes()
    async with living(path) as timeline:
        assert timeline.keeps is True
        with pytest.raises(HistoryLost, match="is damaged"):
            await everything(timeline, put[0].seq, put[-1].seq)
        problem = str(timeline.statistics().problem)
        assert f"the timeline {path} is damaged" in problem
        await serves_from_memory(timeline, problem)
    noted = archive_file.PAGE_BYTES * 10  # the pages with what is noted when a life begins
    assert path.read_bytes()[noted:] == before[noted:]


async def test_a_reader_that_meets_the_lock_of_a_writer_that_gives_up(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told why the writer has given up. Regression: "database is locked", by chance."""
    async with living(path) as timeline:
        put = append(timeline, 3)
        await timeline.until_committed()
        archive = timeline._archive
        assert isinstance(archive, SqliteArchive)

        def find_damage(*_: object) -> None:
            raise archive_file.damaged(path, "it was told so")

        def meet_lock(*_: object) -> None:
            archive.look()
            while not archive._writer.ended:
                time.sleep(0.001)
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorcode = sqlite3.SQLITE_BUSY
            raise error

        monkeypatch.setattr(archive._writer, "_work", find_damage)
        monkeypatch.setattr(Reader, "read", meet_lock)
        with pytest.raises(ArchiveFailed, match="it was told so"):
            await archive.read(put[0].seq, put[-1].seq, None, 1000, 10)


async def test_a_clock_that_was_set_back_under_a_locked_file(path: Path) -> None:
    """Numbers were given that had been used before: they can't go into the same file."""
    async with living(path):
        pass
    somebody = sqlite3.connect(path, isolation_level=None)
    somebody.execute("UPDATE number SET value = 1 << 60 WHERE name = 'reserved'")
    somebody.execute("PRAGMA locking_mode = EXCLUSIVE")
    somebody.execute("BEGIN EXCLUSIVE")
    async with living(path) as timeline:
        assert "database is locked" in str(timeline.statistics().problem)
        append(timeline, 1)
        somebody.close()
        await timeline.until(lambda each: "from the future" in str(each.statistics().problem))
        await serves_from_memory(timeline, str(timeline.statistics().problem))


async def test_no_thread_to_read_with(path: Path) -> None:
    """Who asks is told so; what is written goes on, and who asks again afterwards is answered."""
    async with living(path) as timeline:
        put = append(timeline, 100)
        await timeline.until_committed()
        with no_more_threads():
            said = await timeline.collect(put[0].seq, put[-1].seq, None, 100)
            assert said == (
                f"the timeline {path} can't be used just now (the system gives codexd no more threads): until that is "
                "over, history is kept in memory only"
            )
            put += append(timeline, 100)
            await timeline.until_committed()
        assert timeline.keeps
        assert await everything(timeline, put[0].seq, put[-1].seq) == put


async def test_a_thread_in_reserve_to_read_with(path: Path) -> None:
    """The shortage is not noticed."""
    async with living(path) as timeline:
        put = append(timeline, 100)
        await timeline.until_committed()
        with no_more_threads(reserved=1):
            assert await everything(timeline, put[0].seq, put[-1].seq) == put


async def test_no_memory_to_read_or_write_with(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's shortage of memory is Python's MemoryError, and ended the thread that writes, and codexd."""

    def refuse(*_: object) -> None:
        raise MemoryError

    async with living(path) as timeline:
        put = append(timeline, 100)
        await timeline.until_committed()
        with monkeypatch.context() as patch:
            patch.setattr(Store, "write", refuse)
            patch.setattr(Reader, "read", refuse)
            put += append(timeline, 100)
            await timeline.until(lambda each: not each.keeps)
            assert "(Cannot allocate memory)" in str(timeline.statistics().problem)
            with pytest.raises(HistoryLost, match="Cannot allocate memory"):
                await everything(timeline, put[0].seq, put[-1].seq)
        await timeline.until(lambda each: each.keeps)
        await timeline.until_committed()
        assert await everything(timeline, put[0].seq, put[-1].seq) == put
