"""Turns whose thread is at rest although Codex has not said that they have ended."""

from codexd.routing.missing_ends import GRACE_SECONDS, MissingEnds


def test_an_end_is_missing_for_too_long_after_the_grace() -> None:
    """Its time begins when the thread comes to rest, and not again when that is said again."""
    ends = MissingEnds()
    assert (ends.deadline, ends.take_due(1e12)) == (None, [])
    ends.miss("T", "u", 100)
    ends.miss("T", "u", 102)
    assert (ends.deadline, ends.take_due(102.9), ends.overdue("T")) == (100 + GRACE_SECONDS, [], [])
    assert (ends.take_due(103), ends.overdue("T"), ends.deadline) == (["T"], ["u"], None)
    ends.miss("T", "u", 104)
    assert ends.deadline is None


def test_each_thread_is_due_once_with_all_its_turns() -> None:
    """A turn may have begun while the end of another was missing."""
    ends = MissingEnds()
    ends.miss("T", "u", 100)
    ends.miss("S", "v", 100)
    ends.miss("T", "w", 101)
    assert ends.of_thread("T") == ["u", "w"]
    assert (ends.take_due(104), ends.overdue("T"), ends.overdue("S")) == (["T", "S"], ["u", "w"], ["v"])


def test_what_is_found_is_not_missing() -> None:
    """Before it is due, and after."""
    ends = MissingEnds()
    ends.miss("T", "u", 100)
    assert (ends.found("u"), ends.found("u"), ends.deadline) == (True, False, None)
    ends.miss("T", "u", 100)
    ends.take_due(103)
    assert (ends.found("u"), ends.overdue("T")) == (True, [])


def test_a_thread_that_is_gone_waits_for_nothing() -> None:
    """The others do."""
    ends = MissingEnds()
    ends.miss("T", "u", 100)
    ends.miss("S", "v", 101)
    ends.forget_thread("T")
    assert (ends.of_thread("T"), ends.deadline) == ([], 104)


def test_what_codexd_has_told_is_known_until_codex_is_gone() -> None:
    """So is everything else."""
    ends = MissingEnds()
    ends.told("u")
    ends.miss("T", "v", 100)
    ends.miss("T", "w", 100)
    assert (ends.is_told("u"), ends.is_told("v")) == (True, False)
    ends.clear()
    assert (ends.is_told("u"), ends.of_thread("T"), ends.deadline, ends.take_due(1e12)) == (
        False,
        [],
        None,
        [],
    )


def test_what_codex_can_not_say_yet_is_asked_again_at_rest() -> None:
    """Not before; and what is due already is due once."""
    ends = MissingEnds()
    ends.miss("T", "u", 100)
    ends.miss("T", "v", 100)
    ends.take_due(103)
    ends.wait_for_rest("u")
    assert (ends.overdue("T"), ends.deadline) == (["v"], None)
    ends.rests("T", 110)
    assert (ends.overdue("T"), ends.deadline) == (["v"], 113)
    assert (ends.take_due(113), ends.overdue("T")) == (["T"], ["u", "v"])
