"""An interrupt of a turn that is over has an answer, whatever Codex makes of it."""

from typing import Any

import pytest

from tests.routing.driver import Driver, codex, to

T = {"threadId": "T"}
OVER = {"code": -32600, "message": "no active turn to interrupt"}


def ends(driver: Driver, turn: str = "u") -> None:
    ended = {"id": turn, "status": "interrupted"}
    driver.says(method="turn/completed", params=T | {"turn": ended})


def interrupts(driver: Driver, client: int, turn: str = "u") -> list[Any]:
    return driver.sends(client, id="i", method="turn/interrupt", params=T | {"turnId": turn})


def running() -> tuple[Driver, int]:
    """A turn u on T, and its follower. Its next request is Codex's third."""
    driver = Driver().ready()
    follower = driver.client()
    driver.thread(follower, turn="u")
    return driver, follower


def test_an_interrupt_of_what_has_ended_is_refused() -> None:
    """0.163 answered it when the thread's next turn had ended."""
    driver, follower = running()
    ends(driver)
    assert interrupts(driver, follower) == [to(follower, error=OVER, id="i")]


@pytest.mark.parametrize("turn", ["", "v"])
def test_an_interrupt_of_something_else_is_codexs_affair(turn: str) -> None:
    """It answers one of no turn in particular, and one of a turn that never was."""
    driver, follower = running()
    ends(driver)
    assert interrupts(driver, follower, turn) == [
        codex(id=3, method="turn/interrupt", params=T | {"turnId": turn})
    ]


def test_an_interrupt_of_the_turn_before_is_codexs_affair() -> None:
    """It says which one runs."""
    driver, follower = running()
    ends(driver)
    driver.says(method="turn/started", params=T | {"turn": {"id": "v"}})
    assert driver.asked(interrupts(driver, follower)) == [(3, "turn/interrupt", T | {"turnId": "u"})]


def test_an_interrupt_under_way_when_its_turn_ends_has_an_answer() -> None:
    """Codex has a second for its own; what it says later is nobody's."""
    driver, follower = running()
    interrupts(driver, follower)
    ends(driver)
    assert driver.wait(0.9) == []
    assert driver.wait(0.1) == [to(follower, error=OVER, id="i")]
    assert (driver.router.in_flight(follower), driver.status()["inFlight"]) == (0, 0)
    assert driver.router.deadline() is None
    driver.leaves(follower)
    assert driver.says(id=3, result={}) == []
    assert driver.status()["inFlight"] == 1  # codexd's own, to let go of the thread


def test_codexs_own_answer_in_time_is_enough() -> None:
    """It may come behind the turn's end."""
    driver, follower = running()
    interrupts(driver, follower)
    ends(driver)
    assert driver.says(id=3, result={}) == [to(follower, id="i", result={})]
    assert (driver.wait(5), driver.router.deadline()) == ([], None)


def test_a_thread_is_let_go_of_whose_interrupt_codex_does_not_answer() -> None:
    """Neither `threads release` nor the delay let go of it, until codexd was restarted."""
    driver, follower = running()
    interrupts(driver, follower)
    ends(driver)
    driver.sends(follower, id="l", method="thread/unsubscribe", params=T)
    assert driver.wait(1) == [
        to(follower, error=OVER, id="i"),
        codex(id=4, method="thread/unsubscribe", params=T),
    ]


def test_a_thread_that_is_gone_is_asked_nothing() -> None:
    """Its interrupt is Codex's to answer."""
    driver, follower = running()
    interrupts(driver, follower)
    ends(driver)
    driver.says(method="thread/closed", params=T)
    assert driver.wait(5) == []


def test_the_death_of_codex_answers_it() -> None:
    """Once."""
    driver, follower = running()
    interrupts(driver, follower)
    ends(driver)
    assert any(b'"id":"i"' in effect.line for effect in driver.dies())  # type: ignore[union-attr]
    assert not any(b'"id":"i"' in getattr(effect, "line", b"") for effect in driver.wait(5))


def test_what_a_departed_client_has_asked_holds_no_thread() -> None:
    """An interrupt that 0.163 never answers, or a tool that takes for ever."""
    driver, follower = running()
    ends(driver)
    driver.sends(follower, id=1, method="mcpServer/tool/call", params=T)
    assert driver.leaves(follower) == [codex(id=4, method="thread/unsubscribe", params=T)]
    assert driver.status()["inFlight"] == 1


def test_what_a_departed_client_has_asked_of_a_thread_it_did_not_follow_holds_none_either() -> None:
    """The thread goes when the asker does."""
    driver, follower = running()
    ends(driver)
    other = driver.client()
    driver.sends(other, id=1, method="mcpServer/tool/call", params=T)
    assert driver.leaves(follower) == []
    assert driver.leaves(other) == [codex(id=4, method="thread/unsubscribe", params=T)]
