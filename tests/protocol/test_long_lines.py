"""Lines out of chunks, of which the long ones are read while they come."""

import pytest
from hypothesis import given, strategies as st

from codexd.protocol.bulk import LongLine
from codexd.protocol.framing import HEAD_BYTES, TooLong
from codexd.protocol.long_lines import LONG_BYTES, LONG_SLICES, SLICE_BYTES, LongLineSplitter, Parts, Unread
from tests.protocol.long_lines import many, message, whole

SLICE = 8
LONG = message(many(1, 200))


def split(data: bytes, cuts: list[int], limit: int = 1 << 20) -> list[bytes | TooLong]:
    splitter = LongLineSplitter(limit, SLICE)
    at = sorted(cut for cut in cuts if cut < len(data))
    pieces = [data[a:b] for a, b in zip([0, *at], [*at, len(data)], strict=True)]
    return [whole(line) for piece in pieces for line in splitter.feed(piece)]


LINES = (
    LONG,
    message(b'"%b"' % (b"\\n" * 200)),
    message(b"5"),
    b" " * 300,
    message(b'{"%b":1}' % (b"n" * 300)),
)


@given(st.lists(st.sampled_from(LINES), max_size=4), st.lists(st.integers(0, 1500), max_size=20))
def test_where_the_chunks_are_cut_makes_no_difference(sent: list[bytes], cuts: list[int]) -> None:
    """Short and long lines come out in order, to the byte; blank ones are skipped."""
    data = b"".join(line + b"\n" for line in sent)
    assert split(data, cuts) == [line for line in sent if line.strip()]


def test_a_long_line_is_reduced() -> None:
    """As soon as it has grown long, so that little is left to be done when it ends."""
    splitter = LongLineSplitter(slice_bytes=SLICE)
    for at in range(len(LONG)):
        assert splitter.feed(LONG[at : at + 1]) == []
    assert splitter.buffered_bytes == len(LONG)
    [line] = splitter.feed(b"\n{}\n{")[:1]
    assert isinstance(line, LongLine)
    assert len(line.short) < len(LONG) // 2
    assert splitter.buffered_bytes == 1


def test_a_short_line_is_not() -> None:
    """It costs what it did."""
    splitter = LongLineSplitter(slice_bytes=SLICE)
    short = message(b"1")
    assert len(short) < LONG_SLICES * SLICE
    assert splitter.feed(short) == []
    assert splitter.feed(b"\n") == [short]
    assert LONG_BYTES == 1024 * 1024


@pytest.mark.parametrize("cut", [100, 150, 200, 250, 299, 300])
def test_one_that_is_too_long_leaves_its_neighbours_alone(cut: int) -> None:
    """It is skipped to its end, wherever it was found out."""
    data = b"one\n" + LONG[:300] + b"\ntwo\n"
    one, long, two = split(data, [cut], limit=250)
    assert (one, two) == (b"one", b"two")
    assert isinstance(long, TooLong)
    assert LONG.startswith(long.head)


def test_its_beginning_is_kept() -> None:
    """The error is sent under the id that stands there."""
    splitter = LongLineSplitter(200, SLICE)
    splitter.feed(LONG[:180])
    assert splitter.feed(LONG[180:]) == [TooLong(LONG[:180])]
    assert splitter.buffered_bytes == 0
    assert splitter.feed(b"more\n{}\n") == [b"{}"]


def test_giving_up_ends_the_line_that_is_being_read() -> None:
    """A long one as a short one."""
    splitter = LongLineSplitter(slice_bytes=SLICE)
    assert splitter.give_up() is None
    splitter.feed(LONG[:10])
    assert splitter.give_up() == TooLong(LONG[:10])
    splitter.feed(b"\n" + LONG[:200])
    assert splitter.give_up() == TooLong(LONG[:200])
    assert splitter.buffered_bytes == 0
    assert splitter.feed(LONG[200:] + b"\nnext\n") == [b"next"]


@pytest.mark.parametrize("size", [1, 1000, SLICE_BYTES - 1, SLICE_BYTES, 200_000, 2_000_000])
def test_parts_of_any_length_make_a_message(size: int) -> None:
    """In order, to the byte; one that is long is still to be read, in slices."""
    data = bytes(range(32, 127)) * (LONG_BYTES // 95 + 5 if size > 1 else 2000)
    parts = Parts()
    for at in range(0, len(data), size):
        parts.add(data[at : at + size])
    assert parts.length == len(data)
    found = parts.take()
    assert isinstance(found, Unread) == (len(data) > LONG_BYTES)
    assert (b"".join(found.slices()) if isinstance(found, Unread) else found) == data
    assert parts.length == 0
    assert parts.take() == b""


def test_a_line_feed_in_a_message_is_white_space() -> None:
    """And the message one line."""
    parts = Parts()
    parts.add(b"{\n}")
    assert parts.take() == b"{\t}"
    assert list(Unread([b"{\n", b"}"]).slices()) == [b"{\t", b"}"]


def test_many_short_parts_weigh_what_they_have() -> None:
    """Who sends a byte at a time makes codexd hold no object for each."""
    parts = Parts()
    for _ in range(3 * SLICE_BYTES):
        parts.add(b"x")
    assert len(parts._parts) == 6


def test_of_a_message_that_is_given_up_the_head_is_had() -> None:
    """The error may have an id."""
    parts = Parts()
    parts.add(b"head")
    parts.add(b"x" * SLICE_BYTES)
    assert parts.take_head() == b"head" + b"x" * (HEAD_BYTES - 4)
    assert parts.length == 0
