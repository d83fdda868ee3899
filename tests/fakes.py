"""The fakes that tests share: stand-ins for what is on the far side of the runtime, with the faults built in."""

import json
import os
import socket
import struct
import sys
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import trio
from websockets.client import ClientProtocol
from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Response
from websockets.uri import parse_uri

from codexd.protocol.bulk import LongLine
from codexd.protocol.framing import LineSplitter, TooLong
from codexd.protocol.learnt import Learnt
from codexd.protocol.sandbox import MARK_VARIABLE
from codexd.runtime.codex import Launch
from codexd.runtime.session import Session

PATIENCE_SECONDS = 90.0
"""How long tests with real processes wait for what must happen; nothing is asserted about it."""
NO_SCHEMA_FILE = Path("/nonexistent/schema.json")
MARK = f"test-{os.getpid()}"
WEBSOCKET_REQUEST = b"""GET /rpc HTTP/1.1\r
Host: localhost\r
Connection: Upgrade\r
Upgrade: websocket\r
Sec-WebSocket-Version: 13\r
Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r
x-codex-app-server-compression: zstd-stream-v1\r
\r
"""
"""How a WebSocket client of Codex's begins."""


def fake_codex(mark: str = MARK, **manners: Any) -> Launch:
    """How to start `fake_codex.py` with these manners."""
    program = Path(__file__).with_name("fake_codex.py")
    argv = [sys.executable, "-I", "-S", str(program), json.dumps(manners)]
    return Launch(argv, {**os.environ, MARK_VARIABLE: mark}, "/", "0.0.1", NO_SCHEMA_FILE)


class FarEnd:
    """The other end of a connection, as a client holds it."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._connection = connection
        self._stream = trio.SocketStream(trio.socket.from_stdlib_socket(connection))
        self._splitter = LineSplitter(1 << 30)
        self._lines: deque[bytes | TooLong] = deque()

    async def send(self, data: bytes) -> None:
        """Sends bytes as they are."""
        await self._stream.send_all(data)

    def send_now(self, data: bytes) -> None:
        """Sends a few bytes from where nothing can be awaited."""
        assert self._connection.send(data) == len(data)

    async def line(self) -> bytes:
        """The next line; raises EOFError when the connection has ended."""
        while not self._lines:
            chunk = await self._stream.receive_some(1 << 16)
            if not chunk:
                raise EOFError
            self._lines += self._splitter.feed(chunk)
        line = self._lines.popleft()
        assert isinstance(line, bytes)
        return line

    async def message(self) -> Any:
        """The next line as JSON."""
        return json.loads(await self.line())

    async def request(self, number: int, method: str, params: Any = None) -> Any:
        """Sends a request and returns its answer; what comes in between is passed over."""
        request = {"id": number, "method": method, "params": {} if params is None else params}
        await self.send(json.dumps(request).encode() + b"\n")
        while (message := await self.message()).get("id") != number or "method" in message:
            pass
        return message

    async def some(self, most: int) -> bytes:
        """What is there, `most` bytes at most; empty at the end of the connection."""
        return bytes(await self._stream.receive_some(most))

    async def rest(self) -> bytes:
        """Everything that still comes, to the end of the connection."""
        parts = []
        while chunk := await self._stream.receive_some(1 << 16):
            parts.append(chunk)
        return b"".join(parts)

    async def receive(self) -> bytes:
        """The next bytes, whatever they are; none when the connection has ended."""
        return bytes(await self._stream.receive_some(1 << 16))

    async def finish_sending(self) -> None:
        """Closes only the sending side, as `printf ... | nc -U` does."""
        await self._stream.send_eof()

    async def close(self) -> None:
        """Closes both sides."""
        await self._stream.aclose()


class FarWebSocket:
    """The other end of a connection as a WebSocket client holds it: the `websockets` library's own client side."""

    def __init__(self, far: FarEnd) -> None:
        self.far = far
        self._protocol = ClientProtocol(parse_uri("ws://localhost/rpc"), max_size=None)
        self._events: deque[Any] = deque()

    async def shake_hands(self, **headers: str) -> Response:
        """Asks for the upgrade as Codex's own clients do; returns the answer."""
        request = self._protocol.connect()
        request.headers["x-codex-app-server-compression"] = "zstd-stream-v1"
        for name, value in headers.items():
            request.headers[name] = value
        self._protocol.send_request(request)
        await self._flush()
        answer = await self._event()
        assert isinstance(answer, Response)
        return answer

    async def send(self, *messages: bytes) -> None:
        """Sends each as a text frame, all at once."""
        for message in messages:
            self._protocol.send_text(message)
        await self._flush()

    async def send_frames(self, *frames: Frame) -> None:
        """Sends any frames, well-behaved or not, all at once."""
        await self.far.send(b"".join(frame.serialize(mask=True) for frame in frames))

    async def frame(self) -> Frame:
        """The next frame; raises EOFError when the connection has ended."""
        frame = await self._event()
        assert isinstance(frame, Frame)
        return frame

    async def text(self) -> bytes:
        """The next message, its fragments joined."""
        frame = await self.frame()
        assert frame.opcode is Opcode.TEXT, frame
        parts = [bytes(frame.data)]
        while not frame.fin:
            frame = await self.frame()
            assert frame.opcode is Opcode.CONT, frame
            parts.append(bytes(frame.data))
        return b"".join(parts)

    async def message(self) -> Any:
        """The next message as JSON."""
        return json.loads(await self.text())

    async def request(self, number: int, method: str, params: Any = None) -> Any:
        """Sends a request and returns its answer; what comes in between is passed over."""
        await self.send(json.dumps({"id": number, "method": method, "params": params or {}}).encode())
        while (message := await self.message()).get("id") != number or "method" in message:
            pass
        return message

    async def closed(self) -> Close:
        """The close that comes next, and then the end of the connection."""
        frame = await self.frame()
        assert frame.opcode is Opcode.CLOSE, frame
        assert await self.far.rest() == b""
        return Close.parse(bytes(frame.data))

    async def _event(self) -> Any:
        while not self._events:
            chunk = await self.far.receive()
            if not chunk:
                raise EOFError
            self._protocol.receive_data(chunk)
            self._events += self._protocol.events_received()
            assert self._protocol.parser_exc is None, "codexd broke the protocol"
        return self._events.popleft()

    async def _flush(self) -> None:
        await self.far.send(b"".join(self._protocol.data_to_send()))


