"""Lines of Codex: of the present one, and only if they are messages."""

import logging
from typing import Any

import pytest
from hypothesis import given, strategies as st

from codexd.protocol.catalogue import (
    CAUSED_BY,
    ENDS_THREAD,
    GOAL_SNAPSHOT,
    HANDLE_OF_NOTIFICATION,
    USAGE,
)
from codexd.routing.effects import Log
from tests.protocol.strategies import ids, values
from tests.routing.driver import Driver, to

SPECIAL = sorted(
    {"turn/started", "turn/completed", "serverRequest/resolved", "remoteControl/status/changed", USAGE}
    | ENDS_THREAD
    | GOAL_SNAPSHOT
    | set(HANDLE_OF_NOTIFICATION)
    | set(CAUSED_BY)
)


def test_each_kind_of_message_finds_its_way() -> None:
    """A notification, a request, a result, an error."""
    driver = Driver().ready()
    client = driver.client()
    for n in (1, 2):
        driver.sends(client, id=n, method="x", params={})
    assert driver.says(method="skills/changed") == [to(client, method="skills/changed")]
    assert driver.says(id=0, method="new", params={})[0].clients == (client,)  # type: ignore[union-attr]
    assert driver.says(id=2, result={}) == [to(client, id=1, result={})]
    failed = {"code": 1, "message": "no"}
    assert driver.says(error=failed, id=3) == [to(client, error=failed, id=2)]


@pytest.mark.parametrize(
    "text",
    [
        b"thread 'main' panicked",
        b"{}",
        b'{"id":2}',
        b'{"method":5}',
        b'{"method":"item/started","params":{"threadId":"\xff"}}',
        b'{"method":"process/exited","params":{"processHandle":"1:p"},"params":{"processHandle":"1:p"}}',
    ],
)
def test_a_bad_line_is_logged_and_skipped(text: bytes) -> None:
    """Without its content; the others are served as ever (T21: one bad line ended the reader, for everybody)."""
    driver = Driver().ready()
    client = driver.client()
    driver.sends(client, id=1, method="x", params={})
    assert driver.says_bytes(text) == []
    assert isinstance(driver.logged[-1], Log)
    assert driver.logged[-1].level == logging.WARNING
    assert driver.logged[-1].message.startswith(f"skipped a line of {len(text)} bytes: ")
    assert "panicked" not in driver.logged[-1].message
    assert driver.says(id=2, result={}) == [to(client, id=1, result={})]


def test_an_earlier_codex_has_nothing_to_say() -> None:
    """Its last lines may come after its end was reported."""
    driver = Driver().ready()
    client = driver.client()
    driver.sends(client, id=1, method="x", params={})
    driver.died_and_back()
    driver.incarnation -= 1
    assert driver.says(method="skills/changed") == []
    assert driver.says(id=2, result={}) == []


def test_a_codex_that_is_to_end_has_nothing_to_say_either() -> None:
    """Everybody has had an answer, and every turn its end."""
    driver = Driver().ready()
    driver.client()
    driver.stops()
    assert driver.says(method="skills/changed") == []


def test_a_notification_before_its_first_answer_is_served() -> None:
    """T20: lspmux lost its instance over a notification that came before the answer to `initialize`."""
    driver = Driver().ready()
    client = driver.client()
    driver.dies()
    driver.wait(0)
    driver.spawned()
    assert driver.says(method="skills/changed") == [to(client, method="skills/changed")]
    assert driver.says(id=9, result={}) == []
    assert len(driver.greets(2)) == 0
    assert driver.router.ready()


@given(st.lists(st.tuples(st.sampled_from(SPECIAL), values), max_size=4), st.lists(ids, max_size=3), values)
def test_nothing_that_codex_says_trips_the_core(
    said: list[tuple[str, Any]], raw_ids: list[Any], anything: Any
) -> None:
    """A Codex that changed its shapes is served as far as it is understood; no line of it ends the daemon."""
    driver = Driver().ready()
    client = driver.client()
    driver.thread(client, turn="u")
    driver.sends(client, id=1, method="thread/start", params={})
    for method, params in said:
        driver.says(method=method, params=params)
        driver.says(method=method, params={"threadId": "T", "turn": params, "requestId": params})
        driver.says(method=method, params=dict.fromkeys(HANDLE_OF_NOTIFICATION.values(), params))
    for raw_id in raw_ids:
        driver.says(id=raw_id, method="item/tool/call", params=anything)
        driver.says(id=raw_id, result=anything)
        driver.says(error=anything, id=raw_id)
    driver.says(id=3, result=anything)
    assert driver.dies() is not None
