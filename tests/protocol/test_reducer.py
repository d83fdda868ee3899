"""A long line is read as it would be whole, and goes on to the byte: only who reads it reads less."""

import json
import re
from typing import Any

import pytest
from hypothesis import given, strategies as st

from codexd.protocol import messages
from codexd.protocol.bulk import LongLine
from codexd.protocol.errors import InvalidMessage, NotJson, ProtocolError
from codexd.protocol.messages import Message, Notification, Request
from codexd.protocol.reducer import MOST_SLICES, Reducer
from tests.protocol.long_lines import long_requests, many, message, reduced, reduced_line

PLACES = re.compile(r"\(byte \d+\)|Input data was truncated|JSON is malformed: [^(]*")


def decision(line: bytes | LongLine) -> tuple[Any, ...]:
    """What is made of a line: its message, or why there is none. Where a text is bad, not in which way."""
    try:
        read = messages.parse(line)
    except ProtocolError as error:
        return type(error), PLACES.sub("", error.message), error.raw_id
    raw_id = None if isinstance(read, Notification) else read.id
    return type(read), raw_id, getattr(read, "method", None)


def restored(line: LongLine) -> bytes:
    return b"".join(line.bulk.restored(line.short))


def parsed(line: bytes) -> Message:
    return messages.parse(reduced_line(line))


@given(long_requests(), st.sampled_from([8, 16, 40, 200]), st.integers(1, 60))
def test_a_long_line_is_the_message_that_it_is_whole(line: bytes, slice_bytes: int, piece_bytes: int) -> None:
    """Wherever it is cut: the same decision, the same members, and the same bytes when it is written."""
    found = reduced(line, slice_bytes, piece_bytes)
    assert decision(found) == decision(line)
    if isinstance(found, bytes):
        assert found == line
        return
    assert restored(found) == line
    whole, short = messages.parse(line), messages.parse(found)
    assert isinstance(whole, Request)
    assert isinstance(short, Request)
    assert short.size == whole.size
    assert list(messages.members_of(short.params)) == list(messages.members_of(whole.params))
    written = b"".join(found.bulk.restored(messages.with_id(short, b"77")))
    assert written == messages.with_id(whole, b"77")


@given(long_requests(), st.data(), st.sampled_from([8, 16, 40]))
def test_a_line_with_one_wrong_byte_is_decided_upon_as_it_is_whole(
    line: bytes, data: st.DataObject, slice_bytes: int
) -> None:
    """A byte that is another one, is missing, or is too many: what is passed on is what would have been."""
    at = data.draw(st.integers(1, len(line) - 1))
    wrong = data.draw(st.sampled_from([b'"', b"\\", b"[", b"]", b"{", b"}", b",", b":", b"0", b"", b"\xff"]))
    line = line[:at] + wrong + line[at + data.draw(st.integers(0, 1)) :]
    found = reduced(line, slice_bytes)
    expected = decision(line)
    if expected[0] is not NotJson:
        assert decision(found) == expected
        assert restored(found) == line if isinstance(found, LongLine) and found.bulk.runs else True
    else:  # of a wrong character and a wrong text, the first one is found
        assert decision(found)[0] in (NotJson, InvalidMessage if b"\\u" in line else NotJson)


@pytest.mark.parametrize(
    "params",
    [
        b'{"a":%b}' % many(1),
        b'{"a":%b}' % many([]),
        b'{"a":%b}' % many({"b": 1, "c": [{"d": "],"}]}),
        b'{"a":%b}' % many("]"),
        b'{"a":"%b"}' % (b"x" * 200),
        b'{"a":"%b"}' % (b"\\n" * 100),
        b'{"a":"%b"}' % (b"\\\\" * 100),
        b'{"a":"%b"}' % (b'\\"' * 100),
        b'{"a":"%b"}' % (b"\\ud83d\\ude00" * 20),
        b'{"a":"%b"}' % ("é€😀".encode() * 20),
        b'{"a":["%b",%b]}' % (b"x" * 90, many(1)),
        b'{"a":[{"b":"%b","c":2}]}' % (b"x" * 90),
        b'{"a":{"b":{"c":{%b}}}}' % b",".join(b'"%d":1' % n for n in range(50)),
        b'"%b"' % (b"x" * 200),
        many(1),
    ],
)
def test_what_is_long_is_taken_out_and_comes_back(params: bytes) -> None:
    """Numbers, lists, objects, texts, escapes: none of them is read, and none is lost."""
    line = message(params)
    found = reduced_line(line)
    assert restored(found) == line
    assert len(found.short) < 200
    assert len(found.bulk.runs) >= 1
    assert decision(found) == decision(line) == (Request, b"1", "x")


