"""One turn runs in a thread at a time, and it ends once, although a review has two ids."""

import json
from typing import Any

import pytest

from codexd.routing.effects import ToClients
from tests.routing.driver import Driver, codex, to

T = {"threadId": "T"}
REVIEW, BEGUN = "R", "X"
"""The ids of a review: the one of its answer and its end, and the one of its beginning."""


def turn(id: str, status: str = "inProgress", root: str | None = None) -> dict[str, Any]:
    return {"id": id, "status": status, "rootTurnId": root}


def says(driver: Driver, method: str, **members: Any) -> list[Any]:
    return driver.says(method=method, params=T | members)


def rests(driver: Driver) -> None:
    says(driver, "thread/status/changed", status={"type": "idle"})


def reviewing(root: str | None = REVIEW) -> tuple[Driver, int]:
    """A review that runs on T, and its reviewer, the only follower. Codex's next answer is to request 4."""
    driver = Driver().ready()
    reviewer = driver.client()
    driver.thread(reviewer)
    driver.sends(reviewer, id="r", method="review/start", params=T)
    driver.says(id=3, result={"turn": turn(REVIEW), "reviewThreadId": "T"})
    says(driver, "thread/status/changed", status={"type": "active"})
    says(driver, "turn/started", turn=turn(BEGUN, root=root))
    return driver, reviewer


def ended(effects: list[Any]) -> list[tuple[str, str]]:
    """The turns whose end somebody is told, and how they ended."""
    told = [json.loads(effect.line) for effect in effects if isinstance(effect, ToClients)]
    turns = [message["params"]["turn"] for message in told if message.get("method") == "turn/completed"]
    return [(one["id"], one["status"]) for one in turns]


@pytest.mark.parametrize("root", [REVIEW, None])
@pytest.mark.parametrize("end", [REVIEW, BEGUN])
def test_a_review_ends_once(root: str | None, end: str) -> None:
    """codexd waited for the end of what had begun, and made one up after three seconds: "interrupted", or "failed".

    Also for a Codex that does not say what belongs together, or says the end under the other id.
    """
    driver, reviewer = reviewing(root)
    rests(driver)
    said = turn(end, "completed")
    assert says(driver, "turn/completed", turn=said) == [
        to(reviewer, method="turn/completed", params=T | {"turn": said})
    ]
    assert (driver.wait(60), driver.router.deadline()) == ([], None)


def test_a_review_ends_once_although_the_next_turn_begins_at_once() -> None:
    """Inside that turn it was told that a turn had failed."""
    driver, _ = reviewing()
    rests(driver)
    says(driver, "turn/completed", turn=turn(REVIEW, "completed"))
    says(driver, "turn/started", turn=turn("v"))
    assert driver.wait(60) == []


def test_the_thread_of_a_review_that_has_ended_is_let_go_of() -> None:
    """Nothing runs there any more, whatever a late answer says of what had begun."""
    driver, reviewer = reviewing()
    driver.sends(reviewer, id="again", method="thread/resume", params=T)
    says(driver, "turn/completed", turn=turn(REVIEW, "completed"))
    driver.says(id=4, result={"thread": {"id": "T", "turns": [turn(BEGUN, root=REVIEW)]}})
    assert driver.leaves(reviewer) == [codex(id=5, method="thread/unsubscribe", params=T)]


def test_who_joins_a_review_does_not_make_it_another_turn() -> None:
    """The list of turns has it under the id of its beginning."""
    driver, reviewer = reviewing()
    driver.sends(reviewer, id="again", method="thread/resume", params=T)
    driver.says(id=4, result={"thread": {"id": "T", "turns": [turn(BEGUN, root=REVIEW)]}})
    rests(driver)
    says(driver, "turn/completed", turn=turn(REVIEW, "completed"))
    assert (driver.wait(60), driver.router.deadline()) == ([], None)


