"""Where members stand in a text, and which id a message has of which only the beginning came."""

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from codexd.protocol.errors import InvalidMessage
from codexd.protocol.members import MAX_MEMBERS, decode, leading_id, spans
from tests.protocol.strategies import text, values, written


def cut_out(line: bytes) -> dict[str, bytes]:
    return {name: line[start:end] for name, (start, end) in spans(line, decode(line)).items()}


@given(st.data(), st.dictionaries(text, values, max_size=5))
def test_each_value_is_found_where_it_stands(data: st.DataObject, members: dict[str, Any]) -> None:
    """Whatever the members are called, however they are spelled, spaced and ordered: the spans are theirs."""
    line = data.draw(written(members))
    assert {name: json.loads(value) for name, value in cut_out(line).items()} == members


def test_an_empty_object_has_no_members() -> None:
    """`{}` is found out without looking for a first member."""
    assert cut_out(b" { } ") == {}


@pytest.mark.parametrize(
    "line",
    [
        b'{"id":1,"id":1}',
        b'{"id":1,"id":2}',
        b'{"id":12,"id":1}',
        b'{"id":1,"id":12}',
        b'{"id":1,"\\u0069d":1}',
        b'{"\\u0069d":1,"x":[1,2],"id":1}',
        b'{"a":"x","b":2,"a":"x"}',
        b'{"a":{"b":1},"a":{"b":1}}',
        b'{"a":{"a":1},"a":1}',
        b'{"a":[1],"a":[1,2]}',
        b'{"a":"\\"","a":"\\""}',
        b'{"a":",\\"a\\":1}","a":1}',
        b'{"a": 1 ,"a":1 }',
        b'{"":0,"":0}',
        # The last value is as long as the first one and what follows on it, so that a walk by lengths
        # would jump over the second name.
        b'{"a":1,"b":2,"a":"12345678"}',
        b'{"a":1,"x":2,"a":1,"y":2}',
        b'{"a":"1,\\"b\\":2","b":2,"a":"1"}',
        b'{"a":1,"a":"1,\\"a\\":1"}',
    ],
)
def test_a_member_that_stands_twice_is_refused(line: bytes) -> None:
    """Codex drops the line, and two readers that disagree on which one counts can be played against each other."""
    with pytest.raises(InvalidMessage, match="stands twice"):
        cut_out(line)


@given(st.data(), st.dictionaries(text, values, min_size=1, max_size=3), values)
def test_no_value_hides_that_a_member_stands_twice(
    data: st.DataObject, members: dict[str, Any], again: Any
) -> None:
    """Wherever the second one stands, and whatever the two values are."""
    name = data.draw(st.sampled_from(sorted(members)))
    second = f"{json.dumps(name)}:{json.dumps(again)}".encode()
    line = data.draw(written(members)).strip()
    twice = data.draw(st.sampled_from([line[:-1] + b"," + second + b"}", b"{" + second + b"," + line[1:]]))
    with pytest.raises(InvalidMessage, match="stands twice"):
        cut_out(twice)


def test_a_message_of_very_many_members_is_refused() -> None:
    """Ten million of them would keep everybody waiting for half a minute."""
    just_so_many = b"{%b}" % b",".join(b'"%d":0' % number for number in range(MAX_MEMBERS))
    assert len(cut_out(just_so_many)) == MAX_MEMBERS
    with pytest.raises(InvalidMessage, match="at most 1000 members"):
        cut_out(just_so_many[:-1] + b',"one more":0}')


def test_a_long_name_costs_no_more_than_its_length() -> None:
    """A backtracking pattern took 140 bytes for each byte of a name: 128 MiB of it were the end of the daemon."""
    name = "x\\n" * 300_000
    assert cut_out(f'{{"{name}":[1]}}'.encode()) == {"x\n" * 300_000: b"[1]"}


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (b'{"id":7,"method":"x","params":{"te', b"7"),
        (b'{"id":-7,"method":"x","params":', b"-7"),
        (b'{ "id" : "a\\"b" , "method" : "x" , "params" : [', b'"a\\"b"'),
        (b'{"jsonrpc":"2.0","method":"x","trace":null,"id":7,"params":{', b"7"),
        (b'{"method":"x","id":7,"a":true,"b":false,"c":1.5e3,"params":"long', b"7"),
        (b'\r\n\t {\n"id"\t:\r7\n,\n"params"', b"7"),
        (b'{"id":9223372036854775807,"x":', b"9223372036854775807"),
    ],
)
def test_an_id_before_the_large_part_is_found(head: bytes, found: bytes) -> None:
    """A request that is too long is answered under its own id where that stands before what makes it long."""
    assert leading_id(head) == found


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"not json",
        b"[1,2",
        b'{"id":7',
        b'{"id":12345',
        b'{"id":"unfini',
        b'{"params":{"id":7,"x":',
        b'{"method":"x","params":{},"id":7,',
        b'{"id":1.5,"method":"x",',
        b'{"id":1e3,"method":"x",',
        b'{"id":null,"method":"x",',
        b'{"id":true,"method":"x",',
        b'{"id":99999999999999999999,"method":"x",',
        b'{"id":7 7,',
    ],
)
def test_an_id_that_is_not_to_be_had_is_null(head: bytes) -> None:
    """Cut off, behind the large part, or none at all: better no id than a wrong one."""
    assert leading_id(head) == b"null"


@pytest.mark.parametrize("member", [b"result", b"error"])
def test_the_id_of_an_answer_is_not_its_senders(member: bytes) -> None:
    """Its sender may have asked under the same id, and would take the error for its own answer."""
    assert leading_id(b'{"id":7,"%b":{"text":"xxx' % member) == b"null"


@given(st.binary(max_size=40) | st.text(max_size=20).map(str.encode))
def test_any_head_has_an_id_or_null(head: bytes) -> None:
    """Whatever came, what is answered under is a JSON string or integer, or `null`."""
    found = json.loads(leading_id(b'{"id":' + head))
    assert found is None or isinstance(found, int | str)