class RecordingDesk:
    """A broker's place: writes down what sessions hand in, and says who waits for how many answers."""

    def __init__(self) -> None:
        self.log: list[tuple[str, int, Any]] = []
        self.in_flight = 0
        self.when_receiving: Callable[[], None] = lambda: None
        self._answered = trio.Event()

    def join(self, session: Session) -> None:
        """Writes it down."""
        self.log.append(("join", session.client, session.peer.pid))

    def speaks_frames(self, client: int) -> None:
        """Writes it down."""
        self.log.append(("frames", client, None))

    def receive(self, client: int, lines: Sequence[bytes | TooLong | LongLine]) -> None:
        """Writes it down."""
        self.log.append(("receive", client, list(lines)))
        self.when_receiving()

    def leave(self, client: int) -> None:
        """Writes it down, with the time."""
        self.log.append(("leave", client, trio.current_time()))

    async def wait_answered(self, client: int) -> None:
        """Waits for `answer_all`, if anything is in flight."""
        if self.in_flight:
            await self._answered.wait()

    def answer_all(self) -> None:
        """Nothing is in flight any more."""
        self.in_flight = 0
        self._answered.set()

    def lines(self, client: int) -> list[bytes | TooLong | LongLine]:
        """All lines from one client, bursts joined."""
        return [
            line for kind, who, lines in self.log if kind == "receive" and who == client for line in lines
        ]


class RecordingReports:
    """A broker's place for a supervisor: writes down what is reported of each Codex."""

    def __init__(self) -> None:
        self.pids: dict[int, int] = {}
        self.lines: list[tuple[int, bytes]] = []
        self.exits: list[tuple[int, str]] = []
        self.learnt: list[tuple[int, Learnt | str]] = []
        self._changed = trio.Event()

    def codex_spawned(self, incarnation: int, pid: int, binary: tuple[str, str] | None) -> None:
        """Writes it down."""
        self.pids[incarnation] = pid
        self._has_changed()

    def codex_takes(self, incarnation: int) -> None:
        """It reads."""

    def codex_learnt(self, incarnation: int, learnt: Learnt | str) -> None:
        """Writes it down."""
        self.learnt.append((incarnation, learnt))
        self._has_changed()

    def codex_receive(self, incarnation: int, lines: Sequence[bytes]) -> None:
        """Writes it down."""
        self.lines += [(incarnation, line) for line in lines]
        self._has_changed()

    def codex_exited(self, incarnation: int, reason: str) -> None:
        """Writes it down."""
        self.exits.append((incarnation, reason))
        self._has_changed()

    async def wait_change(self) -> None:
        """Waits for the next report."""
        await self._changed.wait()

    def _has_changed(self) -> None:
        self._changed.set()
        self._changed = trio.Event()


class FakeCredentials:
    """A socket of which only the peer's credentials are of interest; `kernel` gives the bytes of each option."""

    def __init__(self, kernel: dict[tuple[int, int], bytes]) -> None:
        self._kernel = kernel

    def getsockopt(self, level: int, option: int, length: int) -> bytes:
        """What the kernel would say; an option that it does not know is an error, as on a dead connection."""
        try:
            value = self._kernel[level, option]
        except KeyError:
            raise OSError("not connected") from None
        assert len(value) == length
        return value


def linux_credentials(pid: int, uid: int) -> FakeCredentials:
    """A peer as Linux describes it."""
    return FakeCredentials({(socket.SOL_SOCKET, socket.SO_PEERCRED): struct.pack("3i", pid, uid, uid)})
