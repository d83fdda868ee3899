"""Retention: what is too old or too much goes, the oldest first, a little at a time, and never what is in use."""

from pathlib import Path

import pytest

from codexd.runtime.archive_age import Uptime
from codexd.runtime.archive_retention import Keep, Retention
from codexd.runtime.archive_store import Store
from tests.runtime.events import event

MIB = 1024 * 1024
DAY = 86400.0


class Gate:
    """Who is asked: remembers what, and lets retention go as far as `upto`."""

    def __init__(self, upto: int = 2**53) -> None:
        self.upto = upto
        self.asked: list[tuple[int, bool]] = []

    def __call__(self, floor: int, force: bool) -> int:
        self.asked.append((floor, force))
        return floor if force else min(floor, self.upto)


class Clock:
    """The machine's uptime."""

    now = 100 * DAY

    def __call__(self) -> Uptime:
        return Uptime("this boot", self.now)


@pytest.fixture
def store(tmp_path: Path):
    """An empty store."""
    made = Store(tmp_path / "timeline.db", 64 * 1024)
    made.begin_life(0, Uptime("this boot", Clock.now))
    yield made
    made.close()


def fill(store: Store, count: int, length: int, at: float = 100 * DAY) -> None:
    """Puts events behind those that there are."""
    newest = store._database.execute("SELECT coalesce(max(seq), 0) FROM event").fetchone()[0]
    for first in range(newest + 1, newest + 1 + count, 100):
        batch = [
            event(seq, text=b"x" * length, at=at)
            for seq in range(first, min(first + 100, newest + 1 + count))
        ]
        store.write(batch, [], {}, batch[-1].seq)


def run(retention: Retention, store: Store) -> int:
    """Steps until there is nothing more to do; returns how many."""
    steps = 1
    while retention.step(store):
        steps += 1
    return steps


def oldest(store: Store) -> int:
    """The number of the oldest event."""
    return store.oldest(1)[0][0]


def test_by_age(store: Store) -> None:
    """What has been there for longer than the days goes, in steps of some hundred; the rest stays."""
    clock, gate = Clock(), Gate()
    retention = Retention(Keep(4, 100 * MIB), gate, clock)
    fill(store, 1700, 10)
    assert retention.is_due()
    assert run(retention, store) == 1
    clock.now += 2 * DAY
    fill(store, 300, 10)
    clock.now += 2 * DAY - 1
    assert run(retention, store) == 1
    clock.now += 1
    assert run(retention, store) == 5
    assert gate.asked == [(501, False), (1001, False), (1501, False), (1701, False)]
    assert (oldest(store), store.size().events, store.history().floor) == (1701, 300, 1701)


def test_the_time_of_day_proves_no_age(store: Store) -> None:
    """Events that say they are years old, or from the future, are as old as they have been there.

    A clock that was ten years ahead once deleted the whole timeline, for good.
    """
    clock, gate = Clock(), Gate()
    retention = Retention(Keep(14, 100 * MIB), gate, clock)
    fill(store, 100, 10, at=-3650 * DAY)
    fill(store, 100, 10, at=3650 * DAY)
    clock.now += 13.9 * DAY
    assert run(retention, store) == 1
    assert gate.asked == []


def test_size_holds_whatever_the_clock_says(store: Store) -> None:
    """No age has passed, and still no more is kept than the disk may hold."""
    fill(store, 6000, 1000, at=3650 * DAY)
    limit = int(store.used_bytes() / 1.1)
    assert run(Retention(Keep(14, limit), Gate(), Clock()), store) > 1
    assert store.used_bytes() <= limit


def test_by_size(store: Store) -> None:
    """Down to the limit and not much further; pages and log count."""
    fill(store, 6000, 1000)
    limit = int(store.used_bytes() / 1.1)
    gate = Gate()
    retention = Retention(Keep(14, limit), gate, Clock())
    assert run(retention, store) > 2
    assert limit * 0.8 < store.used_bytes() <= limit
    assert {force for _, force in gate.asked} == {False}


def test_steps_are_small_in_bytes(store: Store) -> None:
    """A step of large events is some of them."""
    fill(store, 90, 100_000)
    gate = Gate()
    assert run(Retention(Keep(14, 8 * MIB), gate, Clock()), store) > 2
    assert gate.asked[0][0] < 10


def test_what_is_in_use_stays(store: Store) -> None:
    """As long as the size allows; past a quarter too much, nobody holds it up."""
    fill(store, 3000, 1000)
    used = store.used_bytes()
    gate = Gate(upto=20)
    run(Retention(Keep(14, int(used / 1.2)), gate, Clock()), store)
    assert oldest(store) == 20
    run(Retention(Keep(14, int(used / 1.5)), gate, Clock()), store)
    assert oldest(store) > 20
    assert gate.asked[-1][1] is False
    assert store.used_bytes() < used / 1.5 * 1.25


def test_when_it_looks_again(store: Store) -> None:
    """After a time, and when much has been written."""
    clock = Clock()
    retention = Retention(Keep(14, 64 * MIB), Gate(), clock)
    assert retention.is_due()
    assert retention.step(store) is False
    assert not retention.is_due()
    retention.wrote(MIB)
    assert not retention.is_due()
    retention.wrote(1)
    assert retention.is_due()
    retention.step(store)
    assert not retention.is_due()
    clock.now += 599
    assert not retention.is_due()
    clock.now += 1
    assert retention.is_due()


def test_nothing_to_do_asks_nobody(store: Store) -> None:
    """Neither young events nor none at all."""
    gate = Gate()
    retention = Retention(Keep(), gate, Clock())
    assert retention.step(store) is False
    fill(store, 10, 10, at=0.0)
    assert retention.step(store) is False
    assert gate.asked == []


def test_defaults() -> None:
    """Two weeks and a gibibyte."""
    assert Keep() == Keep(days=14, bytes=1024**3)
