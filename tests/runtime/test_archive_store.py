"""The store: numbers that never repeat, lives and what they lose, deletions that leave nothing."""

import os
import sqlite3
import stat
from pathlib import Path

import pytest

from codexd.routing.events import Event
from codexd.runtime import archive_store
from codexd.runtime.archive import History, Page, Size, Span
from codexd.runtime.archive_file import Unusable, Vanished
from codexd.runtime.archive_reader import Reader
from codexd.runtime.archive_store import BLOCK, Store, begin_life_without
from tests.runtime.events import event, events

LOG_BYTES = 256 * 1024


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file will be."""
    return tmp_path / "timeline.db"


def begun(path: Path, now: int = 1000) -> Store:
    """A store whose life has begun."""
    store = Store(path, LOG_BYTES)
    store.begin_life(now)
    return store


def write(store: Store, *given: Event) -> None:
    """Commits events."""
    store.write(given, [], {}, given[-1].seq)


def read(path: Path, first: int = 0, last: int = 2**53) -> list[Event]:
    """What a reader finds."""
    reader = Reader(path)
    page = reader.read(first, last, None, 10**9, 10**6)
    reader.close()
    assert page == Page(page.events, last + 1)
    return page.events


def test_a_new_file_is_private(path: Path) -> None:
    """Whatever the umask says, also the log that SQLite makes beside it."""
    before = os.umask(0)
    store = begun(path)
    write(store, event(1000))
    os.umask(before)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    store.close()
    assert modes == {"timeline.db": 0o600, "timeline.db-wal": 0o600, "timeline.db-shm": 0o600}


def test_what_was_written_is_read(path: Path) -> None:
    """Every member as it was, in order, however many were committed together."""
    store = begun(path)
    odd = Event(1000, 1.1, "ü", "a/b", b'{ "params" : "\xc3\xbc\\u0000" } ')
    rest = [event(seq, "ab"[seq % 2], at=seq / 3) for seq in range(1001, 1800)]
    write(store, odd, *rest[:400])
    write(store, *rest[400:])
    assert read(path) == [odd, *rest]
    assert store.size() == Size(path.stat().st_size + Path(f"{path}-wal").stat().st_size, 800)
    store.close()
    assert store_reopened(path, 10**6).size().events == 800


def store_reopened(path: Path, now: int) -> Store:
    """The next life."""
    store = begun(path, now)
    store.close()
    return begun(path, now)


def test_a_life_begins_with_the_clock(path: Path) -> None:
    """The first of all has nothing before it, and nothing lost."""
    store = Store(path, LOG_BYTES)
    assert store.begin_life(1000) == 1000
    assert store.history() == History(1000, 1000, ())
    store.close()


def test_numbers_never_repeat(path: Path) -> None:
    """Not even when the clock was set back: what is reserved is not used again, however the life ended."""
    store = begun(path, 1000)
    for seq in range(1000, 1000 + 3 * BLOCK, BLOCK // 2):
        write(store, event(seq))
        assert store._numbers()["reserved"] > seq + BLOCK
        newest = seq
    with pytest.raises(sqlite3.IntegrityError):
        store.write([event(newest)], [], {}, newest + BLOCK)
    write(store, event(newest + BLOCK))
    store.close()
    killed = Store(path, LOG_BYTES)
    first = killed.begin_life(5)
    assert first > newest + 2 * BLOCK
    killed.end_life()
    killed.close()
    after = Store(path, LOG_BYTES)
    assert after.begin_life(5) >= first
    after.close()


def test_numbers_in_use_are_reserved_though_nothing_is_kept_of_them(path: Path) -> None:
    """As those of ephemeral threads."""
    store = begun(path, 1000)
    store.write([], [], {}, 10**6)
    store.close()
    after = Store(path, LOG_BYTES)
    assert after.begin_life(5) > 10**6
    after.close()


def test_a_killed_life_has_lost_what_it_did_not_commit(path: Path) -> None:
    """From its last committed number to the begin of the next; a life that was ended well has lost nothing."""
    store = begun(path, 1000)
    write(store, event(1000), event(1005))
    store.close()
    killed = begun(path, 100_000)
    assert killed.history() == History(1000, 1000, (Span(1006, 99_999),))
    killed.close()
    killed_at_once = begun(path, 200_000)
    lost = (Span(1006, 99_999), Span(100_000, 199_999))
    assert killed_at_once.history().lost == lost
    write(killed_at_once, event(200_000))
    killed_at_once.end_life()
    killed_at_once.close()
    well = begun(path, 300_000)
    assert well.history() == History(1000, 1000, lost)
    assert read(path) == [event(1000), event(1005), event(200_000)]
    well.close()


def test_a_life_goes_on_when_the_file_is_opened_again(path: Path) -> None:
    """That is no second one, and loses nothing."""
    store = begun(path, 1000)
    write(store, event(1000))
    store.close()
    again = Store(path, LOG_BYTES)
    assert again.begin_life(1000) == 1000
    assert again.history().lost == ()
    again.close()


def test_lost_spans_are_kept_and_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are too many, the oldest two become one."""
    monkeypatch.setattr(archive_store, "_MAX_LOST", 2)
    store = begun(path)
    store.write([], [Span(1, 2), Span(5, 6), Span(9, 9), Span(4, 3)], {}, 9)
    assert store.history().lost == (Span(1, 6), Span(9, 9))
    store.close()


