"""The reader: pages of what is committed, while somebody writes, and without changing anything."""

import sqlite3
from pathlib import Path

import pytest

from codexd.runtime.archive import Page
from codexd.runtime.archive_file import Unusable
from codexd.runtime.archive_reader import Reader
from codexd.runtime.archive_store import Store
from tests.runtime.events import event, events


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with some events of two threads."""
    path = tmp_path / "timeline.db"
    store = Store(path, 10**6)
    store.begin_life(1)
    store.write([event(seq, "ab"[seq % 2]) for seq in range(1, 10)], [], {}, 9)
    store.close()
    return path


def test_pages(path: Path) -> None:
    """As long as is asked for, in numbers and bytes; one event at least; then where to go on."""
    reader = Reader(path)
    length = len(event(1).line)
    pages = [
        reader.read(*wanted)
        for wanted in [
            (2, 99, None, 10**6, 3),
            (2, 99, None, 2 * length, 9),
            (2, 99, None, 1, 9),
            (2, 4, None, 10**6, 9),
            (2, 99, "a", 10**6, 2),
            (2, 99, "c", 10**6, 2),
            (10, 99, None, 1, 1),
        ]
    ]
    reader.close()
    assert [([each.seq for each in page.events], page.next) for page in pages] == [
        ([2, 3, 4], 5),
        ([2, 3], 4),
        ([2], 3),
        ([2, 3, 4], 5),
        ([2, 4], 6),
        ([], 100),
        ([], 100),
    ]


def test_a_page_leaves_the_log_alone(path: Path) -> None:
    """A reader that stopped in the middle holds nothing back."""
    store = Store(path, 10**6)
    store.begin_life(1)
    reader = Reader(path)
    reader.read(1, 9, None, 1, 1)
    store.write(events(20, 21), [], {}, 21)
    assert store.empty_log() is True
    assert reader.read(20, 30, None, 10**6, 9) == Page(events(20, 21), 31)
    reader.close()
    store.close()


def test_it_writes_nothing(path: Path) -> None:
    """By mistake either."""
    reader = Reader(path)
    reader.read(1, 1, None, 1, 1)
    assert reader._database is not None
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader._database.execute("DELETE FROM event")
    reader.close()


def test_it_makes_no_file(tmp_path: Path) -> None:
    """There may be none; after a close it opens again."""
    reader = Reader(tmp_path / "none.db")
    for _ in range(2):
        with pytest.raises(sqlite3.OperationalError, match="unable to open"):
            reader.read(1, 1, None, 1, 1)
        reader.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "damage",
    [
        "line = x'7b226d6574686f64223a226d227d'",
        "line = x'7b22706172616d73223a22ff227d'",
        "line = x'7b22706172616d73223a'",
        "line = '{\"params\":1}'",
        "at = 'noon'",
        "method = x'6d'",
    ],
)
def test_a_damaged_event_is_nobodys(path: Path, damage: str) -> None:
    """SQLite has no checksums: what no client could read, and codexd did not write, is damage like any other."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute(f"UPDATE event SET {damage} WHERE seq = 4")
    database.close()
    reader = Reader(path)
    assert [each.seq for each in reader.read(1, 3, None, 10**6, 9).events] == [1, 2, 3]
    with pytest.raises(Unusable, match=r"is damaged \(its event 4 is none\).*mv .* codexd start$") as damaged:
        reader.read(1, 9, None, 10**6, 9)
    assert damaged.value.final
    reader.close()
