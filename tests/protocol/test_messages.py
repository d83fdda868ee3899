"""Lines to messages and back: strict for clients, fast for Codex, and true to the byte."""

import json
from typing import Any

import pytest
from hypothesis import example, given, strategies as st
from msgspec import UNSET, Raw

from codexd.protocol import messages
from codexd.protocol.errors import InvalidMessage, NotJson, ProtocolError
from codexd.protocol.framing import LineSplitter
from codexd.protocol.messages import ErrorResponse, Message, Notification, Request, Response
from tests.protocol.strategies import ids, text, values, written

ERROR = {"code": -5, "message": "no"}


def kind(message: Message) -> tuple[Any, ...]:
    """What a message is, as plain values."""
    match message:
        case Request():
            return "request", json.loads(message.id), message.method, plain(message.params)
        case Notification():
            return "notification", message.method, plain(message.params)
        case Response():
            return "response", json.loads(message.id), plain(message.result)
        case ErrorResponse():
            return "error", json.loads(message.id), plain(message.error)


def plain(raw: Any) -> Any:
    return "absent" if raw is UNSET else json.loads(bytes(raw))


bodies: st.SearchStrategy[tuple[dict[str, Any], tuple[Any, ...]]] = st.one_of(
    st.builds(lambda i, m, p: ({"id": i, "method": m, "params": p}, ("request", i, m, p)), ids, text, values),
    st.builds(lambda i, m: ({"id": i, "method": m}, ("request", i, m, "absent")), ids, text),
    st.builds(lambda m, p: ({"method": m, "params": p}, ("notification", m, p)), text, values),
    st.builds(lambda m: ({"method": m}, ("notification", m, "absent")), text),
    st.builds(lambda i, r: ({"id": i, "result": r}, ("response", i, r)), ids, values),
    st.builds(
        lambda i, d: ({"id": i, "error": ERROR | {"data": d}}, ("error", i, ERROR | {"data": d})), ids, values
    ),
)
others = st.dictionaries(
    text.filter(lambda name: name not in {"id", "method", "params", "result", "error", "trace"}),
    values,
    max_size=2,
)


@given(st.data(), bodies, others)
def test_a_message_is_what_its_members_say(
    data: st.DataObject, body: tuple[dict[str, Any], tuple[Any, ...]], other: dict[str, Any]
) -> None:
    """Any id, any spelling, any order of members, members that nobody knows: both readers see the same."""
    members, expected = body
    line = data.draw(written(other | members))
    for read in (messages.parse, messages.parse_codex):
        message = read(line)
        assert kind(message) == expected
        assert message.line == line


@given(st.data(), bodies, others, ids)
def test_with_id_changes_nothing_but_the_id(
    data: st.DataObject, body: tuple[dict[str, Any], tuple[Any, ...]], other: dict[str, Any], new_id: Any
) -> None:
    """The bytes before and behind it are the same, and so is every other member."""
    members = other | body[0]
    line = data.draw(written(members))
    raw_id = json.dumps(new_id).encode()
    for read in (messages.parse, messages.parse_codex):
        message = read(line)
        if isinstance(message, Notification):
            continue
        changed = messages.with_id(message, raw_id)
        start, end = message.id_at
        assert (line[:start], line[start:end]) == (changed[:start], message.id)
        assert changed[start:] == raw_id + line[end:]
        assert json.loads(changed) == members | {"id": new_id}