def test_a_transaction_that_fails_has_done_nothing(path: Path) -> None:
    """It can be tried again as it was."""
    store = begun(path)
    write(store, event(1003))
    with pytest.raises(sqlite3.IntegrityError):
        write(store, event(1001), event(1002), event(1003))
    assert read(path) == [event(1003)]
    assert store.size().events == 1
    write(store, event(1001), event(1002))
    store.close()


def test_trimming(path: Path) -> None:
    """What is below the floor is gone, with what was lost there; the floor is remembered."""
    store = begun(path)
    write(store, *events(1000, 1009))
    store.write([], [Span(1001, 1002), Span(1004, 1006)], {}, 1009)
    assert [row[0] for row in store.oldest(3)] == [1000, 1001, 1002]
    store.trim(1005)
    assert store.history() == History(1000, 1005, (Span(1004, 1006),))
    assert read(path) == events(1005, 1009)
    assert store.size().events == 5
    store.close()


def test_freed_pages_are_given_back(path: Path) -> None:
    """In steps: the file shrinks."""
    store = begun(path)
    write(store, *(event(seq, text=b"x" * 1000) for seq in range(1000, 4000)))
    store.empty_log()
    before = store.size().bytes
    store.trim(3990)
    store.empty_log()
    assert store.used_bytes() < before / 20
    assert store.size().bytes == before
    steps = 0
    while store.vacuum():
        steps += 1
    assert store.empty_log()
    assert 2 < steps < 10
    assert store.size().bytes < before / 20
    store.close()


def test_a_deleted_thread_leaves_nothing(path: Path) -> None:
    """It is not read from the moment of its deletion, and when it is erased nothing of it is in any file."""
    store = begun(path)
    secret = [event(seq, "secret-thread", b"planted-secret %d" % seq) for seq in range(1000, 4000, 2)]
    other = [event(seq, "other") for seq in range(1001, 4000, 2)]
    later = event(4001, "secret-thread", b"of a later day")
    write(store, *sorted(secret + other, key=lambda each: each.seq), later)
    store.empty_log()
    store.write([event(4002)], [], {"secret-thread": 4000}, 4002)
    assert read(path) == [*other, later, event(4002)]
    assert grep(path, b"planted-secret")
    while store.erase():
        assert read(path) == [*other, later, event(4002)]
    assert store.size().events == 1502
    assert store.empty_log()
    assert not grep(path, b"planted-secret")
    store.close()
    assert not grep(path, b"planted-secret")


