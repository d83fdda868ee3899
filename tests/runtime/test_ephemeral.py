"""Events of ephemeral threads: kept in memory, bounded, and what has gone is known."""

from codexd.runtime import ephemeral
from codexd.runtime.archive import Span
from codexd.runtime.ephemeral import Ephemeral
from codexd.runtime.ring import cost
from tests.runtime.events import event, events


def test_what_is_kept_and_what_has_gone() -> None:
    """The oldest go first; which numbers that were is known of each thread."""
    kept = Ephemeral(1, 3 * cost(event(1)))
    for each in events(1, 5):
        kept.append(each)
    assert list(kept.between(1, 9)) == events(3, 5)
    assert kept.bytes == 3 * cost(event(1))
    assert list(kept.gone(None)) == list(kept.gone("t")) == [Span(1, 2)]
    assert list(kept.gone("other")) == []


def test_one_too_large_is_kept_all_the_same() -> None:
    """The newest is there however long it is."""
    kept = Ephemeral(1, 100)
    kept.append(event(1, text=b"x" * 1000))
    assert len(list(kept.between(1, 1))) == 1
    assert list(kept.gone(None)) == []


def test_a_thread_is_forgotten() -> None:
    """With its events goes what is known of those that went before."""
    kept = Ephemeral(1, cost(event(1)))
    for each in (event(1, "a"), event(2, "b"), event(3, "a")):
        kept.append(each)
    kept.forget("a")
    assert list(kept.between(1, 9)) == []
    assert list(kept.gone(None)) == [Span(2, 2)]


def test_what_is_known_of_each_thread_is_bounded(monkeypatch) -> None:
    """Of the oldest of very many threads is only known that something has gone: that counts for everybody."""
    monkeypatch.setattr(ephemeral, "_MAX_THREADS", 2)
    kept = Ephemeral(1, cost(event(1)))
    for seq in range(1, 5):
        kept.append(event(seq, f"t{seq}"))
    assert len(kept._gone) == 2
    assert list(kept.gone("nobody's")) == [Span(1, 1)]
    assert list(kept.gone("t3")) == [Span(1, 1), Span(3, 3)]
    assert list(kept.gone(None)) == [Span(1, 1), Span(2, 2), Span(3, 3)]