def test_a_review_whose_end_codex_does_not_tell_ends_under_the_id_of_its_answer() -> None:
    """Once."""
    driver, _ = reviewing()
    rests(driver)
    assert driver.asked(driver.wait(3)) == [
        (4, "thread/turns/list", T | {"limit": 8, "itemsView": "notLoaded"})
    ]
    listed = [turn(REVIEW, "completed"), turn(BEGUN, "interrupted", REVIEW)]
    assert ended(driver.says(id=4, result={"data": listed})) == [(REVIEW, "completed")]
    assert (driver.wait(60), driver.router.deadline()) == ([], None)


def test_a_review_in_the_middle_of_a_turn_ends_that_first() -> None:
    """Codex answers, interrupts the turn, is at rest for a moment, and begins. Each of the two ends once."""
    driver = Driver().ready()
    reviewer = driver.client()
    driver.thread(reviewer, turn="u")
    driver.sends(reviewer, id="r", method="review/start", params=T)
    driver.says(id=3, result={"turn": turn(REVIEW)})
    rests(driver)
    assert ended(says(driver, "turn/completed", turn=turn("u", "interrupted"))) == [("u", "interrupted")]
    says(driver, "thread/status/changed", status={"type": "active"})
    says(driver, "turn/started", turn=turn(BEGUN, root=REVIEW))
    assert driver.wait(60) == []
    assert ended(driver.dies()) == [(REVIEW, "failed")]


def test_both_end_when_codex_dies_between_a_turn_and_its_review() -> None:
    """The one that the review interrupts was forgotten with the answer to the review."""
    driver = Driver().ready()
    reviewer = driver.client()
    driver.thread(reviewer, turn="u")
    driver.sends(reviewer, id="r", method="review/start", params=T)
    driver.says(id=3, result={"turn": turn(REVIEW)})
    assert ended(driver.dies()) == [("u", "interrupted"), (REVIEW, "failed")]


def test_a_sub_agents_turn_has_its_parents_for_a_root() -> None:
    """It ends under its own id."""
    driver = Driver().ready()
    client = driver.client()
    driver.thread(client, turn="u")
    driver.sends(client, id="r", method="thread/resume", params={"threadId": "S"})
    driver.says(id=3, result={"thread": {"id": "S", "parentThreadId": "T"}})
    driver.says(method="turn/started", params={"threadId": "S", "turn": turn("s", root="u")})
    effects = driver.dies()
    assert sorted(ended(effects)) == [("s", "failed"), ("u", "failed")]


def test_no_turn_has_failed_behind_which_another_runs_or_has_ended() -> None:
    """Of the first one Codex can't say how it ended. It is asked again at rest, and the turn counts as interrupted."""
    driver = Driver().ready()
    driver.thread(driver.client(), turn="u")
    rests(driver)
    says(driver, "thread/status/changed", status={"type": "active"})
    says(driver, "turn/started", turn=turn("v"))
    driver.wait(3)
    assert driver.says(id=3, result={"data": [turn("v"), turn("u")]}) == []
    assert (driver.wait(60), driver.router.deadline()) == ([], None)
    rests(driver)
    says(driver, "turn/completed", turn=turn("v", "completed"))
    assert [method for _, method, _ in driver.asked(driver.wait(3))] == ["thread/turns/list"]
    refused = {"code": -32600, "message": "ephemeral threads do not support thread/turns/list"}
    assert ended(driver.says(error=refused, id=4)) == [("u", "interrupted")]
    assert (driver.wait(60), driver.router.deadline()) == ([], None)


def test_a_turn_that_begins_while_one_runs_does_not_hide_that_its_end_is_missing() -> None:
    """Not even where Codex has not said that the thread is at rest."""
    driver = Driver().ready()
    driver.thread(driver.client(), turn="u")
    says(driver, "turn/started", turn=turn("v"))
    driver.wait(3)
    assert ended(driver.says(id=3, result={"data": [turn("v"), turn("u", "completed")]})) == [
        ("u", "completed")
    ]