@pytest.mark.parametrize("chop", ["whole", "byte by byte", "with a tail"])
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"id":1,"method":"x","params":{"t":"naïve 😀"}}', ("request", 1, "x", {"t": "naïve 😀"})),
        ('{"method":"initialized"}', ("notification", "initialized", "absent")),
        ('{"id":"a","result":[1]}', ("response", "a", [1])),
        ('{"error":{"code":-5,"message":"no"},"id":9}', ("error", 9, ERROR)),
    ],
)
def test_a_message_is_the_same_however_it_comes(chop: str, line: str, expected: tuple[Any, ...]) -> None:
    """Whole, byte by byte, or with the beginning of the next one behind it."""
    data = line.encode() + b"\r\n"
    chunks = {
        "whole": [data],
        "byte by byte": [data[at : at + 1] for at in range(len(data))],
        "with a tail": [data + b'{"id":2'],
    }[chop]
    splitter = LineSplitter()
    (found,) = [found for chunk in chunks for found in splitter.feed(chunk)]
    assert isinstance(found, bytes)
    for read in (messages.parse, messages.parse_codex):
        assert kind(read(found)) == expected


_TOKENS = """{ } [ ] , : " \\ "id" "method" "params" "result" "error" "trace" 1 -0 1e9 null "x" \\ud83d \x00 é
    {"code":1,"message":""} \\u0069d"""
json_like = st.lists(st.sampled_from([" ", *_TOKENS.split()]), max_size=14).map(
    lambda tokens: "".join(tokens).encode()
)


@given(
    st.binary(max_size=60) | json_like | json_like.map(lambda inner: b'{"id":1,"method":"x"' + inner + b"}")
)
@example(b"")
@example(b"\xff\xfe")
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
def test_any_bytes_are_a_message_or_a_protocol_error(line: bytes) -> None:
    """Nothing else comes out of either reader, and what is to be answered is valid JSON under a valid id."""
    for read in (messages.parse, messages.parse_codex):
        try:
            message = read(line)
        except ProtocolError as error:
            answer = json.loads(messages.error(error.raw_id, error.code, error.message))
            assert answer["id"] is None or isinstance(answer["id"], int | str)
        else:
            assert message.line == line


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"", "not valid JSON"),
        (b"nonsense", "not valid JSON"),
        (b'{"id":1,"method":"x"', "not valid JSON"),
        (b'{"id":1,"method":"x"} {}', "not valid JSON"),
        (b'{"id":1,"method":"x","params":{"a":01}}', "not valid JSON"),
        (b'{"id":1,"method":"x","params":{"a":"\x01"}}', "not valid JSON"),
        (b'{"id":1,"method":"x","params":{"a":NaN}}', "not valid JSON"),
        (b'\xef\xbb\xbf{"id":1,"method":"x"}', "not valid JSON"),
        (b'{"id":1,"method":"x","params":{"a":"\xff"}}', "not valid UTF-8"),
        (b'{"id":1,"method":"x","params":{"a":"\xed\xa0\xbd"}}', "not valid UTF-8"),
    ],
)
def test_what_is_no_json_text_is_answered_as_such(line: bytes, why: str) -> None:
    """Codex drops such a line, or exits on it; the sender is told instead, and nobody else is harmed."""
    with pytest.raises(NotJson, match=why) as caught:
        messages.parse(line)
    assert caught.value.raw_id == b"null"


@pytest.mark.parametrize("line", [b"[]", b'[{"id":1,"method":"x"}]', b"5", b'"x"', b"null"])
def test_what_is_no_object_is_no_message(line: bytes) -> None:
    """Batches are not served by Codex either, which says nothing to them."""
    with pytest.raises(InvalidMessage, match="one JSON object") as caught:
        messages.parse(line)
    assert caught.value.raw_id == b"null"


