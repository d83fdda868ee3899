"""Proven age: what a wrong clock, a reboot, a suspended machine and a missing boot id do to it, and don't."""

import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from codexd.runtime import archive_age
from codexd.runtime.archive_age import Ages, Uptime, uptime

HOUR = 3600.0


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    """An empty database."""
    made = sqlite3.connect(":memory:", isolation_level=None)
    yield made
    made.close()


def begun(database: sqlite3.Connection, now: Uptime) -> Ages:
    """A process that begins at this uptime."""
    ages = Ages(database)
    ages.begin(now)
    return ages


def test_age_counts_from_the_mark(database: sqlite3.Connection) -> None:
    """What was recorded by then is as old as the time since; what came later is younger."""
    ages = begun(database, Uptime("a", 100))
    ages.mark(10, Uptime("a", 200))
    ages.mark(20, Uptime("a", 300))
    assert ages.floor(50, Uptime("a", 249)) == 0
    assert ages.floor(50, Uptime("a", 250)) == 10
    assert ages.floor(50, Uptime("a", 349)) == 10
    assert ages.floor(50, Uptime("a", 350)) == 20


def test_events_grow_older_over_starts_in_which_nothing_comes(database: sqlite3.Connection) -> None:
    """Each start marks what there is; that makes nothing younger."""
    begun(database, Uptime("a", 0)).mark(10, Uptime("a", 0))
    again = begun(database, Uptime("a", 500))
    again.mark(10, Uptime("a", 500))
    assert again.floor(500, Uptime("a", 500)) == 10


def test_marks_of_what_is_gone_are_forgotten(database: sqlite3.Connection) -> None:
    """They would only grow in number."""
    ages = begun(database, Uptime("a", 0))
    for seq in (10, 20, 30):
        ages.mark(seq, Uptime("a", seq))
    ages.forget(20)
    assert database.execute("SELECT seq FROM mark").fetchall() == [(20,), (30,)]


@pytest.mark.parametrize(
    ("later", "passed"),
    [
        (Uptime("a", 100 + HOUR), HOUR),
        (Uptime("b", 60), 60.0),
        (Uptime("", 100 + HOUR), 0.0),
        (Uptime("a", 50), 0.0),
    ],
    ids=[
        "same boot",
        "reboot: only its own uptime is certain",
        "boot unknown: nothing is certain",
        "backwards",
    ],
)
def test_what_has_passed_between_two_processes(
    database: sqlite3.Connection, later: Uptime, passed: float
) -> None:
    """As much as is certain, and no more."""
    ages = begun(database, Uptime("a", 0))
    ages.mark(10, Uptime("a", 100))
    assert begun(database, later).proven(later) == 100 + passed


def test_an_uptime_that_goes_back_proves_nothing(database: sqlite3.Connection) -> None:
    """As in a virtual machine that was set back to a snapshot."""
    ages = begun(database, Uptime("a", 100))
    assert ages.proven(Uptime("a", 50)) == 0


def test_a_note_that_makes_no_sense_counts_as_none(database: sqlite3.Connection) -> None:
    """SQLite has no checksums; age then begins anew."""
    begun(database, Uptime("a", 100)).mark(10, Uptime("a", 200))
    database.execute("UPDATE uptime SET proven = 'much'")
    assert begun(database, Uptime("a", 300)).proven(Uptime("a", 300)) == 0


def test_the_machine_tells_its_uptime(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With the boot on Linux; without /proc, and elsewhere, the boot is not known."""
    assert uptime().seconds > 0
    if sys.platform == "linux":
        assert len(uptime().boot) == 36
    for missing in ("_BOOT_ID", "_UPTIME"):
        with monkeypatch.context() as patch:
            patch.setattr(archive_age, missing, tmp_path / "missing")
            assert uptime().boot == ""
            assert uptime().seconds <= time.monotonic()
