"""The two wires: JSON lines, which codexd and stdio speak, and WebSocket frames, which `--listen unix://` speaks.

Both are blocking and as thin as can be, so that what is measured is the far side.
"""

import json
import os
import select
import socket
import struct
import subprocess
import sys
from collections import deque
from itertools import count
from pathlib import Path
from typing import Any, Protocol

from codexd.protocol.framing import LineSplitter

READ_BYTES = 64 * 1024  # more would be a mapping of its own for every read
PATIENCE_SECONDS = 60.0


class Wire(Protocol):
    """One connection; a message is one JSON object without its framing."""

    def fileno(self) -> int: ...

    def send(self, *messages: bytes) -> None: ...

    def receive(self, timeout: float = PATIENCE_SECONDS) -> bytes:
        """The next message; TimeoutError when none comes in `timeout` seconds, ConnectionError at the end."""
        ...

    def close(self) -> None: ...


class LineWire:
    """JSON lines over a pair of file descriptors, which it owns."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading = reading
        self._writing = writing
        self._poll = select.poll()
        self._poll.register(reading, select.POLLIN)
        self._splitter = LineSplitter(sys.maxsize)
        self._messages: deque[bytes] = deque()

    @classmethod
    def to_socket(cls, path: Path) -> "LineWire":
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(path))
        descriptor = connection.detach()
        return cls(descriptor, descriptor)

    @classmethod
    def to_process(cls, process: subprocess.Popen[bytes]) -> "LineWire":
        assert process.stdin
        assert process.stdout
        return cls(os.dup(process.stdout.fileno()), os.dup(process.stdin.fileno()))

    def fileno(self) -> int:
        return self._reading

    def send(self, *messages: bytes) -> None:
        left = b"".join(message + b"\n" for message in messages)
        while left:
            left = left[os.write(self._writing, left) :]

    def receive(self, timeout: float = PATIENCE_SECONDS) -> bytes:
        while not self._messages:
            for line in self._splitter.feed(_read(self._reading, self._poll, timeout)):
                assert isinstance(line, bytes), "there is no limit"
                self._messages.append(line)
        return self._messages.popleft()

    def close(self) -> None:
        for descriptor in {self._reading, self._writing}:
            os.close(descriptor)


class WebSocketWire:
    """WebSocket over a Unix socket: text frames, masked with zeros, which costs nothing and is legal."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        self._buffer = b""
        self._at = 0
        try:
            self._upgrade()
        except BaseException:
            self._socket.close()
            raise

    def _upgrade(self) -> None:
        self._socket.sendall(
            b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        while b"\r\n\r\n" not in self._buffer:
            self._buffer += _read(self.fileno(), self._poll, PATIENCE_SECONDS)
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        if b" 101 " not in head.splitlines()[0]:
            raise ConnectionError(f"no WebSocket here: {head.decode()}")

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, *messages: bytes) -> None:
        self._socket.sendall(b"".join(_frame(message) for message in messages))

    def receive(self, timeout: float = PATIENCE_SECONDS) -> bytes:
        while True:
            kind, payload = self._receive_frame(timeout)
            if kind == 0x81:
                return payload
            if kind == 0x88:
                raise ConnectionError("the far side closed the WebSocket")
            if kind == 0x89:
                self._socket.sendall(_frame(payload, kind=0x8A))

    def _receive_frame(self, timeout: float) -> tuple[int, bytes]:
        kind, length = self._take(2, timeout)
        if length >= 126:
            form = "!H" if length == 126 else "!Q"
            (length,) = struct.unpack(form, self._take(struct.calcsize(form), timeout))
        return kind, self._take(length, timeout)

    def _take(self, wanted: int, timeout: float) -> bytes:
        while len(self._buffer) - self._at < wanted:
            self._buffer = self._buffer[self._at :] + _read(self.fileno(), self._poll, timeout)
            self._at = 0
        self._at += wanted
        return self._buffer[self._at - wanted : self._at]

    def close(self) -> None:
        self._socket.close()


def _frame(payload: bytes, kind: int = 0x81) -> bytes:
    length = len(payload)
    if length < 126:
        head = struct.pack("!BB", kind, 0x80 | length)
    elif length < 65536:
        head = struct.pack("!BBH", kind, 0x80 | 126, length)
    else:
        head = struct.pack("!BBQ", kind, 0x80 | 127, length)
    return head + b"\0\0\0\0" + payload


def _read(descriptor: int, poll: select.poll, timeout: float) -> bytes:
    if not poll.poll(timeout * 1000):
        raise TimeoutError(f"nothing came in {timeout} s")
    chunk = os.read(descriptor, READ_BYTES)
    if not chunk:
        raise ConnectionError("the far side hung up")
    return chunk


_ids = count(1_000_000)


def request(request_id: int, method: str, params: dict[str, Any]) -> bytes:
    """A request as it goes over the wire, without spaces, as most JSON libraries write it."""
    return json.dumps({"id": request_id, "method": method, "params": params}, separators=(",", ":")).encode()


def call(wire: Wire, method: str, params: dict[str, Any]) -> dict[str, Any]:
    """Asks and waits for the answer; what else comes meanwhile is dropped. RuntimeError for an error."""
    wanted = next(_ids)
    wire.send(request(wanted, method, params))
    while True:
        message = json.loads(wire.receive())
        if message.get("id") == wanted and "method" not in message:
            break
    if "error" in message:
        raise RuntimeError(f"{method} was answered with {message['error']}")
    result: dict[str, Any] = message["result"]
    return result


def initialize(wire: Wire) -> None:
    """The handshake."""
    call(
        wire,
        "initialize",
        {"clientInfo": {"name": "bench", "version": "1"}, "capabilities": {"experimentalApi": True}},
    )
    wire.send(b'{"method":"initialized"}')


def take_turn(wire: Wire, thread: str, prompt: str) -> None:
    """A turn from start to end."""
    call(wire, "turn/start", turn(thread, prompt))
    while b'"turn/completed"' not in wire.receive():
        pass


def turn(thread: str, prompt: str) -> dict[str, Any]:
    """The params of `turn/start`."""
    return {"threadId": thread, "input": [{"type": "text", "text": prompt}]}
