"""Frames that any WebSocket client understands: read back by the `websockets` library."""

import pytest
from hypothesis import given, strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from codexd.runtime import frames
from codexd.runtime.frames import FRAMES, MAX_UNFRAGMENTED_BYTES, close_frame


def read(data: bytes) -> list[Frame]:
    """The frames as a client reads them."""
    protocol = ClientProtocol(parse_uri("ws://localhost/"), state=State.OPEN, max_size=None)
    protocol.receive_data(data)
    assert protocol.parser_exc is None
    return [frame for frame in protocol.events_received() if isinstance(frame, Frame)]


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65535, 65536, MAX_UNFRAGMENTED_BYTES])
def test_a_message_is_one_text_frame(length: int) -> None:
    """Whatever its length is written with; what comes behind it is read from the right place."""
    first, second = read(FRAMES.chunk([b"x" * length, b"{}"]))
    assert (first.opcode, first.fin, first.data) == (Opcode.TEXT, True, b"x" * length)
    assert (second.opcode, second.fin, second.data) == (Opcode.TEXT, True, b"{}")


@pytest.mark.parametrize("beyond", [1, MAX_UNFRAGMENTED_BYTES, MAX_UNFRAGMENTED_BYTES + 1])
def test_a_message_beyond_16_mebibytes_comes_in_fragments(beyond: int) -> None:
    """No frame is longer than Codex's own clients are told to expect, and none is empty."""
    message = b"x" * (MAX_UNFRAGMENTED_BYTES + beyond)
    first, *middle, last = read(FRAMES.chunk([message]))
    assert (first.opcode, first.fin) == (Opcode.TEXT, False)
    assert [(frame.opcode, frame.fin) for frame in middle] == [(Opcode.CONT, False)] * len(middle)
    assert (last.opcode, last.fin) == (Opcode.CONT, True)
    sizes = [len(frame.data) for frame in (first, *middle, last)]
    assert sum(sizes) == len(message)
    assert all(0 < size <= MAX_UNFRAGMENTED_BYTES for size in sizes)


@given(st.lists(st.integers(0, 300), min_size=1, max_size=5), st.data())
def test_a_message_has_begun_until_its_last_byte_is_sent(lengths: list[int], data: st.DataObject) -> None:
    """Wherever a chunk was cut: the end of the message that the place is in, or the place itself between two."""
    messages = [b"x" * length for length in lengths]
    ends = [len(FRAMES.chunk(messages[: count + 1])) for count in range(len(messages))]
    chunk = FRAMES.chunk(messages)
    at = data.draw(st.integers(1, len(chunk)))
    assert FRAMES.end_of_begun(chunk, at) == min(end for end in ends if end >= at)


def test_a_fragmented_message_has_begun_until_its_last_fragment_is_sent() -> None:
    """The end of a fragment in its middle is no end, and a long length is read as it was written."""
    message, short = b"x" * (MAX_UNFRAGMENTED_BYTES + 1), b"y" * 70_000
    chunk = FRAMES.chunk([message, short])
    end = len(FRAMES.chunk([message]))
    for at in (1, MAX_UNFRAGMENTED_BYTES, MAX_UNFRAGMENTED_BYTES + 10, end - 1, end):
        assert FRAMES.end_of_begun(chunk, at) == end
    assert FRAMES.end_of_begun(chunk, end + 1) == len(chunk)


def test_a_close_has_as_much_of_its_reason_as_fits() -> None:
    """A control frame holds 125 bytes; a character is not cut in two."""
    [close] = read(close_frame(frames.GOING_AWAY, "ö" * 100))
    assert Close.parse(bytes(close.data)) == Close(1001, "ö" * 61)
    [close] = read(FRAMES.too_slow("why"))
    assert (close.opcode, Close.parse(bytes(close.data))) == (Opcode.CLOSE, Close(1013, "why"))
