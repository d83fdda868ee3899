"""Codex's own shared server, `codex app-server --listen unix://`: what several clients of one bare Codex see."""

import subprocess
from contextlib import ExitStack
from pathlib import Path

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, unix_connect

from codexd.service.sockets import Occupant, occupant
from tests.e2e.harness import World
from tests.e2e.harness_client import JsonLinesClient


class NativeServer:
    """Serves from now on; the world ends it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._path = Path(world.root / "native.sock")
        argv = [str(world.codex), "app-server", "--listen", f"unix://{self._path}"]
        with world.log.open("ab") as log:
            world.spawn(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        world.until(lambda: occupant(self._path.resolve())[0] is Occupant.LIVE)  # the path is a link

    def connect(self) -> JsonLinesClient:
        """A client that has not said ``initialize`` yet. Its lines travel in WebSocket frames."""
        stack = ExitStack()
        connection = stack.enter_context(
            unix_connect(
                str(self._path), uri="ws://localhost/rpc", max_size=None, compression=None, close_timeout=1
            )
        )
        incoming, outgoing = _Incoming(connection), _Outgoing(connection)
        return self._world.noted(JsonLinesClient(incoming, outgoing, stack.close))  # type: ignore[arg-type] # as much of a stream as it needs


class _Incoming:
    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    def __iter__(self) -> "_Incoming":
        return self

    def __next__(self) -> bytes:
        try:
            message = self._connection.recv()
        except ConnectionClosed:
            raise StopIteration from None
        return message.encode() if isinstance(message, str) else message

    def close(self) -> None:
        """The connection is closed by ``hang_up``."""


class _Outgoing:
    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._written = b""

    def write(self, data: bytes) -> None:
        self._written += data

    def flush(self) -> None:
        *lines, self._written = self._written.split(b"\n")
        for line in lines:
            self._connection.send(line.decode())

    def close(self) -> None:
        """The connection is closed by ``hang_up``."""
