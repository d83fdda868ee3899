"""The machine under codexd: what it starts are simulated Codexes, and it fails as machines do."""

import errno
import os
import socket
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any, NoReturn, Self

import pytest
import trio
import trio.lowlevel

from codexd.protocol.gates import Gates
from codexd.protocol.learnt import Learnt
from codexd.protocol.request_ids import WITHOUT_SCHEMA
from codexd.protocol.sandbox import MARK_VARIABLE
from codexd.runtime import codex as codex_module
from codexd.runtime.codex import Codex, CodexUnavailable, Launch
from codexd.runtime.machine import ThisMachine
from tests.simulation.clients import SimulatedClient
from tests.simulation.codex import CALM, Disk, SimulatedCodex, SimulatedProcess, Weather
from tests.simulation.shortage import MEMORY, Connection, Shortage

_LAUNCH = Launch(["codex"], {MARK_VARIABLE: "mark"}, "/", "0.169.0", Path("/nonexistent"))
_LEARNT = Learnt(
    Gates(methods=frozenset({"process/spawn"}), members={}, policies=frozenset()), WITHOUT_SCHEMA
)
_DELAYS = (0.0, 0.0, 0.01, 0.3)


class SimulatedMachine(ThisMachine):
    """Its Codexes outlive codexd, as processes do: `start` makes their tasks the world's."""

    def __init__(
        self,
        rng: Random,
        disk: Disk,
        weather: Weather,
        start: Callable[[SimulatedCodex], None],
        shortage: Shortage,
        note: Callable[[str], None],
    ) -> None:
        super().__init__(lambda: _LAUNCH)
        self.codexes: dict[int, SimulatedCodex] = {}
        self.weather = weather
        self._rng, self._disk, self._start, self._note = rng, disk, start, note
        self._shortage = shortage
        self._search = trio.CancelScope()
        self._failing = rng.choice((0.0, 0.0, 0.1, 0.9))

    def prepare(self) -> None:
        """Nothing."""

    def calm_down(self) -> None:
        """From now on everything works."""
        self._failing = 0.0
        self._search.cancel()
        self.weather = CALM
        for codex in self.codexes.values():
            codex.recover()

    async def find(self) -> Launch:
        """Takes its time, and may find none; now and then it takes for ever, as a disk that is away does."""
        if self._failing and self._rng.random() < 0.1:
            with trio.CancelScope() as self._search:
                await trio.sleep(1000.0)
        await self._work("there is no Codex")
        return await super().find()

    async def clear_leftovers(self) -> None:
        """Takes its time."""
        await trio.sleep(self._rng.choice(_DELAYS))
        await super().clear_leftovers()

    async def spawn(self, launch: Launch) -> Codex:
        """Takes its time, and may fail."""
        await self._work("Codex could not be started: codex: Cannot allocate memory")
        return await super().spawn(launch)

    async def open_process(self, argv: list[str], **how: Any) -> SimulatedProcess:
        """What `trio.lowlevel.open_process` is to `Codex`."""
        self._shortage.fail_to_start()
        ends = [os.dup(how[name]) for name in ("stdin", "stdout", "stderr")]
        pid = 100 + len(self._disk.pids)
        codex = SimulatedCodex(pid, ends, self._disk, self._rng, self.weather, self._note)
        codex.book.may_lack = self._shortage.is_any
        self._disk.pids.append(pid)
        self.codexes[pid] = codex
        self._start(codex)
        return codex.process

    async def learn(self, launch: Launch) -> Learnt | str:
        """Takes its time, and may have no answer."""
        await trio.sleep(self._rng.choice((*_DELAYS, 5.0)))
        return _LEARNT if self._rng.random() < 0.8 else "there is no schema"

    async def reap(self) -> NoReturn:
        """There is nothing to be reaped."""
        await trio.sleep_forever()

    async def watch(self, codex: int) -> NoReturn:
        """There is nothing to be seen."""
        await trio.sleep_forever()

    def stir(self) -> None:
        """Nothing."""

    async def look_last(self, codex: int) -> None:
        """Takes its time."""
        await trio.sleep(self._rng.choice(_DELAYS))
        await super().look_last(codex)

    async def sweep(self, codex: int) -> None:
        """Takes its time."""
        await trio.sleep(self._rng.choice(_DELAYS))
        await super().sweep(codex)

    async def _work(self, failure: str) -> None:
        await trio.sleep(self._rng.choice(_DELAYS))
        if self._rng.random() < self._failing:
            raise CodexUnavailable(failure)


@contextmanager
def processes_are_of(machine: SimulatedMachine, pipe_bytes: int) -> Iterator[None]:
    """Within it every process that is started is one of this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trio.lowlevel, "open_process", machine.open_process)
        patch.setattr(codex_module, "PIPE_BYTES", pipe_bytes)
        yield


class Doorway:
    """The path at which codexd listens: the door that is there now, and who is behind each connection."""

    def __init__(self, path: str, rng: Random, shortage: Shortage) -> None:
        self.behind: dict[int, SimulatedClient] = {}
        self._path, self._rng, self._short = path, rng, shortage
        self._shortage = rng.choice((0.0, 0.0, 0.3))
        self._buffer_bytes = rng.choice((1, 20_000, None))
        self.door = self._new()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Nobody finds it any more."""
        self.vanish()
        self.door.close()

    def vanish(self) -> None:
        """Somebody removes the path; who waits at the door waits on."""
        if os.path.exists(self._path):
            os.unlink(self._path)

    def renew(self) -> tuple["Door", "Door"]:
        """Another door at the path; returns the old one and that."""
        old, self.door = self.door, self._new()
        return old, self.door

    def _new(self) -> "Door":
        return Door(self._path, self._rng, self._short, self._shortage, self._buffer_bytes, self.behind)


class Door(socket.socket):
    """A listening socket; it knows who is behind each connection, and has times when descriptors run out."""

    def __init__(
        self,
        path: str,
        rng: Random,
        short: Shortage,
        shortage: float,
        buffer_bytes: int | None,
        behind: dict[int, SimulatedClient],
    ) -> None:
        super().__init__(socket.AF_UNIX, socket.SOCK_STREAM)
        self.bind(path)
        self.listen()
        self.knocking: deque[SimulatedClient] = deque()
        self._behind = behind
        self._rng = rng
        self._short = short
        self._shortage = shortage
        self._buffer_bytes = buffer_bytes

    def accept(self) -> tuple[socket.socket, object]:
        """Connections come in the order of knocking."""
        if self._rng.random() < self._shortage:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        if self._short.strikes(MEMORY):
            raise MemoryError
        accepted, address = super().accept()
        connection = Connection(fileno=accepted.detach())
        connection.shortage = self._short
        if self._buffer_bytes is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._buffer_bytes)
        self._behind[connection.fileno()] = self.knocking.popleft()
        return connection, address
