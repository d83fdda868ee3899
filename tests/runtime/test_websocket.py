"""What a WebSocket client sends: a request, frames, and anything else, cut anywhere."""

import logging

import pytest
from websockets.frames import Close, Frame, Opcode

from codexd.protocol.bulk import LongLine
from codexd.protocol.framing import HEAD_BYTES, TooLong
from codexd.protocol.long_lines import LONG_BYTES, Unread
from codexd.runtime.websocket import MAX_REQUEST_BYTES, WebSocket
from tests.fakes import WEBSOCKET_REQUEST

LIMIT = 1000
CUTS = pytest.mark.parametrize("size", [1, 2, 7, 1 << 20], ids=["bytes", "pairs", "sevens", "whole"])


class Near:
    """codexd's side of one client, and what it sent."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.sent: list[bytes] = []
        self.socket = WebSocket(limit, self.sent.append)

    def feed(self, data: bytes, size: int = 1 << 20) -> list[bytes | TooLong | LongLine | Unread]:
        """Feeds it in pieces of this size, for as long as codexd listens; the messages that came of it."""
        found: list[bytes | TooLong | LongLine | Unread] = []
        for at in range(0, len(data), size):
            if self.socket.farewell is None:
                found += self.socket.feed(data[at : at + size])
        return found


@pytest.fixture
def near() -> Near:
    """A client that has just been upgraded."""
    upgraded = Near()
    assert upgraded.feed(WEBSOCKET_REQUEST) == []
    upgraded.sent.clear()
    return upgraded


def text(data: bytes, fin: bool = True) -> bytes:
    """A text frame, or the first fragment of one, as a client sends it."""
    return Frame(Opcode.TEXT, data, fin).serialize(mask=True)


def more(data: bytes, fin: bool = True) -> bytes:
    """A fragment that is not the first."""
    return Frame(Opcode.CONT, data, fin).serialize(mask=True)


def control(opcode: Opcode, data: bytes) -> bytes:
    """A control frame as a client sends it."""
    return Frame(opcode, data).serialize(mask=True)


def farewell_of(near: Near) -> Close:
    """The close with which codexd ends the connection."""
    assert near.socket.farewell is not None
    assert near.socket.farewell[0] == 0x88
    return Close.parse(near.socket.farewell[2:])


@pytest.mark.parametrize("cut", [1, LONG_BYTES // 2, LONG_BYTES])
def test_a_long_message_is_still_to_be_read(cut: int) -> None:
    """To read it at once would take the others' time. A line feed in it is white space, as a tab is."""
    near = Near(2 * LONG_BYTES)
    near.feed(WEBSOCKET_REQUEST)
    message = b'{"x":\n"%b"}' % (b"x" * LONG_BYTES)
    [long] = near.feed(text(message[:cut], fin=False) + more(message[cut:]))
    assert isinstance(long, Unread)
    assert b"".join(long.slices()) == message.replace(b"\n", b"\t")
    assert near.socket.buffered_bytes == 0
    assert near.feed(text(b"{}")) == [b"{}"]


@CUTS
def test_the_upgrade_is_answered_as_codex_answers_it(size: int) -> None:
    """The length of frames is announced, no compression and no extension is taken, whatever was offered."""
    near = Near()
    offers = WEBSOCKET_REQUEST.replace(
        b"Host:", b"Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Protocol: a\r\nHost:"
    )
    assert near.feed(offers, size) == []
    status, *headers = b"".join(near.sent).decode().split("\r\n")
    assert status == "HTTP/1.1 101 Switching Protocols"
    assert sorted(header.lower() for header in headers if header) == [
        "connection: upgrade",
        "sec-websocket-accept: icx+yqv66kxgm0fcwalwlflwtai=",
        "upgrade: websocket",
        "x-codex-websocket-max-unfragmented-message-bytes: 16777216",
    ]
    assert near.socket.farewell is None


