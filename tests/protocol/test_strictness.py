"""What Codex would drop without a word is refused; what it serves is not."""

import json
from collections.abc import Callable

import pytest
from hypothesis import example, given
from msgspec import Raw

from codexd.protocol.errors import InvalidMessage
from codexd.protocol.strictness import MAX_DEPTH, check_error, check_id, check_text, check_trace, is_same_id
from tests.protocol.strategies import text


def nested(levels: int, inside: bytes = b"") -> bytes:
    """An object with `levels` levels of brackets, itself included."""
    return b'{"x":' + b"[" * (levels - 1) + inside + b"]" * (levels - 1) + b"}"


def refuses(check: Callable[[Raw], None], value: bytes) -> bool:
    try:
        check(Raw(value))
    except InvalidMessage:
        return True
    return False


def test_as_many_levels_are_served_as_codex_takes() -> None:
    """All that it can read (127 in 0.163 and 0.171)."""
    assert MAX_DEPTH == 127
    check_text(nested(MAX_DEPTH))


@pytest.mark.parametrize(
    "line",
    [
        nested(MAX_DEPTH + 1),
        nested(MAX_DEPTH, b"{}"),
        b'{"a":[],"b":' + nested(MAX_DEPTH) + b',"c":[]}',
        b'{"x":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1),
        b'{"a":"\\\\",' + nested(MAX_DEPTH + 1)[1:-1] + b',"b":1}',
        b'{"a":"\\"[",' + nested(MAX_DEPTH + 1)[1:],
    ],
    ids=["lists", "an object", "in the middle", "objects", "behind a backslash", "behind a quote"],
)
def test_one_level_more_is_refused(line: bytes) -> None:
    """Wherever it is, and whatever strings stand before it."""
    json.loads(line)
    with pytest.raises(InvalidMessage, match="more than 127 levels"):
        check_text(line)


@pytest.mark.parametrize("word", ["[", "{", "[[", '"[', "\\[", '\\"[', "\\\\", '\\\\"[{'])
def test_brackets_in_strings_are_no_levels(word: str) -> None:
    """Code is full of brackets, of quotes before brackets, and of backslashes before quotes."""
    check_text(json.dumps({"text": word * 200, word * 30: [word * 20] * 30}).encode())


@given(text)
@example("\\")
@example('"[')
@example('\\"')
def test_no_string_hides_or_feigns_depth(word: str) -> None:
    """Whatever a string holds, it counts for nothing."""
    line = json.dumps({word: word * 128, "x": [[]] * 128}).encode()
    check_text(line)
    with pytest.raises(InvalidMessage):
        check_text(b'{"a":' + json.dumps(word).encode() + b"," + nested(MAX_DEPTH + 1)[1:])


def test_many_brackets_side_by_side_are_not_deep() -> None:
    """Length is no depth."""
    check_text(json.dumps({"x": [[], {}] * 100_000}).encode())


@pytest.mark.parametrize(
    "line",
    [
        b'{"$serde_json::private::Number":5}',
        b'{"a":[{"$serde_json::private::RawValue" : "{{"}]}',
        b'{"\\u0024serde_json::private::Number":5}',
        b'{"$serde_json\\u003A\\u003a\\u0070rivate::RawValu\\u0065":5}',
    ],
)
def test_the_private_names_of_codexs_json_library_are_refused(line: bytes) -> None:
    """Codex takes such an object for a number or a raw text, finds that it is none, and drops the line (measured)."""
    with pytest.raises(InvalidMessage, match="private"):
        check_text(line)


@pytest.mark.parametrize(
    "line",
    [
        json.dumps({"text": '{"$serde_json::private::Number": 5}'}).encode(),
        json.dumps({"text": "$serde_json::private::Number"}).encode(),
        b'{"$serde_json::private::Other":5}',
    ],
)
def test_talking_about_them_is_allowed(line: bytes) -> None:
    """In a string they are words like any others."""
    check_text(line)


@pytest.mark.parametrize(
    "raw_id",
    [b"0", b"-0", b"7", b"-7", b"9223372036854775807", b"-9223372036854775808", b'""', b'"7"', b'"\\u00e9"'],
)
def test_ids_that_codex_answers_are_allowed(raw_id: bytes) -> None:
    """Strings and int64."""
    check_id(raw_id)


@pytest.mark.parametrize(
    "raw_id",
    [
        *(b"9223372036854775808", b"-9223372036854775809", b"99999999999999999999", b"1.0", b"1e2", b"null"),
        *(b"true", b"[]", b"{}", b"1" * 5000),
    ],
)
def test_other_ids_are_refused(raw_id: bytes) -> None:
    """Codex drops a line with such an id, or takes the request for a notification (measured)."""
    with pytest.raises(InvalidMessage, match="64-bit integer"):
        check_id(raw_id)


@pytest.mark.parametrize(
    ("trace", "refused"),
    [
        (b"null", False),
        (b"{}", False),
        (b'{"traceparent":"00-ab-cd-01","tracestate":"a=b"}', False),
        (b'{"traceparent":null,"tracestate":null}', False),
        (b'{"other":[5]}', False),
        (b'"x"', True),
        (b"5", True),
        (b"[]", True),
        (b'{"traceparent":5}', True),
        (b'{"tracestate":{}}', True),
        (b'{"traceparent":"a","traceparent":"a"}', True),
    ],
)
def test_a_trace_is_an_object_of_strings(trace: bytes, refused: bool) -> None:
    """With another one Codex takes the request for a notification and never answers it (measured)."""
    assert refuses(check_trace, trace) is refused


@pytest.mark.parametrize(
    ("error", "refused"),
    [
        (b'{"code":-1,"message":"no"}', False),
        (b'{"code":9223372036854775807,"message":"","data":[1]}', False),
        (b'{"code":-9223372036854775808,"message":"","data":null,"other":5}', False),
        (b'{"code":9223372036854775808,"message":""}', True),
        (b'{"code":-9223372036854775809,"message":""}', True),
        (b'{"code":1.0,"message":""}', True),
        (b'{"code":"1","message":""}', True),
        (b'{"code":1}', True),
        (b'{"message":""}', True),
        (b'{"code":1,"message":null}', True),
        (b'{"code":1,"code":1,"message":""}', True),
        (b'{"code":1,"message":"a","message":"b"}', True),
        (b'{"code":1,"message":"","data":1,"data":2}', True),
        (b'"no"', True),
        (b"null", True),
        (b"[]", True),
    ],
)
def test_an_error_that_codex_would_not_take_for_one_is_refused(error: bytes, refused: bool) -> None:
    """codexd would count it as the decision, and Codex would wait for ever (measured)."""
    assert refuses(check_error, error) is refused


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (b"1", b"1", True),
        (b"1", b"2", False),
        (b'"1"', b"1", False),
        (b'"a"', b'"\\u0061"', True),
        (b'"a\\/"', b'"a/"', True),
        (b'"a"', b'"\\u0062"', False),
        (b"1", b'"\\u0031"', False),
    ],
)
def test_ids_are_compared_as_codex_reads_them(one: bytes, other: bytes, same: bool) -> None:
    """However a string is written."""
    assert is_same_id(one, other) is same
    assert is_same_id(other, one) is same