@pytest.mark.parametrize(
    ("line", "raw_id"),
    [
        (b"{}", b"null"),
        (b'{"id":7}', b"7"),
        (b'{"params":{},"id":"a"}', b'"a"'),
        (b'{"id":7,"method":5}', b"7"),
        (b'{"id":7,"method":null,"result":1}', b"7"),
        (b'{"method":5}', b"null"),
        (b'{"id":null,"method":"x"}', b"null"),
        (b'{"id":1.5,"method":"x"}', b"null"),
        (b'{"id":9223372036854775808,"method":"x"}', b"null"),
        (b'{"id":7,"method":"x","params":1,"params":2}', b"7"),
        (b'{"id":7,"method":"x","trace":5}', b"7"),
        (b'{"id":7,"method":"x","params":' + b"[" * 127 + b"]" * 127 + b"}", b"7"),
        (b'{"id":7,"method":"x","params":{"$serde_json::private::Number":1}}', b"7"),
        (rb'{"id":7,"method":"x","params":{"a":"\ud800"}}', b"7"),
        (rb'{"method":"x","params":{"\ud800":"\udc00"},"id":"a"}', b'"a"'),
        (rb'{"id":"\ud800","method":"x"}', b"null"),
        (rb'{"id":"\u00e9","method":"x\ud800"}', rb'"\u00e9"'),
        (rb'{"id":7,"method":"x","params":"' + rb"\ud800" * 50 + b'"}', b"7"),
        (rb'{"method":"x","params":"' + rb"\ud800" * 50 + b'","id":7}', b"null"),
        (rb'{"id":7,"result":"\ud800"}', b"null"),
        (rb'["\ud800"]', b"null"),
    ],
)
def test_a_bad_request_is_answered_under_its_id(line: bytes, raw_id: bytes) -> None:
    """Where it has one that its sender can mean."""
    with pytest.raises(InvalidMessage) as caught:
        messages.parse(line)
    assert caught.value.raw_id == raw_id


@pytest.mark.parametrize("half", [r"\ud800", r"\uDBFF", r"\udc00\ud800"])
def test_half_a_character_is_named_for_what_it_is(half: str) -> None:
    """Codex drops such a line without a word: the text was cut in the middle of an emoji."""
    with pytest.raises(InvalidMessage) as caught:
        messages.parse(b'{"id":7,"method":"turn/start","params":{"text":"' + half.encode() + b'"}}')
    assert (
        caught.value.message
        == f"`{half[:6]}` is half of a surrogate pair, and no character: send both halves, or none"
    )


@pytest.mark.parametrize(
    "line",
    [
        b'{"result":1}',
        b'{"error":{"code":1,"message":""}}',
        b'{"id":1.5,"result":1}',
        b'{"id":7,"error":5}',
        b'{"id":7,"error":{"code":1.5,"message":""}}',
        b'{"id":7,"result":1,"result":1}',
        b'{"id":7,"result":1,"trace":5}',
        b'{"id":7,"result":' + b"[" * 127 + b"]" * 127 + b"}",
    ],
)
def test_a_bad_answer_is_refused_under_no_id(line: bytes) -> None:
    """Its id is that of the request it answers; its sender may have one of its own under the same (T1)."""
    with pytest.raises(InvalidMessage) as caught:
        messages.parse(line)
    assert caught.value.raw_id == b"null"


def test_an_answer_with_both_is_a_result() -> None:
    """As Codex takes it (measured)."""
    line = b'{"id":1,"error":5,"result":{"decision":"accept"}}'
    assert (
        kind(messages.parse(line))
        == kind(messages.parse_codex(line))
        == ("response", 1, {"decision": "accept"})
    )


def test_a_member_twice_in_params_is_codexs_affair() -> None:
    """Codex serves it (measured), so it travels as it is."""
    line = b'{"id":1,"method":"x","params":{"limit":1,"limit":2}}'
    message = messages.parse(line)
    assert isinstance(message, Request)
    assert message.line == line
    assert plain(message.params) == {"limit": 2}


