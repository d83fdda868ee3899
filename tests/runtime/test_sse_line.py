"""What one line of the observability log says of one message."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st

from codexd.protocol.messages import parse_codex
from codexd.routing.effects import Observed
from codexd.runtime import sse_line
from codexd.runtime.redaction import REDACTED

AT = 1795251871.477
TIME = "2026-11-21T09:04:31.477000Z"
Message = dict[str, Any]


def said(line: bytes | Message, *, content: bool = False, **known: Any) -> Message:
    """What the log has of it, read again; `bytes` is checked here."""
    raw = line if isinstance(line, bytes) else json.dumps(line).encode()
    written = sse_line.of_message(Observed(raw, AT, **known), content)
    assert written.endswith(b"\n")
    assert written.count(b"\n") == 1
    said: Message = json.loads(written)
    assert said.pop("bytes") == len(raw)
    assert said.pop("time") == TIME
    return said


def test_a_notification() -> None:
    """Time, kind, method, ids, number and size; nothing of what it says."""
    delta = {"threadId": "t", "turnId": "u", "itemId": "i", "delta": "hello"}
    line = b'{"method":"item/agentMessage/delta","params":%b,"emittedAtMs":1}' % json.dumps(delta).encode()
    assert sse_line.of_message(Observed(line, AT, 17), with_content=False) == (
        b'{"time":"2026-11-21T09:04:31.477000Z","kind":"notification","method":"item/agentMessage/delta",'
        b'"threadId":"t","turnId":"u","itemId":"i","seq":17,"bytes":%d}\n' % len(line)
    )


def test_what_the_core_has_read_is_not_read_again() -> None:
    """A line of twenty kilobytes takes the interpreter from the event loop for as long as it is read."""
    message = parse_codex(b'{"id":7,"result":{"turn":{"id":"u"}}}')
    assert said(b"not read", method="turn/start", message=message) == {
        "kind": "response",
        "method": "turn/start",
        "id": 7,
        "turnId": "u",
        "seq": None,
    }


@pytest.mark.parametrize(
    ("params", "ids"),
    [
        ({"threadId": "t", "turn": {"id": "u", "items": [{"id": "x"}]}}, {"threadId": "t", "turnId": "u"}),
        (
            {"threadId": "t", "turnId": "u", "item": {"id": "i", "text": "…"}},
            {"threadId": "t", "turnId": "u", "itemId": "i"},
        ),
        ({"thread": {"id": "t", "turns": []}}, {"threadId": "t"}),
        ({"threadId": None, "turnId": None, "item": None}, {}),
        ({"thread": {}, "turn": {}, "item": {}}, {}),
        ({"threadId": "t", "item": "no thing"}, {"threadId": "t"}),
        ({"threadId": {"deep": 1}}, {}),
        ({"threadId": "t" * 201}, {}),
        ([1, 2], {}),
        ({}, {}),
    ],
)
def test_ids_are_found_where_codex_has_them(params: Any, ids: Message) -> None:
    """By name, or in the thing itself; what is no id is none, and hides no content."""
    assert said({"method": "m", "params": params}) == {"kind": "notification", "method": "m"} | ids | {
        "seq": None
    }
    assert said({"id": 1, "result": params}) == {"kind": "response", "id": 1} | ids | {"seq": None}


def test_a_message_without_params() -> None:
    """Nothing is made up."""
    assert said({"method": "m"}) == {"kind": "notification", "method": "m", "seq": None}
    assert said({"method": "m"}, content=True) == {"kind": "notification", "method": "m", "seq": None}


def test_a_request() -> None:
    """Under the id that Codex gave it, with its type."""
    ask = {"id": "0", "method": "item/tool/call", "params": {"threadId": "t"}}
    assert said(ask, seq=3) == {
        "kind": "request", "method": "item/tool/call", "id": "0", "threadId": "t", "seq": 3,
    }  # fmt: skip


def test_answers_have_the_method_of_their_request() -> None:
    """Where codexd has made it."""
    answer = {"id": 7, "result": {"thread": {"id": "t"}}}
    assert said(answer, method="thread/start") == {
        "kind": "response", "method": "thread/start", "id": 7, "threadId": "t", "seq": None,
    }  # fmt: skip
    error = {"error": {"code": -1, "message": "no"}, "id": 7}
    assert said(error, method="m") == {"kind": "error", "method": "m", "id": 7, "seq": None}
    assert said(error) == {"kind": "error", "id": 7, "seq": None}


@pytest.mark.parametrize("line", [b"", b"half a li", b"[]", b"\xff", b"{}", b'{"id":1}', b"[" * 100_000])
def test_what_is_no_message(line: bytes) -> None:
    """It came, so it is there."""
    assert said(line, content=True) == {"kind": "unreadable", "seq": None}


def test_names_are_short() -> None:
    """A content could hide in a name."""
    assert said({"method": "m" * 300}) == {"kind": "notification", "method": "m" * 200, "seq": None}
    assert said({"id": "i" * 300, "result": {}}) == {"kind": "response", "id": None, "seq": None}
    assert said({"id": {"deep": 1}, "result": {}}) == {"kind": "response", "id": None, "seq": None}


def test_content_is_there_when_it_is_wanted() -> None:
    """Params of notifications and requests, and errors; without the secrets in them."""
    params = {"threadId": "t", "command": "login --token x1", "env": {"A": "x2"}}
    clean = {"threadId": "t", "command": f"login --token {REDACTED}", "env": REDACTED}
    assert said({"method": "m", "params": params}, content=True)["params"] == clean
    assert said({"id": 1, "method": "m", "params": params}, content=True)["params"] == clean
    error = {"code": -1, "message": "Authorization: x3"}
    found = said({"id": 1, "error": error}, content=True)
    assert found["error"] == {"code": -1, "message": f"Authorization: {REDACTED}"}


def test_results_have_no_content() -> None:
    """They are files, accounts and configurations."""
    assert said({"id": 1, "result": {"account": "x"}}, content=True) == {
        "kind": "response",
        "id": 1,
        "seq": None,
    }


def test_what_is_too_long_or_odd_is_left_out_and_said() -> None:
    """The line is there all the same."""
    long = {"method": "m", "params": {"text": "x" * sse_line.MAX_CONTENT_BYTES}}
    odd = b'{"method":"m","params":%b%b}' % (b"[" * 500, b"]" * 500)
    no_number_of_ours = b'{"method":"m","params":{"arguments":{"n":1e999}}}'
    wanted = {"kind": "notification", "method": "m", "seq": None, "omitted": True}
    for line in (long, odd, no_number_of_ours):
        assert said(line, content=True) == wanted


def test_dropped_messages_are_counted() -> None:
    """A line in their place."""
    assert json.loads(sse_line.of_dropped(AT, 12)) == {"time": TIME, "kind": "dropped", "count": 12}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["id", "threadId", "turn", "item"]), inner)
    ),
)
MESSAGES = st.dictionaries(st.sampled_from(["id", "method", "params", "result", "error"]), JSON)


@given(st.one_of(st.binary(), MESSAGES.map(msgspec.json.encode)), st.booleans())
def test_whatever_comes_is_one_line(line: bytes, content: bool) -> None:
    """Any bytes become one JSON object of a known kind."""
    kind = said(line, content=content)["kind"]
    assert kind in ("notification", "request", "response", "error", "unreadable")
