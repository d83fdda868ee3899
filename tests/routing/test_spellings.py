"""A thread id in another spelling that Codex takes means the same thread, wherever a client says it."""

import uuid
from typing import Any

import pytest

from tests.routing.driver import FIRST_SERVER_REQUEST as FIRST, Driver, codex, to

ID = "01a22d79-4f36-7202-b6e2-72ca4762086e"
T = {"threadId": ID}
SPELLINGS = (ID.upper(), uuid.UUID(ID).hex, "{" + ID + "}", "urn:uuid:" + ID)
LET_GO = {"method": "thread/unsubscribe", "params": T}
TURN = {"method": "turn/started", "params": {**T, "turn": {"id": "u"}}}


def followed(followers: int) -> Driver:
    driver = Driver().ready()
    driver.thread(*driver.clients(followers), thread=ID)
    return driver


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_who_unsubscribes_in_another_spelling_leaves_alone(spelling: str) -> None:
    """codexd's own subscription stays, so the others go on hearing of the thread; they lost all of it."""
    driver = followed(2)
    assert driver.sends(1, id="u", method="thread/unsubscribe", params={"threadId": spelling}) == [
        to(1, id="u", result={"status": "unsubscribed"})
    ]
    assert driver.says(**TURN) == [to(2, **TURN)]


@pytest.mark.parametrize("odd", [{"turnId": 5}, {"conversationId": 5}, {"path": 5}])
def test_odd_members_beside_the_id_change_nothing(odd: dict[str, Any]) -> None:
    """Codex leaves them aside and unsubscribes; codexd could not read such params, and let Codex do it."""
    driver = followed(2)
    assert driver.sends(1, id="u", method="thread/unsubscribe", params={**T, **odd}) == [
        to(1, id="u", result={"status": "unsubscribed"})
    ]


@pytest.mark.parametrize("method", ["thread/unsubscribe", "process/kill", "x"])
def test_members_by_position_are_refused(method: str) -> None:
    """Codex reads an array as members in an order that no schema tells: nobody knows which thread or process it means."""
    driver = followed(2)
    message = "`params` must be an object: in an array codexd can't tell which thread or process is meant"
    assert driver.sends(1, id=5, method=method, params=[ID]) == [
        to(1, error={"code": -32600, "message": message}, id=5)
    ]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_what_is_forwarded_stays_as_it_was_written(spelling: str) -> None:
    """Codex reads it by itself, and answers in its own spelling."""
    driver = followed(1)
    params = {"threadId": spelling, "input": []}
    assert driver.sends(1, id=2, method="turn/start", params=params) == [
        codex(id=3, method="turn/start", params=params)
    ]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_request_in_another_spelling_waits_for_the_threads_return(spelling: str) -> None:
    """After a death `turn/start` overtook codexd's resume and was answered `thread not found`."""
    driver = followed(1)
    driver.says(**TURN)
    assert driver.asked(driver.died_and_back())[-1][1:] == (
        "thread/resume",
        {**T, "excludeTurns": True},
    )
    params = {"threadId": spelling, "input": []}
    assert driver.sends(1, id=2, method="turn/start", params=params) == []
    assert driver.says(id=4, result={"thread": {"id": ID}}) == [
        codex(id=5, method="turn/start", params=params)
    ]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_thread_is_released_by_any_spelling(spelling: str) -> None:
    """It said "not loaded" of one that was."""
    driver = followed(1)
    in_use = {"followers": 1, "turnRuns": False, "pendingApprovals": 0, "status": "inUse"}
    assert driver.sends(1, id=2, method="codexd/threads/release", params={"threadId": spelling}) == [
        to(1, id=2, result=in_use)
    ]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_events_are_read_and_followed_by_any_spelling(spelling: str) -> None:
    """There were none."""
    driver = followed(1)
    reader = driver.connect()
    wanted = {"threadId": spelling, "after": 0}
    driver.sends(reader, id=2, method="codexd/events/read", params=wanted)
    assert getattr(driver.timeline[-1], "thread", None) == ID
    driver.sends(reader, id=3, method="codexd/events/follow", params=wanted)
    effects = driver.says(**TURN)
    assert [effect.clients for effect in effects] == [(1,), (reader,)]  # type: ignore[union-attr]


def test_a_resume_by_the_rollouts_path_is_of_that_rollouts_thread() -> None:
    """Codex goes by `path`, whatever `threadId` says; so the resume waits for codexd's own of the same thread."""
    driver = followed(1)
    driver.says(**TURN)
    driver.died_and_back()
    params = {"threadId": "nonsense", "path": f"/h/sessions/rollout-2026-11-30T17-22-13-{ID}.jsonl"}
    assert driver.sends(1, id=2, method="thread/resume", params=params) == []
    assert driver.says(id=4, result={"thread": {"id": ID}}) == [
        codex(id=5, method="thread/resume", params=params)
    ]


def test_what_codex_asks_of_a_thread_in_another_spelling_is_asked() -> None:
    """No Codex has been seen to write one; if it does, nobody misses it."""
    driver = followed(1)
    asked = {"method": "item/tool/requestUserInput", "params": {"threadId": ID.upper()}}
    assert driver.says(id=0, **asked)[0] == to(1, id=FIRST, **asked)