@pytest.mark.parametrize("level", [1, 2, 3])
def test_the_members_of_the_outer_objects_stay(level: int) -> None:
    """Codex reads them by their names, and so does codexd: no thread id is hidden among a thousand members."""
    inner = b"{%b}" % b",".join(b'"m%d":%d' % (n, n) for n in range(60))
    for _ in range(level - 1):
        inner = b'{"in":%b}' % inner
    found = reduced_line(message(inner))
    assert found.short == message(inner)
    assert found.bulk.runs == ()


def test_two_halves_far_from_each_other_are_no_pair() -> None:
    """Codex drops such a line without a word: it is refused, and not passed on as if both stood side by side."""
    line = message(b'"%b"' % (b"x" * 40 + rb"\ud83d" + b"x" * 40 + rb"\ude00" + b"x" * 40))
    found = reduced_line(line)
    assert decision(found) == decision(line)
    assert decision(found)[0] is InvalidMessage


@pytest.mark.parametrize("slice_bytes", [63, 64])
def test_half_a_pair_hides_no_other_fault(slice_bytes: int) -> None:
    """A string that ends early makes strings of brackets and brackets of strings: those were counted in vain."""
    line = (
        b'{"n{:{"]":-0   ,"\\"\xf0\x9f\x98\x80\\u0024 }":[\t   ]   ,"\\ud83d[de00:[\\/]":[]   ,"\\ud83d\\ude00\\ud8'
        b'3d[de00:\\u00e9\\/":[""]},"params":1e5,"method":"m","id":1}'
    )
    found = reduced_line(line, slice_bytes)
    assert decision(found) == decision(line)
    assert decision(found)[0] is InvalidMessage


def test_the_id_and_the_method_are_never_taken_out() -> None:
    """They are what the answer is sent under, and what it says."""
    long = b"i" * 100
    for line in (message(b"[]", raw_id=b'"%b"' % long), message(b"[]", method=long)):
        found = reduced_line(line)
        assert found.short == line
        assert found.bulk.runs == ()


def test_of_other_members_of_the_message_long_texts_are_taken_out() -> None:
    """Whatever they are called."""
    line = b'{"id":1,"method":"x","new":"%b"}' % (b"x" * 90)
    assert restored(reduced_line(line)) == line
    assert len(reduced_line(line).short) < len(line) + 30


def test_a_line_whose_names_are_long_is_not_reduced() -> None:
    """Nor is it lost: it is read as it is."""
    line = message(b'{"%b":1}' % (b"n" * 300))
    assert reduced(line) == line
    assert reduced(line, piece_bytes=len(line)) == line


@pytest.mark.parametrize("value", [b" " * 16 * MOST_SLICES + b"1", b"1" * 16 * MOST_SLICES])
def test_nor_is_one_with_endless_numbers_or_blanks(value: bytes) -> None:
    """There is no place to cut it."""
    line = message(b'{"a":%b}' % value)
    assert reduced(line) == line


