"""A second client on a thread of which Codex has no history on disk."""

from typing import Any

import pytest

from tests.routing.driver import FIRST_SERVER_REQUEST as FIRST, OVERLOADED, Driver, codex, to

T = {"threadId": "T"}
STARTED = {
    "thread": {"id": "T", "ephemeral": False, "status": {"type": "idle"}, "model": "a"},
    "model": "a",
    "cwd": "/p",
    "reasoningEffort": None,
    "sandbox": {"type": "readOnly"},
}
NOW = {"id": "T", "ephemeral": False, "status": {"type": "active"}, "model": "b", "name": "n", "turns": []}
NO_ROLLOUT = {"code": -32600, "message": "no rollout found for thread id T"}
NO_TURNS = {"code": -32600, "message": "thread T is not materialized yet; thread/turns/list is unavailable"}
NO_ITEMS = {"code": -32601, "message": "thread/items/list is not supported yet"}
EMPTY: dict[str, Any] = {"data": [], "nextCursor": None, "backwardsCursor": None}
CLEARED = {"method": "thread/goal/cleared", "params": T}


def joined(**changes: Any) -> dict[str, Any]:
    """The answer that a joiner gets."""
    settings = {"model": "b", "reasoning_effort": None, "developer_instructions": None}
    return {
        "thread": NOW,
        "model": "b",
        "cwd": "/p",
        "reasoningEffort": None,
        "sandbox": {"type": "readOnly"},
        "collaborationMode": {"mode": "default", "settings": settings},
        "initialTurnsPage": None,
        "turnsBackwardsCursor": None,
        "itemsBackwardsCursor": None,
    } | changes


def started(*, others: int = 1) -> tuple[Driver, int]:
    """A router whose client 1 has started T, some more clients, and Codex's next number."""
    driver = Driver().ready()
    driver.sends(driver.client(), id="s", method="thread/start", params={"cwd": "/p"})
    driver.says(id=2, result=STARTED)
    driver.clients(others)
    return driver, 3


def refused(driver: Driver, number: int, client: int = 2, **params: Any) -> list[Any]:
    """A client resumes T, and Codex finds no rollout: what codexd does then."""
    assert driver.sends(client, id="r", method="thread/resume", params=T | params) == [
        codex(id=number, method="thread/resume", params=T | params)
    ]
    return driver.says(error=NO_ROLLOUT, id=number)


def reads(number: int) -> Any:
    return codex(id=number, method="thread/read", params=T)


def test_a_second_client_is_attached_by_codexd() -> None:
    """Codex is asked for the thread as it is; the rest is what it said at the start, and the goal snapshot follows."""
    driver, number = started()
    assert refused(driver, number) == [reads(number + 1)]
    assert driver.says(id=number + 1, result={"thread": NOW, "readState": None}) == [
        to(2, id="r", result=joined()),
        to(1, 2, **CLEARED),
    ]
    assert driver.says(method="item/started", params=T) == [to(1, 2, method="item/started", params=T)]
    assert driver.leaves(1) == []
    assert driver.says(method="item/started", params=T) == [to(2, method="item/started", params=T)]


def test_what_waits_for_a_decision_is_offered_to_the_joiner() -> None:
    """As after every resume."""
    driver, number = started()
    driver.says(id=0, method="item/tool/call", params=T)
    refused(driver, number)
    effects = driver.says(id=number + 1, result={"thread": NOW})
    assert effects[2:] == [to(2, id=FIRST, method="item/tool/call", params=T)]


def test_a_page_is_answered_where_it_is_asked_for() -> None:
    """In the answer to the resume, as Codex does."""
    driver, number = started()
    refused(driver, number, initialTurnsPage={"limit": 1})
    effects = driver.says(id=number + 1, result={"thread": NOW})
    assert effects[0] == to(2, id="r", result=joined(initialTurnsPage=EMPTY))


@pytest.mark.parametrize(
    ("method", "error"), [("thread/turns/list", NO_TURNS), ("thread/items/list", NO_ITEMS)]
)
def test_pages_of_its_history_are_empty(method: str, error: dict[str, Any]) -> None:
    """For who did not start it, before and after the resume; any other error is Codex's."""
    driver, number = started()
    for client, expected in ((1, {"error": error}), (2, {"result": EMPTY})):
        driver.sends(client, id="l", method=method, params=T)
        answer = to(client, **expected, id="l") if client == 1 else to(client, id="l", **expected)
        assert driver.says(error=error, id=number) == [answer]
        number += 1
    refused(driver, number)
    driver.says(id=number + 1, result={"thread": NOW})
    driver.sends(2, id="l", method=method, params=T)
    assert driver.says(error=error, id=number + 2) == [to(2, id="l", result=EMPTY)]
    driver.sends(2, id="l", method=method, params=T)
    other = {"code": -32603, "message": "disk full"}
    assert driver.says(error=other, id=number + 3) == [to(2, error=other, id="l")]


