"""Lines out of chunks, whatever the chunks are."""

from collections.abc import Iterable

import pytest
from hypothesis import given, strategies as st

from codexd.protocol.framing import HEAD_BYTES, MAX_MESSAGE_BYTES, LineSplitter, TooLong


def split(chunks: Iterable[bytes], limit: int = MAX_MESSAGE_BYTES) -> list[bytes | TooLong]:
    splitter = LineSplitter(limit)
    return [line for chunk in chunks for line in splitter.feed(chunk)]


def one_by_one(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


lines = st.lists(st.binary(max_size=12).map(lambda line: line.replace(b"\n", b"x")), max_size=8)


@given(lines, st.lists(st.integers(0, 80), max_size=6), st.binary(max_size=5))
def test_where_the_chunks_are_cut_makes_no_difference(
    sent: list[bytes], cuts: list[int], tail: bytes
) -> None:
    """Whole, byte by byte, cut anywhere, with half a line behind it: the same lines in the same order."""
    data = b"".join(line + b"\n" for line in sent)
    tail = tail.replace(b"\n", b"")
    at = sorted(cut for cut in cuts if cut < len(data))
    pieces = [data[a:b] for a, b in zip([0, *at], [*at, len(data)], strict=True)]
    expected = [line for line in sent if line.strip(b" \t\r\x0b\x0c")]
    assert split([data]) == split(one_by_one(data)) == split(pieces) == split([data + tail]) == expected


def test_a_character_cut_in_two_is_whole_again() -> None:
    """A UTF-8 character split between two reads was two broken ones in codex-manager and an ACP adapter (T14)."""
    line = '{"x":"naïve 😀"}'.encode()
    assert split(one_by_one(line + b"\n")) == [line]


@pytest.mark.parametrize("blank", [b"", b" ", b"\r", b" \t\r"])
def test_blank_lines_are_skipped(blank: bytes) -> None:
    """An empty line is no message, and nobody is told that it was a bad one."""
    assert split([blank + b"\n{}\n" + blank + b"\n"]) == [b"{}"]


def test_half_a_line_costs_nobody_anything() -> None:
    """What has no end yet is no line, and its size is known to whoever shares out the memory."""
    splitter = LineSplitter()
    assert splitter.feed(b'{"a":') == []
    assert splitter.buffered_bytes == 5
    assert splitter.feed(b"1}\n{") == [b'{"a":1}']
    assert splitter.buffered_bytes == 1


@pytest.mark.parametrize("chunks", [[b"12345678\n"], [b"1234", b"5678", b"\n"], one_by_one(b"12345678\n")])
def test_a_line_may_be_as_long_as_the_limit(chunks: list[bytes]) -> None:
    """The limit is the last length that is served."""
    assert split(chunks, limit=8) == [b"12345678"]


@pytest.mark.parametrize("chunks", [[b"123456789\n"], [b"123456789", b"\n"], one_by_one(b"123456789\n")])
def test_a_line_one_byte_longer_is_too_long(chunks: list[bytes]) -> None:
    """It stands once in the result, however it came."""
    assert split(chunks, limit=8) == [TooLong(b"123456789")]


@pytest.mark.parametrize("cut", range(28))
def test_a_line_that_is_too_long_leaves_its_neighbours_alone(cut: int) -> None:
    """It is skipped to its end; the lines before and behind it are served, in order."""
    data = b"one\n" + b"x" * 20 + b"\ntwo\n"
    found = split([data[:cut], data[cut:]], limit=8)
    assert [line if isinstance(line, bytes) else TooLong for line in found] == [b"one", TooLong, b"two"]


def test_it_is_reported_before_it_has_ended() -> None:
    """The sender is told as soon as it is known, not when it has sent it all; the rest is silence."""
    splitter = LineSplitter(8)
    assert splitter.feed(b"123456789") == [TooLong(b"123456789")]
    assert splitter.feed(b"more of it") == []
    assert splitter.feed(b"\nok\n") == [b"ok"]


def test_only_the_beginning_of_it_is_kept() -> None:
    """An id is looked for in the head, and a head is enough."""
    found = split([b'{"id":7,' + b"x" * 9000 + b"\n"], limit=5000)
    assert found == [TooLong((b'{"id":7,' + b"x" * 9000)[:HEAD_BYTES])]


def test_an_endless_line_costs_bounded_memory() -> None:
    """However much comes without a line feed, no more than the limit and one chunk are held."""
    splitter = LineSplitter(1000)
    most = 0
    for _ in range(1000):
        splitter.feed(b"x" * 100)
        most = max(most, splitter.buffered_bytes)
    assert most <= 1000
    assert splitter.buffered_bytes == 0


def test_giving_up_ends_the_line_that_is_being_read() -> None:
    """When the memory for all clients is used up, the one who fills it is told, and its line is skipped."""
    splitter = LineSplitter()
    splitter.feed(b"ok\n12")
    splitter.feed(b"345")
    assert splitter.give_up() == TooLong(b"12345")
    assert splitter.buffered_bytes == 0
    assert splitter.feed(b"678\nnext\n") == [b"next"]


def test_giving_up_when_nothing_is_held_does_nothing() -> None:
    """Between two lines there is nobody to tell."""
    splitter = LineSplitter()
    assert splitter.give_up() is None
    assert splitter.feed(b"ok\n") == [b"ok"]


def test_giving_up_twice_tells_once() -> None:
    """The rest of a line that is skipped is no second one."""
    splitter = LineSplitter()
    splitter.feed(b"12345")
    splitter.give_up()
    splitter.feed(b"678")
    assert splitter.give_up() is None
    assert splitter.feed(b"9\nok\n") == [b"ok"]


def test_a_line_of_100_megabytes_is_one_line() -> None:
    """Peers broke at 64 KiB, 1 MB and 10 MB (T7); here the default limit is 128 MiB."""
    chunk = b"x" * 1024 * 1024
    found = split([*[chunk] * 100, b"\n"])
    assert found == [chunk * 100]


def test_what_is_handed_out_is_not_a_view_of_something_that_grows() -> None:
    """msgspec keeps its source alive, and a `bytearray` that is looked at can't be resized."""
    assert [type(line) for line in split([b"a", b"b\nc\n"])] == [bytes, bytes]


def test_of_a_line_that_is_given_up_the_beginning_is_kept() -> None:
    """It is put together from as many chunks as it takes; the whole line is not, for which there may be no memory."""
    splitter = LineSplitter()
    for _ in range(10):
        splitter.feed(b"x" * (HEAD_BYTES // 4 - 1))
    assert splitter.give_up() == TooLong(b"x" * HEAD_BYTES)
