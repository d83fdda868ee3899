"""Codex's life: the table whole, and how long to wait after a death."""

import itertools

import pytest
from hypothesis import given, strategies as st

from codexd.routing.lifecycle import (
    BACKOFF_SECONDS,
    CRASH_LOOP_DEATHS,
    CRASH_LOOP_SECONDS,
    START_SECONDS,
    TRANSITIONS,
    Event,
    IllegalTransition,
    Lifecycle,
    State,
)

LEGAL = {
    ("exited", "START"): "starting",
    ("waiting", "START"): "starting",
    ("starting", "ANSWERED"): "ready",
    ("starting", "EXIT"): "exited",
    ("ready", "EXIT"): "exited",
    ("draining", "EXIT"): "exited",
    ("exited", "RETRY"): "waiting",
    ("starting", "STOP"): "draining",
    ("ready", "STOP"): "draining",
    ("draining", "STOP"): "draining",
    ("waiting", "STOP"): "exited",
    ("exited", "STOP"): "exited",
}


def running(deaths: int = 0) -> Lifecycle:
    """A Codex that is ready at 0, after so many deaths at 0."""
    life = Lifecycle()
    life.start(0)
    for _ in range(deaths):
        life.exited("dead", 0)
        life.start(0)
    life.spawned(4000, 0)
    life.answered()
    return life


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, Event)))
def test_every_step_is_in_the_table_or_illegal(state: State, event: Event) -> None:
    """No state has a way out that nobody wrote down."""
    life = Lifecycle()
    life.state = state
    following = LEGAL.get((state.value, event.name))
    if following is None:
        with pytest.raises(IllegalTransition, match=f"{event.name} in state {state.name}"):
            life.fire(event)
        assert life.state is state
    else:
        life.fire(event)
        assert life.state.value == following


def test_every_state_can_be_reached_and_left() -> None:
    """A table without dead ends and without islands."""
    assert {state for state, _ in TRANSITIONS} == set(State)
    assert set(TRANSITIONS.values()) == set(State)


def test_a_new_daemon_has_no_codex_and_has_not_lost_one() -> None:
    """Before the first start nothing is down that somebody could have to bring up."""
    life = Lifecycle()
    assert (life.state, life.incarnation, life.is_left_down) == (State.EXITED, 0, False)


def test_starting_takes_so_long_at_most() -> None:
    """A Codex that never answers does not keep everybody waiting for ever."""
    life = Lifecycle()
    assert life.start(100) == 1
    assert (life.state, life.deadline) == (State.STARTING, 100 + START_SECONDS)
    life.spawned(4000, 101)
    assert (life.pid, life.started_at, life.deadline) == (4000, 101, 130)
    life.answered()
    assert (life.state, life.deadline, life.reason) == (State.READY, None, None)


def test_only_the_present_life_counts() -> None:
    """A late report of an earlier process must not end the present one (T22)."""
    life = Lifecycle()
    assert not life.is_current(0)
    life.start(0)
    assert life.is_current(1)
    life.exited("dead", 0)
    assert not life.is_current(1)
    life.start(0)
    assert (life.is_current(1), life.is_current(2)) == (False, True)
    life.stop()
    assert life.is_current(2)


def test_the_pauses_grow_with_the_deaths() -> None:
    """At once, a quarter of a second, one, two; the fifth death within a minute is not followed by a try."""
    life, pauses = running(), []
    while life.exited("dead", 10):
        assert (life.state, life.pid, life.started_at, life.reason) == (State.WAITING, None, None, "dead")
        assert life.deadline is not None
        pauses.append(life.deadline - 10)
        life.start(10)
    assert tuple(pauses) == BACKOFF_SECONDS == (0.0, 0.25, 1.0, 2.0)
    assert (life.state, life.is_left_down, life.deadline, life.restarts) == (State.EXITED, True, None, 4)


def test_deaths_a_minute_ago_are_forgotten() -> None:
    """A Codex that dies once an hour is always tried again at once."""
    life = running(deaths=4)
    assert life.exited("dead", CRASH_LOOP_SECONDS + 0.1)
    assert life.deadline == CRASH_LOOP_SECONDS + 0.1


def test_a_minute_is_just_long_enough() -> None:
    """The fifth death exactly a minute after the first is one too many."""
    assert running(deaths=4).exited("dead", CRASH_LOOP_SECONDS) is False


@given(st.lists(st.floats(0, 100), min_size=1, max_size=30))
def test_left_down_means_five_deaths_in_a_minute(gaps: list[float]) -> None:
    """One that answers is tried again if and only if the last five deaths took longer than a minute."""
    life, now, deaths = Lifecycle(), 0.0, list[float]()
    life.start(now)
    for gap in gaps:
        life.answered()
        now += gap
        deaths.append(now)
        lately = [death for death in deaths if now - death <= CRASH_LOOP_SECONDS]
        assert life.exited("dead", now) is (len(lately) < CRASH_LOOP_DEATHS)
        if life.is_left_down:
            life.forgive()
            deaths.clear()
        else:
            assert life.deadline == now + BACKOFF_SECONDS[len(lately) - 1]
        life.start(now)


def test_one_that_never_answers_is_left_down_after_a_minute() -> None:
    """The second start is the last: each is given half a minute. It is tried anew when somebody asks for it."""
    life = Lifecycle()
    for now in (0.0, 100.0):
        life.start(now)
        assert life.exited("hung", now + START_SECONDS)
        life.start(now + START_SECONDS)
        assert not life.exited("hung", now + 2 * START_SECONDS)
        assert (life.is_left_down, life.left_down_because) == (True, "did not start within a minute")
        life.forgive()


def test_one_that_has_answered_in_between_is_tried_again() -> None:
    """And so is one whose only start took long, because the machine slept."""
    life = Lifecycle()
    life.start(0)
    assert life.exited("slept", 1000)
    life.start(1000)
    life.answered()
    assert life.exited("dead", 2000)
    life.start(2000)
    assert life.exited("hung", 2030)


def test_who_asks_for_another_try_gets_a_whole_one() -> None:
    """`codexd restart` and the next `codexctl send` start the count anew."""
    life = running(deaths=4)
    life.exited("dead", 1)
    life.forgive()
    life.start(2)
    assert life.exited("dead", 3)
    assert life.deadline == 3


@pytest.mark.parametrize("state", [State.STARTING, State.READY, State.WAITING, State.EXITED])
def test_after_stop_nothing_is_tried_again(state: State) -> None:
    """Whatever Codex was doing when codexd was told to end."""
    life = running()
    if state is State.STARTING:
        life.exited("dead", 0)
        life.start(0)
    elif state is not State.READY:
        life.exited("dead", 0)
        life.state = state
    has_process = state in (State.STARTING, State.READY)
    life.stop()
    assert (life.state, life.deadline) == (State.DRAINING if has_process else State.EXITED, None)
    if has_process:
        assert life.exited("as it was told", 1) is False
        assert (life.state, life.deadline, life.reason) == (State.EXITED, None, "as it was told")


@pytest.mark.parametrize("is_ready", [False, True])
def test_one_that_is_condemned_is_followed_by_another(is_ready: bool) -> None:
    """It counts as dead when it has ended, and not before."""
    life = Lifecycle()
    life.start(0)
    if is_ready:
        life.answered()
    life.condemn()
    assert (life.state, life.deadline, life.is_current(1)) == (State.DRAINING, None, True)
    assert (life.exited("hung", 5), life.state, life.deadline) == (True, State.WAITING, 5)