def test_who_has_started_it_gets_codexs_own_errors() -> None:
    """As on a Codex of its own; but not when it has left the thread, and comes back."""
    driver, number = started(others=0)
    assert refused(driver, number, client=1) == [to(1, error=NO_ROLLOUT, id="r")]
    driver.sends(driver.client(), id="r", method="thread/resume", params=T)
    driver.says(error=NO_ROLLOUT, id=number + 1)
    driver.says(id=number + 2, result={"thread": NOW})
    driver.sends(1, id="u", method="thread/unsubscribe", params=T)
    assert refused(driver, number + 3, client=1) == [reads(number + 4)]


def test_a_joiner_may_ask_again_and_leave_again() -> None:
    """Each time as a guest."""
    driver, number = started()
    for _ in range(2):
        assert refused(driver, number) == [reads(number + 1)]
        driver.says(id=number + 1, result={"thread": NOW})
        number += 2
    driver.sends(2, id="u", method="thread/unsubscribe", params=T)
    assert driver.says(method="item/started", params=T) == [to(1, method="item/started", params=T)]
    assert refused(driver, number) == [reads(number + 1)]


@pytest.mark.parametrize("known", ["not at all", "by a resume"])
def test_a_thread_that_was_not_started_here_is_codexs_affair(known: str) -> None:
    """Nothing is known of it that could be answered."""
    driver = Driver().ready()
    a, b = driver.clients(2)
    number = 2
    if known == "by a resume":
        driver.thread(a)
        number = 3
    assert refused(driver, number, client=b) == [to(b, error=NO_ROLLOUT, id="r")]


def test_an_ephemeral_fork_is_shared_too() -> None:
    """Codex finds no rollout of it at any time."""
    driver = Driver().ready()
    a, b = driver.clients(2)
    driver.sends(a, id="f", method="thread/fork", params={"threadId": "S", "ephemeral": True})
    driver.says(id=2, result={"thread": {"id": "T", "ephemeral": True}})
    driver.says(method="turn/started", params=T | {"turn": {"id": "u"}})
    assert refused(driver, 3, client=b) == [reads(4)]
    effects = driver.says(id=4, result={"thread": NOW})
    assert effects[1:] == [to(a, b, **CLEARED)]


def test_a_turn_that_has_begun_meanwhile_lets_codex_answer() -> None:
    """Once; if it still finds no rollout, codexd attaches the asker after all."""
    driver, number = started()
    refused(driver, number)
    driver.says(method="turn/started", params=T | {"turn": {"id": "u"}})
    assert driver.says(id=number + 1, result={"thread": NOW}) == [
        codex(id=number + 2, method="thread/resume", params=T)
    ]
    assert driver.says(error=NO_ROLLOUT, id=number + 2) == [reads(number + 3)]
    assert driver.says(id=number + 3, result={"thread": NOW})[0] == to(2, id="r", result=joined())


def test_a_thread_that_ended_meanwhile_is_gone() -> None:
    """Or one that Codex does not find any more: its own words."""
    for answer in ({"result": {"thread": NOW}}, {"error": {"code": -32600, "message": "thread not loaded"}}):
        driver, number = started()
        refused(driver, number)
        if "result" in answer:
            driver.says(method="thread/closed", params=T)
        effects = driver.says(**({"id": number + 1} | answer))
        assert effects == [to(2, error=NO_ROLLOUT, id="r")]


def test_who_left_meanwhile_is_not_attached() -> None:
    """Before or after Codex's refusal."""
    driver, number = started()
    driver.sends(2, id="r", method="thread/resume", params=T)
    driver.leaves(2)
    assert driver.says(error=NO_ROLLOUT, id=number) == []
    refused(driver, number + 1, client=driver.client())
    driver.leaves(3)
    assert driver.says(id=number + 2, result={"thread": NOW}) == []
    assert driver.says(method="item/started", params=T) == [to(1, method="item/started", params=T)]


def test_unsubscribing_waits_for_the_attaching() -> None:
    """They are answered in the order of asking."""
    driver, number = started()
    refused(driver, number)
    assert driver.sends(2, id="u", method="thread/unsubscribe", params=T) == []
    effects = driver.says(id=number + 1, result={"thread": NOW})
    assert effects[-1] == to(2, id="u", result={"status": "unsubscribed"})


def test_what_codex_had_no_room_for_is_asked_again() -> None:
    """The same question."""
    driver, number = started()
    refused(driver, number)
    assert driver.says(error=OVERLOADED, id=number + 1) == []
    assert driver.wait(1) == [reads(number + 2)]


def test_a_death_is_said_in_the_askers_words() -> None:
    """It asked for a resume, whatever codexd has asked; and the thread is lost."""
    driver, number = started()
    refused(driver, number)
    dead = {
        "code": -32050,
        "message": "gone, while thread/resume was under way",
        "data": {"reason": "codexExited", "safeToRetry": True},
    }
    assert driver.dies("gone")[0] == to(2, error=dead, id="r")
