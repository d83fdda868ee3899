"""What a request keeps the others waiting is told from how long it takes."""

import pytest

from codexd.routing.service_times import (
    FIRST_SECONDS,
    MAX_METHODS,
    MOST_SECONDS,
    PATIENCE_SECONDS,
    ServiceTimes,
)
from tests.routing.driver import call


def served(times: ServiceTimes, sent: float, answered: float, method: str = "m") -> None:
    """A request that is sent and answered."""
    one = call(method=method, sent_at=sent)
    times.sent(1, one)
    times.answered(1, one, answered)


def test_time_is_between_answers_and_not_from_the_sending() -> None:
    """Forty at once, an answer every 2 ms: the last took 80 ms and kept nobody waiting for more than two."""
    times = ServiceTimes()
    calls = [call(method="m", sent_at=0.0) for _ in range(40)]
    for number, one in enumerate(calls):
        times.sent(number, one)
    assert times.seconds == pytest.approx(40 * FIRST_SECONDS)
    for number, one in enumerate(calls):
        times.answered(number, one, (number + 1) * 0.002)
    assert times.of("m") == pytest.approx(0.002)
    assert (len(times), times.seconds, times.patience_ends) == (0, 0.0, None)


def test_the_average_moves_and_is_bounded() -> None:
    """One slow answer is not the end of a fast method, and an hour counts as what makes a difference."""
    times = ServiceTimes()
    served(times, 0.0, 0.0001)
    served(times, 1.0, 3601.0)
    assert 0.0001 < times.of("m") < MOST_SECONDS / 4
    for number in range(100):
        served(times, 4000.0 + number, 4000.5 + number)
    assert times.of("m") == pytest.approx(MOST_SECONDS, rel=1e-3)


def test_what_is_overtaken_for_long_is_set_aside_and_can_come_back() -> None:
    """It takes no time then; its answer is learnt from all the same."""
    times = ServiceTimes()
    slow, later = call(2, method="slow", sent_at=0.0), call(3, method="quick", sent_at=PATIENCE_SECONDS)
    early = call(3, method="quick", sent_at=PATIENCE_SECONDS / 2)
    for number, one in enumerate((slow, early, later)):
        times.sent(number, one)
    times.answered(1, early, 1.0)
    assert times.is_serving(2)
    times.answered(2, later, 1.001)
    assert not times.is_serving(2)
    assert (times.of("slow"), len(times)) == (0.0, 0)
    times.answered(0, slow, 1.009)
    assert times.of("slow") > 0


def test_a_clock_that_is_set_back_takes_no_time() -> None:
    """A request never took less than nothing."""
    times = ServiceTimes()
    served(times, 100.0, 50.0)
    assert times.of("m") == 0.0


def test_methods_that_clients_make_up_cost_no_memory() -> None:
    """At worst what was known is learnt anew."""
    times = ServiceTimes()
    for number in range(3 * MAX_METHODS):
        served(times, 0.0, 0.0, method=f"odd/{number}")
    assert len(times._of_method) <= MAX_METHODS


def test_a_new_codex_serves_nothing_yet() -> None:
    """What is known of methods stays."""
    times = ServiceTimes()
    served(times, 0.0, 0.004)
    times.sent(2, call(1, sent_at=1.0))
    times.sent(3, call(1, sent_at=1.0))
    times.drop(2)
    assert times.is_serving(1)
    times.clear()
    times.drop(3)
    assert not times.is_serving(1)
    assert times.of("m") == 0.004
