"""A client that speaks WebSocket: `codex --remote`, the native TUI, any WebSocket library outside of a browser.

The handshake and the frames are read by the `websockets` library without its I/O. Importing it takes some 50 ms, so
this module is imported with the first such client.

The handshake is answered as `codex app-server --listen unix://` does (0.169): any path, no extensions, and a header
that says how long a frame may be; the client's offer `x-codex-app-server-compression` is left unanswered, which
means plain text frames. A frame longer than announced is taken all the same, up to the limit of a message.

Where Codex says nothing, codexd says why (tried on 0.163 and 0.169): Codex hangs up on what is no WebSocket request
and on broken frames, answers no close, and drops a binary message. Text that is not UTF-8 ends a connection with
Codex; here it is a bad message like others, and answered as one.
"""

import logging
import re
from collections.abc import Callable
from http import HTTPStatus

from websockets.exceptions import PayloadTooBig
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import SEND_EOF, State
from websockets.server import ServerProtocol

from codexd.protocol.bulk import LongLine
from codexd.protocol.framing import TooLong
from codexd.protocol.long_lines import Parts, Unread
from codexd.runtime import frames
from codexd.runtime.frames import FRAMES
from codexd.runtime.transport import Framing

MAX_REQUEST_BYTES = 16 * 1024
"""The request with all its headers; Codex's own has 199 bytes."""

_END_OF_REQUEST = re.compile(rb"\n\r?\n")

# At the level `debug` the library writes down what was said.
_library_logger = logging.getLogger("codexd.websockets")
_library_logger.setLevel(logging.WARNING)


class WebSocket:
    """The bytes of one client, from its request on. `send` queues what has no wait: the upgrade, pongs.

    One text message is one line. A line feed in it stands between the members, where any white space means the same,
    or makes it bad JSON; a tab in its place does either just as well, and the message is one line.

    A message that is too long is reported and ends the connection, as a binary one does: Codex's own server does the
    same, and where the next message begins is known only to who reads this one to its end.
    """

    framing: Framing = FRAMES
    lingers = False
    receive_bytes = 16 * 1024
    """Thousands of the shortest frames, each of which costs ten times what a line costs."""

    def __init__(self, limit: int, send: Callable[[bytes], None]) -> None:
        self._protocol = ServerProtocol(origins=[None], max_size=limit, logger=_library_logger)
        self._send = send
        self._request = b""
        self._begun = Parts()
        self.farewell: bytes | None = None

    @property
    def buffered_bytes(self) -> int:
        """How much is held: the request, an unfinished frame, the fragments before it."""
        return len(self._request) + len(self._protocol.reader.buffer) + self._begun.length

    def feed(self, chunk: bytes) -> list[bytes | TooLong | LongLine | Unread]:
        """Takes the next bytes; returns the messages that they complete."""
        protocol = self._protocol
        if protocol.state is State.CONNECTING:
            chunk = self._shake_hands(chunk)
        found: list[bytes | TooLong | LongLine | Unread] = []
        if chunk:
            protocol.receive_data(chunk)
            for frame in protocol.events_received():
                assert isinstance(frame, Frame), "the request has been read"
                if frame.opcode is Opcode.BINARY:
                    protocol.fail(frames.UNSUPPORTED_DATA, "messages are text frames")
                    break
                if frame.opcode in (Opcode.TEXT, Opcode.CONT):
                    self._take(frame, found)
            if isinstance(protocol.parser_exc, PayloadTooBig):
                found.append(self._too_long())
            self._answer()
        return found

    def give_up(self) -> TooLong:
        """Ends the connection, for the message that is being received."""
        self._protocol.fail(frames.MESSAGE_TOO_BIG, "too much is held for all clients together")
        self._answer()
        return self._too_long()

    def going_away(self) -> bytes:
        """A close that says so; nothing before the handshake."""
        if self._protocol.state is State.CONNECTING:
            return b""
        return frames.close_frame(frames.GOING_AWAY, "codexd is stopping")

    def _shake_hands(self, chunk: bytes) -> bytes:
        """Reads the request to its end and answers it; returns what follows it, which after a refusal nobody reads."""
        self._request += chunk
        end = _END_OF_REQUEST.search(self._request)
        length = len(self._request) if end is None else end.end()
        if length > MAX_REQUEST_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the request is longer than 16 KiB")
            return b""
        if end is None:
            return b""
        request, rest, self._request = self._request[:length], self._request[length:], b""
        protocol = self._protocol
        protocol.receive_data(request)
        for read in protocol.events_received():
            assert isinstance(read, Request), "nothing else was fed"
            protocol.send_response(self._response(read))
        self._answer()
        if self.farewell == b"":
            self._refuse(HTTPStatus.BAD_REQUEST, "it is not valid HTTP/1.1")
        return rest

    def _response(self, request: Request) -> Response:
        response = self._protocol.accept(request)
        if response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            limit = str(frames.MAX_UNFRAGMENTED_BYTES)
            response.headers["x-codex-websocket-max-unfragmented-message-bytes"] = limit
            del response.headers["Date"]  # Codex has none
        return response

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        self._request = b""
        self.farewell = self._protocol.reject(status, f"This is no WebSocket request: {why}.\n").serialize()

    def _take(self, frame: Frame, found: list[bytes | TooLong | LongLine | Unread]) -> None:
        self._begun.add(bytes(frame.data))
        if frame.fin:
            found.append(self._begun.take())

    def _too_long(self) -> TooLong:
        return TooLong(self._begun.take_head())

    def _answer(self) -> None:
        """Sends what the library wants sent; what it ends with is kept for when the client has been answered."""
        writes = self._protocol.data_to_send()
        if writes and writes[-1] == SEND_EOF:
            self.farewell = b"".join(writes)
        elif writes:
            self._send(b"".join(writes))
