"""What the core reads of params and results, and that nothing in them can trip it."""

from typing import Any

import pytest
from hypothesis import given
from msgspec import UNSET, Raw

from codexd.protocol import messages
from codexd.routing import params
from tests.protocol.strategies import values

ID = "01a22d79-4f36-7202-b6e2-72ca4762086e"


def raw(value: Any) -> Raw:
    return Raw(messages.encode(value))


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"threadId": "T"}, ("T", None)),
        ({"threadId": "T", "turnId": "u", "other": [1]}, ("T", "u")),
        ({"conversationId": "T"}, ("T", None)),
        ({"threadId": "T", "conversationId": "V"}, ("T", None)),
        ({"threadId": "T", "turnId": None}, ("T", None)),
        ({"threadId": None}, (None, None)),
        ({"threadId": ""}, (None, None)),
        ({"threadId": 5}, (None, None)),
        ({"threadId": "T", "turnId": 5}, ("T", None)),
        ({"threadId": "T", "conversationId": []}, ("T", None)),
        ({"threadId": 5, "turnId": "u"}, (None, "u")),
        ({"threadId": ID.upper()}, (ID, None)),
        ({"conversationId": "urn:uuid:" + ID}, (ID, None)),
        ({"thread": {"id": "T"}}, (None, None)),
        ({}, (None, None)),
        ([], (None, None)),
        (None, (None, None)),
        ("T", (None, None)),
    ],
)
def test_the_thread_that_params_name(value: Any, found: tuple[str | None, str | None]) -> None:
    """`threadId`, or `conversationId` in approvals of version 1; anything odd is no thread, and Codex will say so."""
    assert params.thread_and_turn(raw(value)) == found
    assert params.thread_id(raw(value)) == found[0]


def test_no_params_name_no_thread() -> None:
    """They may be left out."""
    assert params.thread_and_turn(UNSET) == (None, None)
    assert params.turn_of(UNSET) is None
    assert params.resolved(UNSET) is None


def test_the_thread_of_an_answer() -> None:
    """As far as codexd has to know it."""
    turns = [{"id": "u", "status": "completed"}, {"id": "v", "status": "inProgress", "items": []}]
    found = params.thread_of_result(
        raw(
            {
                "thread": {"id": "T", "ephemeral": True, "parentThreadId": "P", "turns": turns, "x": 1},
                "model": "m",
            }
        )
    )
    assert found == params.Thread(
        "T", True, "P", [params.Turn("u", "completed"), params.Turn("v", "inProgress")]
    )
    assert params.thread_of_result(raw({"thread": {"id": "T"}})) == params.Thread("T", False, None, [])


@pytest.mark.parametrize("value", [{}, {"thread": None}, {"thread": {"id": 5}}, [], None, "T"])
def test_an_answer_without_a_thread(value: Any) -> None:
    """Says nothing about one."""
    assert params.thread_of_result(raw(value)) is None


def test_the_turn_of_a_notification() -> None:
    """`turn/started` and `turn/completed` have it in `turn.id`."""
    found = params.turn_of(raw({"threadId": "T", "turn": {"id": "u", "status": "inProgress", "items": []}}))
    assert found == ("T", params.Turn("u", "inProgress"))
    assert params.turn_of(raw({"threadId": "T"})) is None


def test_the_turn_of_an_answer() -> None:
    """`turn/start` and its like have it in `turn`."""
    assert params.turn_of_result(raw({"turn": {"id": "u", "status": "inProgress"}})) == params.Turn(
        "u", "inProgress"
    )
    assert params.turn_of_result(raw({"turn": None})) is None


def test_what_is_resolved() -> None:
    """The id as Codex wrote it, whatever its type."""
    found = params.resolved(raw({"threadId": "T", "requestId": "7"}))
    assert found is not None
    assert (found.thread_id, bytes(found.request_id)) == ("T", b'"7"')
    assert params.resolved(raw({"threadId": "T"})) is None


def test_the_item_of_an_event() -> None:
    """Described where it starts and ends, named by what comes in between."""
    assert params.item(raw({"item": {"id": "i"}})) == "i"
    assert params.item(raw({"itemId": "i"})) == "i"
    assert (params.item(raw({"item": 5})), params.item(UNSET)) == (None, None)
    assert params.item_of(b'{"method":"x","params":{"itemId":"i"}}') == "i"
    assert (params.item_of(b'{"method":"x"}'), params.item_of(b'{"params":5}')) == (None, None)


def test_the_thread_that_started() -> None:
    """`thread/started` describes it."""
    assert params.started(raw({"thread": {"id": "T", "ephemeral": True}})) == params.Thread("T", True)
    assert (params.started(raw({"thread": {}})), params.started(UNSET)) == (None, None)


def test_the_body_of_an_error() -> None:
    """Code and message; nothing for what is no error."""
    assert params.error_body(raw({"code": -1, "message": "no", "data": {}})) == (-1, "no")
    assert params.error_body(raw({"code": "x"})) == (0, "")


@given(values)
def test_nothing_in_params_or_results_trips_the_core(value: Any) -> None:
    """Whatever JSON it is, it is read or passed over."""
    for read in (
        params.thread_and_turn, params.thread_of_result, params.turn_of_result, params.turn_of, params.resolved,
        params.error_body, params.item, params.started,
    ):  # fmt: skip
        read(raw(value))


@pytest.mark.parametrize(
    ("path", "thread"),
    [
        (f"/h/.codex/sessions/2026/11/30/rollout-2026-11-30T17-22-13-{ID}.jsonl", ID),
        (f"rollout-2026-11-30T17-22-13-{ID}.jsonl.zst", ID),
        (f"/a\nb/rollout-x-{ID}.jsonl", ID),
        (f"/h/{ID}.jsonl", None),
        (f"/h/rollout-2026-{ID}.txt", None),
        ("", None),
        (None, None),
        (5, None),
    ],
)
def test_the_thread_of_a_rollout(path: Any, thread: str | None) -> None:
    """The name of its file ends with the id."""
    assert params.thread_of_rollout(raw({"threadId": "T", "path": path})) == thread
    assert params.thread_of_rollout(UNSET) is None


def test_ids_in_answers_and_notifications_have_one_form() -> None:
    """Codex writes them so by itself; a later one may not."""
    other = "{" + ID.upper() + "}"
    described = params.thread_of_result(raw({"thread": {"id": other, "parentThreadId": other}}))
    assert described is not None
    assert (described.id, described.parent_thread_id) == (ID, ID)
    turn = params.turn_of(raw({"threadId": other, "turn": {"id": ID.upper()}}))
    assert turn == (ID, params.Turn(ID.upper()))
    assert params.status_of(raw({"threadId": other, "status": {"type": "idle"}})) == (ID, "idle")
    resolved = params.resolved(raw({"threadId": other, "requestId": 1}))
    assert resolved is not None
    assert resolved.thread_id == ID


def test_the_status_of_a_thread_that_was_read() -> None:
    """Or nothing, where it has none."""
    assert params.thread_status_of_result(raw({"thread": {"status": {"type": "idle"}}})) == "idle"
    assert params.thread_status_of_result(raw({"thread": {}})) is None
