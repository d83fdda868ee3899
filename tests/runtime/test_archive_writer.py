"""The writer: what is put is committed in batches, in order, and tidied up in between. Run here without a thread."""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from codexd.routing.events import Event
from codexd.runtime import archive_file, archive_writer
from codexd.runtime.archive import History, Span, Status
from codexd.runtime.archive_reader import Reader
from codexd.runtime.archive_retention import Keep, Retention
from codexd.runtime.archive_store import BLOCK, Store
from codexd.runtime.archive_writer import BATCH_BYTES, BATCH_EVENTS, Batch, Close, Deletion, Used, Writer
from tests.runtime.events import event, events


class Told:
    """The other side: remembers what it was told, and lets retention do what it wants."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.statuses: list[Status] = []
        self.when_changed: Callable[[], object] = list
        self.path: Path | None = None
        self.let_gone: list[bool] = []

    def committed(self, batch: Batch) -> None:
        self.batches.append(batch)

    def changed(self, status: Status) -> None:
        self.statuses.append(status)
        self.when_changed()

    def allow(self, floor: int, force: bool) -> int:
        return floor

    def let_go(self) -> None:
        self.let_gone.append(self.path is not None and self.path.exists())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file will be."""
    return tmp_path / "timeline.db"


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pauses between commits and attempts."""
    monkeypatch.setattr(archive_writer, "PACE_SECONDS", 0)
    monkeypatch.setattr(archive_writer, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(archive_file, "BUSY_MILLISECONDS", 1)


def run(writer: Writer, *items: archive_writer.Item) -> Told:
    """A whole life in which this is put."""
    told = Told()
    for item in (*items, Close()):
        writer.items.put(item)
    writer.run(told)
    return told


def read(path: Path) -> list[Event]:
    """What is in the file."""
    reader = Reader(path)
    found = reader.read(0, 2**60, None, 10**9, 10**6).events
    reader.close()
    return found


def test_what_waits_is_committed_together(path: Path) -> None:
    """In order, a thousand at a time."""
    put = events(10**6, 10**6 + 2 * BATCH_EVENTS)
    told = run(Writer(path, Keep(), 10**6), *put)
    assert [len(batch.events) for batch in told.batches] == [BATCH_EVENTS, BATCH_EVENTS, 1]
    assert [batch.last for batch in told.batches] == [put[1023].seq, put[2047].seq, put[2048].seq]
    assert read(path) == put
    assert told.statuses == []


class Pauses(threading.Event):
    """Nobody waits: `asked` says whether somebody would have."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[bool] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.asked.append(timeout != 0 and not self.is_set())
        return False