@CUTS
def test_every_text_frame_is_one_line(size: int) -> None:
    """In order, with what is already under way behind the request, whatever the cuts; half a frame is none."""
    near = Near()
    frames = [text(b'{"id":1}'), text("ä🙂".encode() * 100), text(b""), text(b"last")]
    assert near.feed(WEBSOCKET_REQUEST + b"".join(frames) + text(b"half")[:-1], size) == [
        b'{"id":1}',
        "ä🙂".encode() * 100,
        b"",
        b"last",
    ]
    assert near.socket.farewell is None


@CUTS
def test_fragments_are_joined_and_pings_between_them_answered(near: Near, size: int) -> None:
    """A control frame may stand in the middle of a message; empty fragments are fragments."""
    data = text(b'{"a"', False) + control(Opcode.PING, b"p") + more(b"", False) + more(b":1}") + text(b"2")
    assert near.feed(data, size) == [b'{"a":1}', b"2"]
    assert near.sent == [b"\x8a\x01p"]
    assert near.socket.buffered_bytes == 0


def test_a_pong_is_no_message(near: Near) -> None:
    """Nobody asked for one, and nobody minds."""
    assert near.feed(control(Opcode.PONG, b"p") + text(b"x")) == [b"x"]
    assert near.sent == []


def test_a_line_feed_in_a_message_does_not_make_two_of_it(near: Near) -> None:
    """Between members it is white space; in a string it is as wrong as before, so nothing wrong becomes right."""
    pretty = b'{\n  "id": 1,\r\n  "method": "a\\nb"\n}\n'
    assert near.feed(text(pretty)) == [pretty.replace(b"\n", b"\t")]
    assert near.feed(text(b'{"method":"a\n', False) + more(b'\nb"}')) == [b'{"method":"a\t\tb"}']


@CUTS
def test_a_close_is_answered_behind_the_messages_before_it(near: Near, size: int) -> None:
    """The same code comes back; what is sent after it is nobody's."""
    data = text(b"before") + control(Opcode.CLOSE, Close(1000, "bye").serialize()) + text(b"after")
    assert near.feed(data, size) == [b"before"]
    assert farewell_of(near) == Close(1000, "bye")
    assert near.sent == []


def test_the_empty_close_of_the_native_client_is_answered(near: Near) -> None:
    """The TUI closes without a code."""
    near.feed(control(Opcode.CLOSE, b""))
    assert near.socket.farewell == b"\x88\x00"


@CUTS
def test_a_binary_frame_is_refused(near: Near, size: int) -> None:
    """What came before it counts, what comes behind it does not."""
    assert near.feed(text(b"1") + Frame(Opcode.BINARY, b"x").serialize(mask=True) + text(b"2"), size) == [
        b"1"
    ]
    assert farewell_of(near) == Close(1003, "messages are text frames")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x81\x01x", "incorrect masking"),
        (b"\xc1\x80\x00\x00\x00\x00", "reserved bits must be 0"),
        (more(b"x"), "unexpected continuation frame"),
        (text(b"a", False) + text(b"b"), "expected a continuation frame"),
        (b"\x83\x80\x00\x00\x00\x00", "invalid opcode"),
    ],
    ids=["unmasked", "reserved", "more of nothing", "new within old", "unknown"],
)
def test_a_broken_frame_ends_the_connection(near: Near, data: bytes, reason: str) -> None:
    """With the protocol's own code for it, and the reason."""
    assert near.feed(data) == []
    assert farewell_of(near) == Close(1002, reason)


@CUTS
def test_a_message_may_be_as_long_as_the_limit(near: Near, size: int) -> None:
    """In one frame or in several."""
    assert near.feed(text(b"x" * LIMIT) + text(b"x" * 999, False) + more(b"x"), size) == [b"x" * LIMIT] * 2


