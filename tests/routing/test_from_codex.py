"""Lines of Codex: of the present one, and only if they are messages."""

import logging
from typing import Any

import pytest
from hypothesis import given, strategies as st
from msgspec import structs

from codexd.protocol.catalogue import (
    CAUSED_BY,
    ENDS_THREAD,
    GOAL_SNAPSHOT,
    HANDLE_OF_NOTIFICATION,
    USAGE,
)
from codexd.protocol.messages import parse_codex
from codexd.routing.effects import Log, Numbered, Observed, ToClients
from tests.protocol.strategies import ids, values
from tests.routing.driver import IDENTITY, Driver, line, to

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


OBSERVED = structs.replace(IDENTITY, is_observed=True)


def test_everything_is_observed_when_that_is_wanted() -> None:
    """As the last that is done about it; of an answer it is known what was asked."""
    driver = Driver(OBSERVED).ready()
    client = driver.client()
    driver.sends(client, id=1, method="x", params={})
    skills, answer = line(method="skills/changed"), line(id=2, result={})
    said, answered = parse_codex(skills), parse_codex(answer)
    observed = Observed(skills, driver.now, message=said)
    assert driver.says_bytes(skills) == [ToClients((client,), skills), observed]
    assert driver.says_bytes(answer)[-1] == Observed(answer, driver.now, None, "x", answered)
    assert driver.says_bytes(skills)[-1] == observed


def test_what_is_observed_has_the_number_that_it_was_given() -> None:
    """A notification of a thread, a request, its resolution; not what is kept out of the timeline, or held back."""
    driver = Driver(OBSERVED).ready()
    driver.thread(driver.client())

    def numbers(text: bytes) -> tuple[list[int], int | None]:
        effects = driver.router.codex_receive(1, text, driver.now)
        (seen,) = [effect for effect in effects if isinstance(effect, Observed)]
        assert seen.line == text
        return [effect.event.seq for effect in effects if isinstance(effect, Numbered)], seen.seq

    of_thread = {"threadId": "T", "turnId": "u", "itemId": "i"}
    (first,), seq = numbers(line(method="item/agentMessage/delta", params=of_thread))
    assert seq == first
    assert numbers(line(id=0, method="item/tool/requestUserInput", params=of_thread)) == (
        [first + 1],
        first + 1,
    )
    resolved = line(method="serverRequest/resolved", params={"threadId": "T", "requestId": 0})
    assert numbers(resolved) == ([first + 2], first + 2)
    assert numbers(line(method="rawResponseItem/completed", params=of_thread)) == ([], None)
    assert numbers(line(method="skills/changed")) == ([], None)
    assert numbers(line(method="item/agentMessage/delta", params={"threadId": "new"})) == ([], None)
    assert numbers(line(method="item/agentMessage/delta", params=of_thread))[1] == first + 3


def test_what_is_nobodys_is_observed_too() -> None:
    """What is no message, what nobody asked for, what an earlier Codex says, or one that is to end."""
    driver = Driver(OBSERVED).ready()
    assert driver.says_bytes(b"panicked") == [Observed(b"panicked", driver.now)]
    answer = line(id=99, result={})
    assert driver.says_bytes(answer) == [Observed(answer, driver.now, message=parse_codex(answer))]
    driver.died_and_back()
    driver.incarnation -= 1
    assert driver.says_bytes(answer) == [Observed(answer, driver.now)]
    driver.incarnation += 1
    driver.stops()
    assert driver.says_bytes(answer) == [Observed(answer, driver.now)]


@given(st.lists(st.tuples(st.sampled_from(SPECIAL), values), max_size=4), st.lists(ids, max_size=3), values)
def test_nothing_that_codex_says_trips_the_core(
    said: list[tuple[str, Any]], raw_ids: list[Any], anything: Any
) -> None:
    """A Codex that changed its shapes is served as far as it is understood; no line of it ends the daemon."""
    driver = Driver().ready()
    client = driver.client()
    driver.thread(client, turn="u")
    driver.sends(client, id=1, method="thread/start", params={"cwd": "/p"})
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