def test_it_pauses_behind_a_commit_that_it_had_not_to_hurry_for(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that few events are committed together, and many without a pause in which still more would come to wait."""
    monkeypatch.setattr(archive_writer, "PACE_SECONDS", 3600)
    writer = Writer(path, Keep(), 10)
    pauses = writer._wanted = Pauses()
    put = events(10, 10 + 2 * BATCH_EVENTS)
    told = Told()

    def put_more(batch: Batch) -> None:
        told.batches.append(batch)
        if len(batch.events) == 1:
            for item in (event(5000), Close()):
                writer.items.put(item)

    monkeypatch.setattr(told, "committed", put_more)
    for item in put:
        writer.items.put(item)
    writer.run(told)
    assert [len(batch.events) for batch in told.batches] == [BATCH_EVENTS, BATCH_EVENTS, 1, 1]
    assert pauses.asked == [False, False, False, True]


def test_a_deletion_ends_the_pause(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That one, and no other: what somebody wants gone is gone before codexd can be killed."""
    monkeypatch.setattr(archive_writer, "PACE_SECONDS", 3600)
    writer = Writer(path, Keep(), 10)
    pauses = writer._wanted = Pauses()
    told = Told()

    def put_more(batch: Batch) -> None:
        told.batches.append(batch)
        if len(told.batches) == 1:
            writer.items.put(Deletion("t", 10))
            writer.wake()
        elif len(told.batches) == 2:
            for item in (event(12), Close()):
                writer.items.put(item)

    monkeypatch.setattr(told, "committed", put_more)
    writer.items.put(event(10))
    writer.run(told)
    assert [list(batch.deleted) for batch in told.batches] == [[], ["t"], []]
    assert pauses.asked == [False, False, True]


def test_a_batch_is_bounded_in_bytes(path: Path) -> None:
    """One large event fills it."""
    put = [event(seq, text=b"x" * (BATCH_BYTES // 2)) for seq in range(10, 15)]
    told = run(Writer(path, Keep(), 10), *put)
    assert [len(batch.events) for batch in told.batches] == [2, 2, 1]


def test_everything_else_goes_with_the_events(path: Path) -> None:
    """What was lost, deleted, or is only in use."""
    writer = Writer(path, Keep(), 10)
    told = run(
        writer, event(10, "a"), event(11, "b"), Span(12, 14), Deletion("a", 14), Used(15), event(16, "a")
    )
    (batch,) = told.batches
    assert (batch.lost, batch.deleted, batch.last) == ([Span(12, 14)], {"a": 14}, 16)
    assert read(path) == [event(11, "b"), event(16, "a")]
    writer = Writer(path, Keep(), 10**6)
    assert writer.status.history is not None
    assert writer.status.history.lost == (Span(12, 14),)
    assert writer.size.events == 2
    run(writer)


def test_the_log_is_emptied_of_a_deleted_thread(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the begin of a life, when a thread has been erased, and at the end."""
    emptied: list[bool] = []
    empty_log = Store.empty_log

    def note(store: Store) -> bool:
        emptied.append(empty_log(store))
        return emptied[-1]

    monkeypatch.setattr(Store, "empty_log", note)
    put = events(10**6, 10**6 + 4 * BATCH_EVENTS)
    told = run(Writer(path, Keep(), 10**6), Deletion("gone", 5), *put)
    assert len(told.batches) == 5
    assert emptied == [True] * 3


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is done to the store, in order: commits, and steps after which there is more to do."""
    noted: list[str] = []
    write, erase, step = Store.write, Store.erase, Retention.step

    def note_write(store: Store, *batch: Any) -> None:
        noted.append("commit")
        write(store, *batch)

    def note_erase(store: Store) -> bool:
        has_more = erase(store)
        noted.extend(["erase"] * has_more)
        return has_more

    def note_step(retention: Retention, store: Store) -> bool:
        has_more = step(retention, store)
        noted.extend(["retain"] * has_more)
        return has_more

    monkeypatch.setattr(Store, "write", note_write)
    monkeypatch.setattr(Store, "erase", note_erase)
    monkeypatch.setattr(Retention, "step", note_step)
    return noted


def test_what_comes_is_committed_between_two_steps(path: Path, done: list[str]) -> None:
    """However many events are to be erased and are too old: nobody waits until all of them have gone."""
    run(Writer(path, Keep(days=10**6), 10), *events(10, 1509), *events(1510, 3009, "deleted"))
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("INSERT INTO mark VALUES (1510, -15 * 86400)")
    done.clear()
    come = events(10**6, 10**6 + 9 * BATCH_EVENTS - 1)
    run(Writer(path, Keep(), 10**6), Deletion("deleted", 10**6), *come)
    steps = ["retain", *["erase"] * 4, *["retain"] * 2]
    assert done == [each for step in steps for each in (step, "commit")] + ["commit"] * 2
    assert read(path) == come


def test_numbers_are_reserved_before_the_last_block_is_used_up(path: Path) -> None:
    """For what has been given out, not only for what is committed."""
    writer = Writer(path, Keep(), 1000)
    writer.handed_out = 500_000
    run(writer, event(1000))
    after = Writer(path, Keep(), 5)
    assert after.first_seq > 500_000 + BLOCK
    run(after)


def test_an_end_without_a_note(path: Path) -> None:
    """A file that was found to be damaged is not written any more, at once."""
    writer = Writer(path, Keep(), 10)
    writer.items.put(event(10))
    writer.stop()
    writer.run(Told())
    assert read(path) == []


def test_a_file_that_is_replaced_while_it_is_tidied(path: Path) -> None:
    """Whatever fails first, the reason is told, once, and the thread ends."""
    writer = Writer(path, Keep(), 10)
    path.unlink()
    path.touch()
    (status,) = run(writer, event(10)).statuses
    assert str(status.problem).startswith(f"the timeline {path} was replaced or emptied")
    assert path.read_bytes() == b""


def test_a_file_that_is_removed_is_begun_anew(path: Path) -> None:
    """With what has not been committed, and numbers above all that are in use. The other side lets go of the old one first."""
    writer = Writer(path, Keep(), 10)
    writer.handed_out = 500_000
    told = Told()
    told.path = path

    def remove(batch: Batch) -> None:
        told.batches.append(batch)
        if batch.last == 10:
            path.unlink()
            for item in (event(12), Deletion("u", 12), event(13), Close()):
                writer.items.put(item)

    told.committed = remove  # type: ignore[method-assign]
    writer.items.put(event(10))
    writer.run(told)
    gone, again = told.statuses
    assert (gone.state, gone.history) == ("degraded", None)
    assert gone.problem == (
        f"the timeline {path} was removed while codexd ran, and the history in it is gone: a new file is created there"
    )
    assert (again.state, again.problem, again.history) == ("on", None, History(11, 11))
    assert told.let_gone == [False], "it is let go of before the new one is there"
    assert read(path) == [event(12), event(13)]
    after = Writer(path, Keep(), 5)
    assert after.first_seq > 500_000 + BLOCK
    run(after)


def test_an_idle_writer_that_begins_late_says_so_at_once(path: Path) -> None:
    """Nothing comes that it could commit. Regression: it was degraded to everybody until something came."""
    run(Writer(path, Keep(), 10))
    somebody = sqlite3.connect(path, isolation_level=None)
    somebody.execute("BEGIN IMMEDIATE")
    writer = Writer(path, Keep(), 10**6)
    somebody.close()
    told = Told()
    told.when_changed = lambda: writer.items.put(Close())
    writer.run(told)
    assert [status.state for status in told.statuses] == ["on"]


def test_a_file_that_can_not_be_written_is_tried_again(path: Path) -> None:
    """With what was to be written then; the change is told twice, the reason not again and again."""
    writer = Writer(path, Keep(), 10)
    somebody = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    somebody.execute("BEGIN IMMEDIATE")
    told = Told()
    again = threading.Event()
    writer.items.put(event(10))
    told.when_changed = again.set
    thread = threading.Thread(target=writer.run, args=(told,))
    thread.start()
    assert again.wait(30)
    again.clear()
    somebody.execute("ROLLBACK")
    somebody.close()
    assert again.wait(30)
    writer.items.put(Close())
    thread.join()
    assert [status.state for status in told.statuses] == ["degraded", "on"]
    assert [status.history for status in told.statuses] == [writer.status.history] * 2
    assert read(path) == [event(10)]


def test_at_the_end_it_is_tried_once_more(path: Path) -> None:
    """Then codexd ends without it."""
    writer = Writer(path, Keep(), 10)
    somebody = sqlite3.connect(path, isolation_level=None)
    somebody.execute("BEGIN IMMEDIATE")
    writer.hurry()
    told = run(writer, event(10))
    somebody.close()
    assert [status.state for status in told.statuses] == ["degraded"]
    assert read(path) == []


def test_a_file_that_can_not_be_begun(path: Path) -> None:
    """It is closed again, and numbers begin where nobody can have reserved any."""
    run(Writer(path, Keep(), 10))
    somebody = sqlite3.connect(path, isolation_level=None)
    somebody.execute("BEGIN IMMEDIATE")
    writer = Writer(path, Keep(), 100_000)
    assert (writer.status.state, writer.status.history) == ("degraded", None)
    assert writer.first_seq > 100_000 + 2 * BLOCK
    somebody.close()
    told = run(writer, event(writer.first_seq))
    assert [status.state for status in told.statuses] == ["on"]
    assert [each.seq for each in read(path)] == [writer.first_seq]