def test_a_line_of_100_megabytes_is_a_message() -> None:
    """Peers broke at 64 KiB, 1 MB and 10 MB (T7)."""
    head, tail = b'{"id":1,"method":"x","params":{"text":"', b'"},"id2":[]}'
    body = b"[\\n" * (100_000_000 // 3)
    message = messages.parse(head + body + tail)
    assert isinstance(message, Request)
    assert messages.with_id(message, b"22") == head.replace(b"1", b"22", 1) + body + tail


@pytest.mark.parametrize(
    ("line", "id_at"),
    [
        (b'{"id":12,"result":{"id":12}}', (6, 8)),
        (b'{"error":{"code":1,"message":"","data":{"id":5}},"id":12}', (54, 56)),
        (b'{"error":{"code":1,"message":"\\",\\"id\\":12}"},"id":"12}"}', None),
        (b'{"method":"a","id":3,"params":{"id":4}}', (19, 20)),
        (b'{"id": 3,"method":"a","params":{"x":{"y":1,"id":3}}}', (7, 8)),
        (b'{"method":"a","params":{"id":3},"id":3 }', (37, 38)),
    ],
)
def test_the_id_is_found_where_codex_puts_it(line: bytes, id_at: tuple[int, int] | None) -> None:
    """First in results, last in errors, and nowhere else than at the top, however the line ends."""
    message = messages.parse_codex(line)
    assert not isinstance(message, Notification)
    if id_at is not None:
        assert message.id_at == id_at
    assert line[slice(*message.id_at)] == message.id
    assert json.loads(messages.with_id(message, b'"new"')) == json.loads(line) | {"id": "new"}


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"what", NotJson),
        (b"[]", NotJson),
        (b'{"method":5}', NotJson),
        (b'{"method":"x","params":{"threadId":"\xff"}}', NotJson),
        (b"{}", InvalidMessage),
        (b'{"id":1}', InvalidMessage),
        (b'{"params":{}}', InvalidMessage),
        (b'{"method":"x","id":1,"id":1,"params":{}}', InvalidMessage),
    ],
)
def test_a_bad_line_of_codex_is_told_by_its_type(line: bytes, error: type[ProtocolError]) -> None:
    """It is logged and skipped; nothing behind it has to cope with it (T21)."""
    with pytest.raises(error):
        messages.parse_codex(line)


def test_our_own_lines_are_read_by_both_sides() -> None:
    """What codexd writes itself is what `parse` calls a message, byte for byte as Codex writes it."""
    assert messages.request(b"1", "thread/read", {"threadId": "t"}) == (
        b'{"id":1,"method":"thread/read","params":{"threadId":"t"}}'
    )
    assert messages.request(b'"a"', "x") == b'{"id":"a","method":"x","params":{}}'
    assert messages.notification("x", {"a": 1}) == b'{"method":"x","params":{"a":1}}'
    assert messages.result(b"1", {"raw": Raw(b"[1, 2]")}) == b'{"id":1,"result":{"raw":[1, 2]}}'
    assert messages.error(b"null", -32600, "no") == b'{"error":{"code":-32600,"message":"no"},"id":null}'
    assert messages.error(b"1", -32050, "no", {"reason": "why"}) == (
        b'{"error":{"code":-32050,"message":"no","data":{"reason":"why"}},"id":1}'
    )


@pytest.mark.parametrize("raw", [b"[]", b'"x"', b"5", b"null"])
def test_what_is_no_object_has_no_members(raw: bytes) -> None:
    """Codex will complain of such params; codexd finds nothing in them."""
    assert messages.members_of(Raw(raw)) == {}
    assert messages.members_of(UNSET) == {}


def test_the_members_of_an_object_stay_raw() -> None:
    """A value is handed on as it was written."""
    found = messages.members_of(Raw(b'{"a": 1.50, "b": [ ]}'))
    assert {name: bytes(value) for name, value in found.items()} == {"a": b"1.50", "b": b"[ ]"}


def test_rewriting_a_param_leaves_the_rest_of_the_line_as_it_is() -> None:
    """Numbers keep their digits, members that nobody knows stay, and what is not there is added."""
    line = b'{"emittedAtMs":17.50,"method":"x","params": {"a":1,"b":1e400},"z":[ ]}'
    message = messages.parse_codex(line)
    assert isinstance(message, Notification)
    assert messages.rewritten(message, {"a": "2", "c": None}) == (
        b'{"emittedAtMs":17.50,"method":"x","params": {"a":"2","b":1e400,"c":null},"z":[ ]}'
    )
