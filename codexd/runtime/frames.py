"""WebSocket frames (RFC 6455, section 5.2) as codexd sends them: unmasked, so that all recipients share their bytes.

What clients send is taken apart by the `websockets` library. Its frames are objects that belong to one connection
each; made one by one for two hundred clients they would cost more than all the rest.
"""

from collections.abc import Iterator, Sequence
from struct import pack, unpack_from

from codexd.protocol.names import as_text

MAX_UNFRAGMENTED_BYTES = 16 * 1024 * 1024
"""Codex takes no longer frame than this, and says so in its handshake; what codexd sends keeps to it as well."""

GOING_AWAY = 1001
UNSUPPORTED_DATA = 1003
MESSAGE_TOO_BIG = 1009
INTERNAL_ERROR = 1011
TRY_AGAIN_LATER = 1013
_MAX_REASON_BYTES = 123  # a control frame holds 125 bytes, two of them the code

_FIN, _CONTINUATION, _TEXT, _CLOSE = 0x80, 0, 1, 8
_LENGTH_IN_2_BYTES, _LENGTH_IN_8_BYTES = 126, 127


class FrameFraming:
    """One message, one text frame; several only beyond 16 MiB."""

    def chunk(self, lines: Sequence[bytes]) -> bytes:
        """The frames of the messages, one after another."""
        parts: list[bytes] = []
        for line in lines:
            if len(line) <= MAX_UNFRAGMENTED_BYTES:
                parts.append(_head(_FIN | _TEXT, len(line)))
                parts.append(line)
            else:
                parts += _fragments(line)
        return b"".join(parts)

    def end_of_begun(self, chunk: bytes, at: int) -> int:
        """The end of the last fragment of the message that has begun."""
        end, complete = 0, True
        while end < at or not complete:
            complete = bool(chunk[end] & _FIN)
            end = _end_of_frame(chunk, end)
        return end

    def too_slow(self, sentence: str) -> bytes:
        """A close: there is nothing else that every WebSocket client understands."""
        return close_frame(TRY_AGAIN_LATER, sentence)

    def failed(self, sentence: str) -> bytes:
        """A close, as after `too_slow`."""
        return close_frame(INTERNAL_ERROR, sentence)


FRAMES = FrameFraming()


def close_frame(code: int, reason: str) -> bytes:
    """A close with as much of the reason as it holds."""
    text = as_text(reason).encode()[:_MAX_REASON_BYTES].decode(errors="ignore").encode()
    return _head(_FIN | _CLOSE, 2 + len(text)) + pack("!H", code) + text


def _head(first: int, length: int) -> bytes:
    if length < _LENGTH_IN_2_BYTES:
        return pack("!BB", first, length)
    if length < 1 << 16:
        return pack("!BBH", first, _LENGTH_IN_2_BYTES, length)
    return pack("!BBQ", first, _LENGTH_IN_8_BYTES, length)


def _fragments(line: bytes) -> Iterator[bytes]:
    for at in range(0, len(line), MAX_UNFRAGMENTED_BYTES):
        piece = line[at : at + MAX_UNFRAGMENTED_BYTES]
        is_last = at + len(piece) == len(line)
        yield _head((_FIN if is_last else 0) | (_CONTINUATION if at else _TEXT), len(piece))
        yield piece


def _end_of_frame(chunk: bytes, at: int) -> int:
    length = chunk[at + 1]
    if length == _LENGTH_IN_2_BYTES:
        (length,) = unpack_from("!H", chunk, at + 2)
        return at + 4 + int(length)
    if length == _LENGTH_IN_8_BYTES:
        (length,) = unpack_from("!Q", chunk, at + 2)
        return at + 10 + int(length)
    return at + 2 + length
