"""WebSocket as a client speaks it, in a few lines of its own: what codexd sends is read by code that it does not use."""

from collections.abc import Iterator
from random import Random
from struct import pack, unpack_from

from tests.simulation.books import Wrong

REQUEST = (
    b"GET /rpc HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
INTERNAL_ERROR = 1011
_END = b"\r\n\r\n"
_CONTINUATION, _TEXT, _CLOSE, _PING, _PONG = 0, 1, 8, 9, 10


def frame(rng: Random, payload: bytes) -> bytes:
    """A masked text frame, or several; now and then with a ping before it."""
    if len(payload) > 1 and rng.random() < 0.1:
        at = rng.randrange(1, len(payload))
        return _frame(_TEXT, payload[:at], 0) + _frame(_PING, b"x") + _frame(_CONTINUATION, payload[at:])
    return _frame(_TEXT, payload)


def _frame(opcode: int, payload: bytes, fin: int = 0x80) -> bytes:
    """The mask is zero: it changes nothing, and is as good as any."""
    length = len(payload)
    head = (
        pack("!BB", fin | opcode, 0x80 | length)
        if length < 126
        else pack("!BBH", fin | opcode, 0x80 | 126, length)
    )
    return head + b"\0\0\0\0" + payload


class Frames:
    """Takes apart what codexd sends. `closed`: the code of a close, once there was one."""

    def __init__(self) -> None:
        self._buffer = b""
        self._is_upgraded = False
        self.closed: int | None = None

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The text messages that are complete with this."""
        self._buffer += chunk
        if not self._is_upgraded:
            answer, end, rest = self._buffer.partition(_END)
            if not end:
                return
            if answer.startswith(b"HTTP/1.1 500 "):
                self.closed = INTERNAL_ERROR
                return
            if not answer.startswith(b"HTTP/1.1 101 "):
                raise Wrong(f"no upgrade: {answer!r:.200}")
            self._is_upgraded, self._buffer = True, rest
        while (found := self._take()) is not None:
            opcode, payload = found
            if self.closed is not None:
                raise Wrong(f"a frame behind the close: {payload!r:.200}")
            if opcode == _TEXT | 0x80:
                yield payload
            elif opcode == _CLOSE | 0x80:
                (self.closed,) = unpack_from("!H", payload)
            elif opcode != _PONG | 0x80:
                raise Wrong(f"a frame of no known kind: {opcode:#x}")

    def _take(self) -> tuple[int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        at, length = 2, buffer[1]
        if length >= 126:
            at, code = (4, "!H") if length == 126 else (10, "!Q")
            if len(buffer) < at:
                return None
            (length,) = unpack_from(code, buffer, 2)
        if len(buffer) < at + length:
            return None
        self._buffer = buffer[at + length :]
        return buffer[0], buffer[at : at + length]