@pytest.mark.parametrize("blanks", [0, 40])
def test_a_line_may_begin_with_blanks(blanks: int) -> None:
    """They say nothing of what it is."""
    line = b" " * blanks + message(many(1))
    assert restored(reduced_line(line)) == line


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (many(1), "a message is one JSON object"),
        (b'"%b"' % (b"x" * 90), "a message is one JSON object"),
        (b"1" * 90, "a message is one JSON object"),
        (b"wrong" * 90, "the line is not valid JSON"),
        (message(many(1)) + b"," + message(many(1)), "the line is not valid JSON"),
        (message(many(1)) + b"1", "the line is not valid JSON"),
        (message(many(1))[:-1], "the line is not valid JSON: Input data was truncated"),
        (message(many(1))[:-2], "the line is not valid JSON: Input data was truncated"),
        (message(b'"%b' % (b"x" * 90)), "the line is not valid JSON"),
        (message(b'{"a":[%b}}' % (b"[]," * 90)), "the line is not valid JSON"),
        (message(many(1).replace(b"]", b",]")), "the line is not valid JSON"),
        (message(many(1).replace(b"[", b"[,")), "the line is not valid JSON"),
        (message(b'["%b"1]' % (b"x" * 90)), "the line is not valid JSON"),
        (message(b'["%b".5]' % (b"x" * 90)), "the line is not valid JSON"),
        (message(b'["%b"]' % (b"x\x01" * 90)), "the line is not valid JSON"),
        (message(b'["%b"]' % (b"x\xff" * 90)), "the line is not valid UTF-8"),
        (message(b"[%b]" % (b'"\xc3",' * 90)), "the line is not valid UTF-8"),
        (message(b"[" * 5000 + b"]" * 5000), "the line is not valid JSON: maximum recursion depth"),
        (message(many(1))[:-1] + b',"id":2}', "the member 'id' stands twice"),
    ],
)
def test_what_is_wrong_is_refused_as_in_a_short_line(line: bytes, reason: str) -> None:
    """Wherever it stands, also between two slices."""
    for slice_bytes in (8, 16, 50):
        found = reduced(line, slice_bytes)
        with pytest.raises(ProtocolError, match=re.escape(reason)):
            messages.parse(found)
        assert decision(found)[0] is decision(line)[0]


def test_the_place_of_a_mistake_is_the_one_in_the_line() -> None:
    """Who looks for it has the whole line, and none of our slices."""
    line = message(many(1, 300) + b"]")
    whole = str(decision_error(line))
    assert str(decision_error(reduced(line))) == whole


def decision_error(line: bytes | LongLine) -> ProtocolError:
    with pytest.raises(NotJson) as caught:
        messages.parse(line)
    return caught.value


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b'"\\ud800"', "`\\ud800` is half of a surrogate pair"),
        (b'"%b\\ud800"' % (b"x" * 90), "`\\ud800` is half of a surrogate pair"),
        (b"[1," * 130 + b"1" + b"]" * 130, "nested more than 127 levels deep"),
        (b'{"$serde_json::private::Number":1}', "$serde_json::private"),
        (b'{"\\u0024serde_json::private::RawValue":1}', "$serde_json::private"),
    ],
)
@pytest.mark.parametrize("frame", [b'{"a":%b}', b'{"a":[%b]}', b'{"a":{"b":{"c":{"d":1,"e":%b}}}}'])
def test_what_codex_cannot_read_is_refused_under_the_id(bad: bytes, reason: str, frame: bytes) -> None:
    """In the bulk as in the rest: it would be dropped without a word."""
    for before in (b"%b", b'[["xxxxxxxxxxxxxxxxxx",1],%b]', b'["xxxxxxxxxxxxxxxxxxxxxx",{"y":1,"x":%b}]'):
        line = message(frame % (before % bad), raw_id=b'"me"')
        found = reduced_line(line)
        assert decision(found) == decision(line)
        with pytest.raises(InvalidMessage, match=re.escape(reason)) as caught:
            messages.parse(found)
        assert caught.value.raw_id == b'"me"'


@pytest.mark.parametrize("depth", [127, 128])
def test_levels_are_counted_across_slices(depth: int) -> None:
    """127 are good and 128 are not, wherever the slices end."""
    inside = depth - 1
    line = message(b"[1," * inside + b"1" + b"]" * inside)
    assert decision(reduced(line)) == decision(line)
    assert (decision(line)[0] is Request) == (depth == 127)


def test_what_comes_behind_a_mistake_is_not_kept() -> None:
    """The line is refused when it ends; what of it is held meanwhile is nothing."""
    reducer = Reducer(16)
    reducer.feed(b'{"a":]' + b"," * 100)
    reducer.feed(b"x" * 10_000)
    found = reducer.finish(b"")
    assert isinstance(found, LongLine)
    assert (found.short, found.bulk.size) == (b"", 0)


def test_a_million_numbers_are_read_as_a_few() -> None:
    """What the core has to look at does not grow with the line."""
    line = message(b'{"threadId":"t","a":%b,"z":true}' % many(1, 1_000_000), raw_id=b"5")
    found = reduced_line(line, 64 * 1024)
    assert len(found.short) < 70_000
    read = messages.parse(found)
    assert isinstance(read, Request)
    given = messages.members_of(read.params)
    assert (bytes(given["threadId"]), bytes(given["z"])) == (b'"t"', b"true")
    assert json.loads(restored(found)) == json.loads(line)
