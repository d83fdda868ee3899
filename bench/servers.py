"""The servers that are compared, each with its own Codex, and how a client connects to each."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from bench.processes import tree
from bench.wires import PATIENCE_SECONDS, LineWire, WebSocketWire, Wire, initialize
from bench.world import CHECKOUT, World, command, end

_POLL_SECONDS = 0.01


class Server:
    """A process with clients. `pids` is what it consists of: itself and what it started."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        end(self.process)

    @property
    def pids(self) -> list[int]:
        return tree(self.process.pid)

    def connect(self) -> Wire:
        """A client after its handshake."""
        raise NotImplementedError


class BareSocket(Server):
    """`codex app-server --listen unix://`: what several clients can share without codexd."""

    def __init__(self, world: World, side: str = "bare") -> None:
        self.path = world.directory(f"{side}/run") / "bare.sock"
        argv = [str(world.codex), "app-server", "--listen", f"unix://{self.path}"]
        super().__init__(world.spawn(argv, side, environment=world.environment(side)))
        _wait_until(self.process, lambda: _answers(self.connect))

    def connect(self) -> WebSocketWire:
        wire = WebSocketWire(self.path)
        initialize(wire)
        return wire


class BareStdio(Server):
    """`codex app-server` on stdio: what one client has for itself."""

    def __init__(self, world: World, side: str = "stdio") -> None:
        argv = [str(world.codex), "app-server"]
        pipe = subprocess.PIPE
        process = world.spawn(argv, side, environment=world.environment(side), stdin=pipe, stdout=pipe)
        super().__init__(process)

    def connect(self) -> LineWire:
        """The one client, once."""
        wire = LineWire.to_process(self.process)
        initialize(wire)
        return wire


class Relay(Server):
    """`bench.relay` before a Codex; serves one client."""

    def __init__(self, world: World, side: str = "relay") -> None:
        self._path = world.directory(f"{side}/run") / "relay.sock"
        argv = [sys.executable, "-m", "bench.relay", str(world.codex), str(self._path)]
        super().__init__(world.spawn(argv, side, environment=world.environment(side), cwd=CHECKOUT))
        _wait_until(self.process, self._path.exists)

    def connect(self) -> LineWire:
        wire = LineWire.to_socket(self._path)
        initialize(wire)
        return wire


class Codexd(Server):
    """`codexd run`. `environment` is what its clients need to find it; `frames`: they speak WebSocket.

    `settings` is its `config.toml`. `without`: which of its parts it is to do without (`bench.stripped`).
    """

    def __init__(
        self,
        world: World,
        side: str = "codexd",
        model_url: str | None = None,
        *,
        frames: bool = False,
        settings: str = "",
        without: tuple[str, ...] = (),
    ) -> None:
        self._frames = frames
        self.environment = world.environment(side, model_url)
        (world.directory(f"{side}/config/codexd") / "config.toml").write_text(settings)
        self.path = Path(self.environment["XDG_RUNTIME_DIR"]) / "codexd" / "codexd.sock"
        argv = [sys.executable, "-m", "bench.stripped", *without] if without else [*command("codexd"), "run"]
        super().__init__(world.spawn(argv, side, environment=self.environment))
        _wait_until(self.process, lambda: _answers(self.connect))

    def connect(self) -> Wire:
        wire = WebSocketWire(self.path) if self._frames else LineWire.to_socket(self.path)
        initialize(wire)
        return wire


def _answers(connect: Callable[[], Wire]) -> bool:
    try:
        connect().close()
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    return True


def _wait_until(process: subprocess.Popen[bytes], ready: Callable[[], bool]) -> None:
    """Nothing announces a socket that does not exist yet, so this asks again and again."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{process.args!r} does not serve")
        time.sleep(_POLL_SECONDS)
