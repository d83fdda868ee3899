"""WebSocket as Codex's own server speaks it, compared with that, and with a real Codex behind codexd."""

import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest
from websockets.frames import Frame, Opcode

from codexd.service.control_socket import occupant
from codexd.service.sockets import Occupant
from tests.e2e.harness import World, a_world
from tests.e2e.harness_client import PATIENCE_S
from tests.fakes import WEBSOCKET_REQUEST

pytestmark = pytest.mark.e2e


@pytest.fixture
def world(each_codex: Path) -> Iterator[World]:
    """A world with each Codex in turn."""
    with a_world(each_codex) as place:
        yield place


def connect(path: Path) -> socket.socket:
    """A connection."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(PATIENCE_S)
    connection.connect(str(path))
    return connection


def upgraded(connection: socket.socket) -> tuple[str, dict[str, str]]:
    """Asks for the upgrade; the status line of the answer, and its headers by their names in small letters."""
    connection.sendall(WEBSOCKET_REQUEST)
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += connection.recv(1)
    status, *headers = answer.decode().splitlines()[:-1]
    pairs = (header.split(": ", 1) for header in headers)
    return status, {name.lower(): value for name, value in pairs}


def test_the_upgrade_is_answered_as_codex_answers_it(world: World) -> None:
    """The same status and the same headers, to the same request of Codex's own client."""
    path = world.root / "native.sock"
    with world.log.open("ab") as log:
        argv = [str(world.codex), "app-server", "--listen", f"unix://{path}"]
        world.spawn(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    world.until(lambda: occupant(path)[0] is Occupant.LIVE)
    world.start_daemon()
    with connect(path) as native, connect(world.socket_path) as ours:
        assert upgraded(ours) == upgraded(native)


def test_a_message_of_20_megabytes_travels_both_ways_in_frames(world: World) -> None:
    """In fragments to codexd, which Codex never sees, and back as the error that quotes it."""
    world.start_daemon()
    with connect(world.socket_path) as connection, connection.makefile("rb") as incoming:
        upgraded(connection)
        introduction = {"clientInfo": {"name": "frames", "version": "1"}}
        _send(connection, {"id": 0, "method": "initialize", "params": introduction})
        while _message(incoming).get("id") != 0:
            pass
        name = "x" * 20_000_000
        _send(connection, {"id": 1, "method": name, "params": {}}, pieces=20)
        while (answer := _message(incoming)).get("id") != 1:
            pass
    assert answer["error"]["message"].startswith(f"Invalid request: unknown variant `{name}`")


def _send(connection: socket.socket, message: object, pieces: int = 1) -> None:
    data = json.dumps(message).encode()
    size = -(-len(data) // pieces)
    for at in range(0, len(data), size):
        opcode = Opcode.CONT if at else Opcode.TEXT
        piece = Frame(opcode, data[at : at + size], fin=at + size >= len(data))
        connection.sendall(piece.serialize(mask=True))


def _message(incoming: IO[bytes]) -> Any:
    parts = []
    while True:
        first, length = incoming.read(2)
        if length >= 126:
            length = int.from_bytes(incoming.read(2 if length == 126 else 8), "big")
        parts.append(incoming.read(length))
        if first & 0x80:
            return json.loads(b"".join(parts))
