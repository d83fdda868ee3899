"""What is seen of a timeline from outside."""

import sqlite3
from pathlib import Path

from codexd.runtime.archive_inspection import Inspection, inspect
from codexd.runtime.archive_store import Store
from tests.runtime.events import event


def test_what_is_in_it(tmp_path: Path) -> None:
    """Beside who writes it, and after; nothing is left behind."""
    path = tmp_path / "timeline.db"
    store = Store(path, 10**6)
    store.begin_life(1)
    assert inspect(path) == Inspection(store.size().bytes, 0, None, None)
    store.write([event(1, at=1.5), event(2, at=2.5), event(3, at=3.5)], [], {}, 3)
    assert inspect(path) == Inspection(store.size().bytes, 3, 1.5, 3.5)
    store.end_life()
    store.close()
    assert inspect(path) == Inspection(path.stat().st_size, 3, 1.5, 3.5)
    assert list(tmp_path.iterdir()) == [path]


def test_an_empty_file(tmp_path: Path) -> None:
    """As a codexd leaves one that is killed in its first moment: the next one makes a timeline of it."""
    path = tmp_path / "timeline.db"
    path.touch()
    assert inspect(path) == Inspection(0, 0, None, None)


def test_damage_that_nobody_has_met(tmp_path: Path) -> None:
    """It stands in the middle of the file, where codexd reads only when it is asked for that."""
    path = tmp_path / "timeline.db"
    store = Store(path, 10**6)
    store.begin_life(1)
    store.write([event(seq, text=b"x" * 1000) for seq in range(1, 1000)], [], {}, 1000)
    store.end_life()
    store.close()
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xff" * 40_000)
    problem = inspect(path)
    assert isinstance(problem, str)
    assert problem.startswith(f"the timeline {path} is damaged")


def test_what_is_none_of_ours(tmp_path: Path) -> None:
    """The sentence is that of the daemon."""
    path = tmp_path / "timeline.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE theirs (a)")
    database.close()
    problem = inspect(path)
    assert isinstance(problem, str)
    assert problem.startswith(f"{path} is no timeline of codexd")
