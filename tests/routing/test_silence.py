"""A Codex that hangs: counted in quarters, asked for a sign of life, and given up."""

from codexd.routing.silence import Silence, Step

NOTHING, ASK, GIVE_UP = Step.NOTHING, Step.ASK_FOR_SIGN, Step.GIVE_UP


def watched(limit: float = 8.0) -> Silence:
    """Something has been open since 100."""
    silence = Silence(limit)
    silence.watch(True, 100)
    return silence


def test_it_is_asked_after_half_the_limit_and_given_up_after_all_of_it() -> None:
    """With 8 seconds a quarter is 2."""
    silence = watched()
    assert silence.deadline == 102
    assert [silence.tick(now) for now in (102, 104, 106, 108)] == [NOTHING, ASK, NOTHING, GIVE_UP]


def test_a_tick_before_the_deadline_changes_nothing() -> None:
    """However many there are."""
    silence = watched()
    assert [silence.tick(now) for now in (100, 101, 101.9, 102)] == [NOTHING] * 4
    assert silence.deadline == 104


def test_a_line_of_codex_begins_the_count_anew() -> None:
    """From the moment at which it came."""
    silence = watched()
    for now in (102, 104, 106):
        silence.tick(now)
    silence.heard(107)
    assert (silence.tick(108), silence.deadline) == (NOTHING, 109)
    assert [silence.tick(now) for now in (109, 111, 113, 115)] == [NOTHING, ASK, NOTHING, GIVE_UP]


def test_what_it_said_before_anything_was_open_does_not_count() -> None:
    """Its time begins with what it is asked."""
    silence = Silence(8)
    silence.heard(50)
    silence.watch(True, 100)
    assert silence.deadline == 102


def test_nothing_is_due_while_nothing_is_open() -> None:
    """An idle Codex is not asked, and codexd sleeps."""
    silence = watched()
    silence.tick(102)
    silence.watch(False, 103)
    assert (silence.deadline, silence.tick(200)) == (None, NOTHING)
    silence.watch(True, 300)
    assert silence.deadline == 302


def test_what_stays_open_does_not_begin_the_count_anew() -> None:
    """Clients that go on asking do not keep a hung Codex alive."""
    silence = watched()
    silence.watch(True, 101)
    assert silence.deadline == 102


def test_a_quarter_that_codexd_slept_through_proves_nothing() -> None:
    """Codex may have slept, too, or its answer waits to be read: it has its whole time again."""
    silence = watched()
    for now in (102, 104, 106):
        silence.tick(now)
    assert (silence.tick(110.1), silence.deadline) == (NOTHING, 112.1)
    assert [silence.tick(now) for now in (112.1, 114.1, 116.1)] == [NOTHING, ASK, NOTHING]
    assert silence.tick(118.1 + 2) is GIVE_UP


def test_zero_seconds_are_no_limit() -> None:
    """Then nothing is ever due."""
    silence = watched(0)
    assert (silence.deadline, silence.tick(1000)) == (None, NOTHING)


LONG = 10_000_000
"""Ten seconds' reading."""


def test_a_codex_that_has_a_long_line_to_read_is_not_silent() -> None:
    """It was taken for hung while it read 126 MiB, and replaced, and every client's turn failed: time grows with the size."""
    silence = watched()
    silence.handed(LONG, 101)
    assert [silence.tick(now) for now in (102, 108, 111, 113)] == [NOTHING] * 4
    assert [silence.tick(now) for now in (115, 117, 119)] == [ASK, NOTHING, GIVE_UP]


def test_long_lines_are_read_one_after_another() -> None:
    """What one takes is added to what is left of those before it."""
    silence = watched()
    silence.handed(LONG, 101)
    silence.handed(LONG, 101)
    silence.heard(102)
    assert [silence.tick(now) for now in (103, 121, 123)] == [NOTHING] * 3
    assert [silence.tick(now) for now in (125, 127, 129)] == [ASK, NOTHING, GIVE_UP]


def test_the_answer_to_a_long_line_ends_its_reading() -> None:
    """A Codex that hangs afterwards is found out in the usual time; that of a short one proves nothing."""
    silence = watched()
    silence.handed(LONG, 101)
    silence.answered(100, 101.5)
    silence.answered(LONG, 102)
    assert [silence.tick(now) for now in (104, 106, 108, 110)] == [NOTHING, ASK, NOTHING, GIVE_UP]


def test_the_next_codex_has_nothing_of_it_to_read() -> None:
    """It is given up like any other."""
    silence = watched()
    silence.handed(LONG, 101)
    silence.codex_is_gone()
    assert [silence.tick(now) for now in (102, 104, 106, 108)] == [NOTHING, ASK, NOTHING, GIVE_UP]


def test_short_lines_give_no_time() -> None:
    """Clients that go on asking do not keep a hung Codex alive."""
    silence = watched()
    for now in range(100, 108):
        silence.handed(60_000, now)
    assert [silence.tick(now) for now in (102, 104, 106, 108)] == [NOTHING, ASK, NOTHING, GIVE_UP]
