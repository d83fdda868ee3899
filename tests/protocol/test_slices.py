"""What is found out of a piece of JSON without reading it."""

import pytest
from hypothesis import given, strategies as st

from codexd.protocol import slices


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (b'["a"]', b'["a"]'),
        (rb'"\""', b'"__"'),
        (rb'"\\"', b'"__"'),
        (rb'"\\\""', b'"____"'),
        (rb'"\n"', rb'"\n"'),
    ],
)
def test_escaped_quotes_are_masked(text: bytes, masked: bytes) -> None:
    """Every place stays where it was."""
    assert slices.masked(text) == masked


@pytest.mark.parametrize(
    ("text", "at"),
    [
        (b"1,2", 1),
        (b'1,"a,b"', 1),
        (b'1,"a","b,c"', 5),
        (b'1,"a', 1),
        (b',"a,b', 0),
        (b'"a,b"', -1),
        (b"1", -1),
        (b'1,"a"' + b'"b"' * 2000, -1),
    ],
)
def test_the_last_comma_between_values(text: bytes, at: int) -> None:
    """Not one in a string, whole or begun; one that stands far behind strings without one is not looked for."""
    assert slices.last_comma(text) == at


@pytest.mark.parametrize(
    ("text", "closed", "opened"),
    [
        (b"[1,{},[2]]", 0, b""),
        (b'["]",{"[":1', 0, b"[{"),
        (b"1]},[{", 2, b"[{"),
        (b"[}", 0, b""),
        (b"]" * 3 + b"[" * 200 + b"]" * 199, 3, b"["),
    ],
)
def test_the_brackets_without_a_partner(text: bytes, closed: int, opened: bytes) -> None:
    """Those that close what was open before, and those that stay open."""
    assert slices.unpaired(slices.brackets(text)) == (closed, opened)


@given(st.text("[]{}", max_size=60).map(str.encode))
def test_they_are_the_same_as_counted_one_by_one(text: bytes) -> None:
    """However deep they are."""
    closed, opened = 0, []
    for bracket in text.decode():
        if bracket in "[{":
            opened.append(bracket)
        elif opened:
            opened.pop()
        else:
            closed += 1
    assert slices.unpaired(text) == (closed, "".join(opened).encode())


@pytest.mark.parametrize(
    ("text", "length"),
    [
        (b"abc", 3),
        (b"abc\\", 3),
        (b"abc\\u", 3),
        (b"abc\\u00e", 3),
        (b"abc\\u00e4", 9),
        (b"abc\\ud83d", 3),
        (b"abc\\ud83d\\ude0", 3),
        (b"abc\\ud83d\\ude00", 15),
        (b"abc\\\\", 5),
        (b"\\\\u00e", 6),
        ("abé".encode()[:-1], 2),
        ("ab😀".encode()[:-1], 2),
        (b"\x80" * 6, 6),
        (b"", 0),
    ],
)
def test_a_part_of_a_string_ends_between_characters(text: bytes, length: int) -> None:
    """Neither in an escape, nor between the halves of a pair, nor among the bytes of one character."""
    assert slices.sound_end(text, slices.masked(text)) == length


def test_where_a_level_ends() -> None:
    """Brackets in strings are none."""
    assert slices.end_of_level(b'1,[2],"]",{"a":3}],4]', 3, 3) == 17
    assert slices.end_of_level(b"1]]", 3, 2) == 2


def test_a_level_that_does_not_end_is_not_asked_for() -> None:
    """It was counted before."""
    with pytest.raises(AssertionError):
        slices.end_of_level(b"1,2", 1, 1)


@pytest.mark.parametrize(
    ("stack", "beginning", "ending"),
    [
        (b"", b'""', b""),
        (b"{", b'{""', b',"":""}'),
        (b"{[", b'{"":[""', b',""]}'),
        (b"[{{", b'[{"":{""', b',"":""}}]'),
    ],
)
def test_what_makes_a_slice_a_whole_text(stack: bytes, beginning: bytes, ending: bytes) -> None:
    """What is open around it, with a value before its first comma and one behind its last."""
    assert slices.beginning(stack).replace(b'"":""', b'""') == beginning
    assert slices.ending(stack) == ending


@pytest.mark.parametrize(("inside", "too_deep"), [(126, False), (127, True)])
def test_levels_count_with_what_is_open_around(inside: int, too_deep: bool) -> None:
    """Of a whole line 127 levels are good."""
    assert slices.is_too_deep(b"{", b"[" * inside + b"]" * inside) is too_deep
    assert slices.is_too_deep(b"{", b"[{}]" * 500) is False
    assert slices.is_too_deep(b"{", b"[" * inside) is too_deep
    assert slices.is_too_deep(b"[" * 127, b"]" * (127 - inside) + b"{" * 127) is True
    assert slices.is_too_deep(b"[" * 127, b"]" * 127 + b"[{}]" * 100 + b"{" * inside + b"[]") is too_deep


@given(st.text("[]{}", max_size=40), st.integers(0, 130))
def test_levels_are_those_of_the_whole_text(text: str, open_before: int) -> None:
    """Counted in a slice they are what they are when every bracket has its partner."""
    level, stack, brackets = open_before, "[" * open_before, ""
    for bracket in text:
        if bracket in "[{":
            stack += bracket
            brackets += bracket
        elif stack:
            brackets += {"[": "]", "{": "}"}[stack[-1]]
            stack = stack[:-1]
        level = max(level, len(stack))
    assert slices.is_too_deep(b"[" * open_before, brackets.encode()) is (level > 127)
