"""The benchmark's own WebSocket client: whatever the server's chunks, each frame is one message."""

import socket
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest

from bench.wires import WebSocketWire

_UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"


def _serve(path: Path, chunks: Iterable[bytes]) -> list[bytes]:
    """Answers one connection with these chunks; what it got is in the list when it has hung up."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    got: list[bytes] = []

    def talk() -> None:
        with listener, listener.accept()[0] as connection:
            for chunk in chunks:
                connection.sendall(chunk)
            while received := connection.recv(65536):
                got.append(received)

    threading.Thread(target=talk, daemon=True).start()
    return got


def _length(size: int) -> bytes:
    if size < 126:
        return size.to_bytes(1, "big")
    return b"\x7e" + size.to_bytes(2, "big") if size < 65536 else b"\x7f" + size.to_bytes(8, "big")


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
@pytest.mark.parametrize("step", [1000, 100_000])
def test_frames_of_every_length_come_whole(tmp_path: Path, size: int, step: int) -> None:
    """The three forms of a frame's length at their edges, in small chunks and in one."""
    payload = b"x" * size
    stream = _UPGRADED + b"\x81" + _length(size) + payload + b"\x81\x03end"
    _serve(tmp_path / "s", [stream[at : at + step] for at in range(0, len(stream), step)])
    wire = WebSocketWire(tmp_path / "s")
    assert [wire.receive(), wire.receive()] == [payload, b"end"]
    wire.close()


def test_a_server_that_refuses_is_an_error(tmp_path: Path) -> None:
    """Its own words are in it."""
    _serve(tmp_path / "s", [b"HTTP/1.1 403 Forbidden\r\n\r\n"])
    with pytest.raises(ConnectionError, match="403 Forbidden"):
        WebSocketWire(tmp_path / "s")


def test_pings_are_answered_and_a_close_is_the_end(tmp_path: Path) -> None:
    """A server may look whether somebody is there, and may hang up in good order."""
    _serve(tmp_path / "s", [_UPGRADED, b"\x89\x01p\x81\x02hi\x88\x00"])
    wire = WebSocketWire(tmp_path / "s")
    assert wire.receive() == b"hi"
    with pytest.raises(ConnectionError, match="closed"):
        wire.receive()
    wire.close()
