"""Turns whose end Codex does not tell end all the same, once."""

from typing import Any

import pytest

from codexd.routing.effects import ToClients
from tests.routing.driver import START, Driver, codex, to

T = {"threadId": "T"}
SAID = {"id": "u", "items": [], "itemsView": "notLoaded", "status": "completed", "durationMs": 7}
UNKNOWN = {
    "message": "Codex says that the thread is at rest and does not say how this turn ended",
    "codexErrorInfo": None,
    "additionalDetails": None,
}
FAILED: dict[str, Any] = {
    "id": "u", "items": [], "itemsView": "notLoaded", "status": "failed", "error": UNKNOWN,
    "startedAt": None, "completedAt": int(START) + 3, "durationMs": None,
}  # fmt: skip
DEATH = "Codex was killed by SIGKILL"


def question(number: int) -> Any:
    params = {"threadId": "T", "limit": 8, "itemsView": "notLoaded"}
    return codex(id=number, method="thread/turns/list", params=params)


def rests(driver: Driver, status: str = "idle") -> None:
    """Codex says that the thread is at rest."""
    driver.says(method="thread/status/changed", params=T | {"status": {"type": status}})


def at_rest(status: str = "idle") -> tuple[Driver, int, int]:
    """A router whose T is at rest in the middle of turn u, a follower, and a client that does not follow T."""
    driver = Driver().ready()
    follower, other = driver.clients(2)
    driver.thread(follower, turn="u")
    rests(driver, status)
    return driver, follower, other


@pytest.mark.parametrize("status", ["idle", "systemError"])
def test_codex_is_asked_and_its_word_is_told(status: str) -> None:
    """After the grace, to the followers, as Codex describes the turn."""
    driver, follower, _ = at_rest(status)
    assert driver.wait(2.9) == []
    assert driver.wait(0.1) == [question(3)]
    ended = to(follower, method="turn/completed", params=T | {"turn": SAID})
    assert driver.says(id=3, result={"data": [{"id": "v", "status": "failed"}, SAID]}) == [ended]
    assert (driver.router.deadline(), driver.status()["threads"]) == (None, 1)


@pytest.mark.parametrize(
    "answer",
    [
        {"result": {"data": [SAID | {"status": "inProgress"}]}},
        {"result": {"data": [SAID | {"id": "v"}]}},
        {"result": {"data": [{}]}},
        {"result": None},
        {"error": {"code": -32600, "message": "ephemeral threads do not support thread/turns/list"}},
    ],
)
def test_a_turn_of_which_codex_can_not_say_it_has_failed(answer: dict[str, Any]) -> None:
    """Whoever waits for its end hears why."""
    driver, follower, _ = at_rest()
    driver.wait(3)
    assert driver.says(id=3, **answer) == [
        to(follower, method="turn/completed", params=T | {"turn": FAILED}),
    ]


def test_what_codex_says_too_late_is_not_told_again() -> None:
    """One turn, one end."""
    driver, _, _ = at_rest()
    driver.wait(3)
    driver.says(id=3, result={"data": [SAID]})
    assert driver.says(method="turn/completed", params=T | {"turn": SAID}) == []


def test_what_codex_says_in_time_is_enough() -> None:
    """Before it is asked, and before it answers; the answer is nobody's then."""
    driver, follower, _ = at_rest()
    ended = {"method": "turn/completed", "params": T | {"turn": SAID}}
    assert driver.says(**ended) == [to(follower, **ended)]
    assert (driver.wait(10), driver.router.deadline()) == ([], None)
    driver.says(method="turn/started", params=T | {"turn": {"id": "w"}})
    rests(driver)
    assert driver.wait(3) == [question(3)]
    later = {"method": "turn/completed", "params": T | {"turn": SAID | {"id": "w"}}}
    assert driver.says(**later) == [to(follower, **later)]
    assert driver.says(id=3, result={"data": [SAID | {"id": "w"}]}) == []


@pytest.mark.parametrize("status", ["inProgress", "completed"])
def test_a_turn_that_goes_on_has_not_ended(status: str) -> None:
    """The thread was at rest for a moment only, and Codex does not say that the turn has ended."""
    driver, follower, _ = at_rest()
    rests(driver, "active")
    assert driver.wait(3) == [question(3)]
    ended = to(follower, method="turn/completed", params=T | {"turn": SAID})
    told = driver.says(id=3, result={"data": [SAID | {"status": status}]})
    assert told == ([ended] if status == "completed" else [])
    assert (driver.wait(10), driver.router.deadline()) == ([], None)


def test_the_next_turn_does_not_hide_that_an_end_is_missing() -> None:
    """Its thread is active before that turn begins."""
    driver, follower, _ = at_rest()
    rests(driver, "active")
    driver.says(method="turn/started", params=T | {"turn": {"id": "v"}})
    driver.wait(3)
    running = SAID | {"id": "v", "status": "inProgress"}
    assert driver.says(id=3, result={"data": [running, SAID]}) == [
        to(follower, method="turn/completed", params=T | {"turn": SAID})
    ]


def test_the_next_turn_is_not_ended_by_the_end_of_the_one_before() -> None:
    """It goes on in the thread, which stays in use."""
    driver, follower, _ = at_rest()
    driver.says(method="turn/started", params=T | {"turn": {"id": "v"}})
    driver.wait(3)
    driver.says(id=3, result={"data": [SAID]})
    assert driver.leaves(follower) == []
    assert driver.says(method="turn/completed", params=T | {"turn": SAID | {"id": "v"}}) == [
        codex(id=4, method="thread/unsubscribe", params=T)
    ]


def test_both_end_when_codex_dies() -> None:
    """The one whose end was missing first."""
    driver, follower, _ = at_rest()
    driver.says(method="turn/started", params=T | {"turn": {"id": "v"}})
    effects = [e for e in driver.dies(DEATH) if isinstance(e, ToClients) and b"turn/completed" in e.line]
    assert [(e.clients, b'"id":"u"' in e.line, b'"id":"v"' in e.line) for e in effects] == [
        ((follower,), True, False),
        ((follower,), False, True),
    ]
    assert driver.wait(0) != []
    assert driver.router.deadline() == driver.now + 30


def test_a_question_that_is_not_needed_any_more_is_not_asked() -> None:
    """It waited for its turn, and the end came meanwhile."""
    driver, _, _ = at_rest()
    for client in driver.clients(3):
        for number in range(32):
            driver.sends(client, id=number, method="x", params={})
    assert driver.wait(3) == []
    driver.says(method="turn/completed", params=T | {"turn": SAID})
    assert driver.asked(driver.says(id=60, result={})) == [(99, "x", {})]


def test_a_thread_that_is_closed_waits_for_no_end() -> None:
    """Nobody follows it any more."""
    driver, _, _ = at_rest()
    driver.says(method="thread/closed", params=T)
    assert (driver.wait(10), driver.router.deadline()) == ([], None)


def test_a_status_without_a_thread_or_of_an_unknown_one_is_passed_on() -> None:
    """As Codex says it."""
    driver = Driver().ready()
    client = driver.client()
    for params in (None, {"threadId": "S", "status": {"type": "idle"}}, {"threadId": "S", "status": "x"}):
        said = {"method": "thread/status/changed", "params": params}
        assert driver.says(**said) == [to(client, **said)]
    driver.thread(client)
    rests(driver)
    assert driver.router.deadline() is None