def grep(path: Path, text: bytes) -> bool:
    """Whether the text is in any file of the database."""
    return any(text in file.read_bytes() for file in path.parent.iterdir())


def test_a_deletion_is_finished_by_the_next_life(path: Path) -> None:
    """Whoever is killed in the middle of it."""
    store = begun(path)
    write(store, *events(1000, 1999))
    store.write([], [], {"t": 1999}, 1999)
    store.erase()
    store.close()
    after = begun(path, 10**6)
    assert read(path) == []
    while after.erase():
        pass
    assert after.size().events == 0
    after.close()


def test_a_reader_holds_the_log(path: Path) -> None:
    """It is not emptied under somebody who reads there; that is tried again."""
    store = begun(path)
    write(store, event(1000))
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM event").fetchall()
    assert store.empty_log() is False
    reader.close()
    assert store.empty_log() is True
    assert Path(f"{path}-wal").stat().st_size == 0
    store.close()


def test_the_log_is_bounded(path: Path) -> None:
    """It goes into the database when it is long enough."""
    store = Store(path, 64 * 1024)
    store.begin_life(1000)
    for seq in range(1000, 3000, 10):
        write(store, *(event(seq + each, text=b"x" * 1000) for each in range(10)))
    assert Path(f"{path}-wal").stat().st_size < 256 * 1024
    store.close()


@pytest.mark.parametrize("replaced", [True, False])
def test_a_file_that_vanished(path: Path, replaced: bool) -> None:
    """Removed or replaced, it is not written any more. What is there now is somebody else's, and is left alone."""
    store = begun(path)
    store.check_still_there()
    path.rename(path.with_name("elsewhere"))
    if replaced:
        path.touch()
    sentence = f"the timeline {path} was " + (
        "replaced or emptied, .* codexd restart$" if replaced else "removed .* a new file is created there$"
    )
    with pytest.raises(Unusable, match=sentence) as raised:
        store.check_still_there()
    assert isinstance(raised.value, Vanished) != replaced
    assert raised.value.final == replaced
    store.close()


@pytest.mark.parametrize("what", ["the log", "the log is another", "the file is empty"])
def test_a_file_that_is_not_whole_any_more(path: Path, what: str) -> None:
    """What is written goes nowhere, though SQLite says nothing of it."""
    store = begun(path)
    write(store, event(1000))
    if what == "the file is empty":
        os.truncate(path, 0)
    else:
        Path(f"{path}-wal").rename(path.with_name("elsewhere"))
        if what == "the log is another":
            Path(f"{path}-wal").touch()
    with pytest.raises(Unusable, match="was replaced or emptied"):
        store.check_still_there()
    store.close()


def test_a_life_that_is_not_kept_is_missing(path: Path) -> None:
    """Its numbers stand above those of before, and below those of the next life, which knows that they are lost."""
    store = begun(path, 1000)
    write(store, event(1000))
    store.end_life()
    store.close()
    first = begin_life_without(path, 5)
    assert first > 1000
    again = begun(path, 10**9)
    assert again.history().lost == (Span(first, 10**9 - 1),)
    again.close()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE number SET name = 'bjrn' WHERE name = 'born'",
        "UPDATE number SET value = 'x' WHERE name = 'life'",
        "UPDATE lost SET last = 'x'",
        "UPDATE event SET at = 'noon'",
    ],
)
def test_what_was_never_written_is_damage(path: Path, damage: str) -> None:
    """It is said in words wherever it is met, and nothing else becomes of it."""
    store = begun(path)
    store.write([event(1000)], [Span(500, 501)], {}, 1000)
    store.close()
    database = sqlite3.connect(path, isolation_level=None)
    database.execute(damage)
    database.close()
    store = Store(path, LOG_BYTES)

    def live() -> None:
        store.begin_life(2000)
        store.history()
        store.oldest(1)

    with pytest.raises(Unusable, match="is damaged"):
        live()
    store.close()