@pytest.mark.parametrize(
    ("data", "head"),
    [
        (text(b"x" * (LIMIT + 1)), b""),
        (text(b'{"id":7', False) + more(b"x" * LIMIT), b'{"id":7'),
    ],
    ids=["one", "fragments"],
)
@CUTS
def test_a_longer_message_is_reported_and_ends_the_connection(
    near: Near, data: bytes, head: bytes, size: int
) -> None:
    """With its beginning where there were fragments, so that the error can have an id; before it has come in whole."""
    assert near.feed(text(b"before") + data, size) == [b"before", TooLong(head)]
    assert farewell_of(near).code == 1009
    assert near.socket.buffered_bytes == 0


def test_of_a_message_that_is_too_long_only_the_head_is_kept() -> None:
    """An id is looked for there and nowhere else."""
    near = Near(3 * HEAD_BYTES)
    near.feed(WEBSOCKET_REQUEST)
    data = text(b"y" * 2 * HEAD_BYTES, False) + more(b"y" * 2 * HEAD_BYTES)
    assert near.feed(data) == [TooLong(b"y" * HEAD_BYTES)]


def test_what_is_held_is_known_and_can_be_given_up(near: Near) -> None:
    """Unfinished frames and the fragments before them weigh what they weigh, until the shared limit is reached."""
    assert near.feed(text(b"x" * 500, False) + more(b"y" * 300)[:-1]) == []
    assert 799 <= near.socket.buffered_bytes <= 820
    assert near.socket.give_up() == TooLong(b"x" * 500)
    assert farewell_of(near) == Close(1009, "too much is held for all clients together")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "426 Upgrade Required"),
        (b"GET /healthz HTTP/1.1\r\n\r\n", "426 Upgrade Required"),
        (WEBSOCKET_REQUEST.replace(b"\r\n\r\n", b"\r\nOrigin: https://example.org\r\n\r\n"), "403 Forbidden"),
        (WEBSOCKET_REQUEST.replace(b"\r\n\r\n", b"\r\nOrigin: null\r\n\r\n"), "403 Forbidden"),
        (WEBSOCKET_REQUEST.replace(b"Version: 13", b"Version: 8"), "400 Bad Request"),
        (WEBSOCKET_REQUEST.replace(b"Key: AAAA", b"Key: "), "400 Bad Request"),
        (WEBSOCKET_REQUEST.replace(b"Host: localhost", b"Content-Length: 5"), "400 Bad Request"),
        (b"GET / HTTP/9.9\r\n\r\n", "400 Bad Request"),
        (b"GET \xff\xfe\r\n\r\n", "400 Bad Request"),
        (b"GET /\n\n", "400 Bad Request"),
        (b"GET /" + b"x" * MAX_REQUEST_BYTES, "431 Request Header Fields Too Large"),
        (WEBSOCKET_REQUEST[:-2] + b"X: y\r\n" * 4000 + b"\r\n", "431 Request Header Fields Too Large"),
    ],
)
@CUTS
def test_what_is_no_websocket_request_gets_an_http_error(request_: bytes, status: str, size: int) -> None:
    """One, and the end; what stands behind the request is nobody's message."""
    near = Near()
    assert near.feed(request_ + text(b"x"), size) == []
    assert near.sent == []
    assert near.socket.farewell is not None
    head, _, body = near.socket.farewell.partition(b"\r\n\r\n")
    assert head.decode().split("\r\n")[0] == f"HTTP/1.1 {status}"
    assert f"Content-Length: {len(body)}" in head.decode()
    assert "Connection: close" in head.decode()
    assert body.endswith(b".\n")


def test_the_end_of_codexd_is_said_to_who_was_upgraded(near: Near) -> None:
    """Before the handshake there is no frame that it could be said in."""
    assert Close.parse(near.socket.going_away()[2:]) == Close(1001, "codexd is stopping")
    assert Near().socket.going_away() == b""


def test_nothing_that_was_said_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Not even where everything is logged: prompts are nobody else's."""
    caplog.set_level(logging.DEBUG)
    near = Near()
    near.feed(WEBSOCKET_REQUEST + text(b"secret") + control(Opcode.CLOSE, b""))
    assert caplog.records == []
