"""One Codex after another: each is found, spawned, listened to, and swept up after before the next."""

import logging
import math
from collections.abc import Sequence
from functools import partial
from typing import Protocol

import trio

from codexd.protocol.learnt import Learnt
from codexd.runtime.codex import Codex, CodexUnavailable, Launch
from codexd.runtime.machine import Machine

logger = logging.getLogger(__name__)

STOPPED_EARLY = "Codex was stopped before it had started"


class CodexReports(Protocol):
    """Who is told about each Codex: the broker. An incarnation is one life of it, as the core numbers them."""

    def codex_spawned(self, incarnation: int, pid: int, binary: tuple[str, str] | None) -> None:
        """It runs. `binary`: its program's path, and the identity of that file; None where that is unknown."""

    def codex_learnt(self, incarnation: int, learnt: Learnt | str) -> None:
        """What its schema says of what is experimental, or why that can't be had; called once, if it lives to that."""

    def codex_receive(self, incarnation: int, lines: Sequence[bytes]) -> None:
        """The lines of one read of its stdout; never none."""

    def codex_takes(self, incarnation: int) -> None:
        """It has taken some of what waited before its stdin."""

    def codex_exited(self, incarnation: int, reason: str) -> None:
        """It has ended, or could not be had; called once for each incarnation, last."""


class Supervisor:
    """Carries out what the core wants of Codex: `start`, `write`, `stop`."""

    def __init__(self, machine: Machine, reports: CodexReports) -> None:
        self._machine = machine
        self._reports = reports
        self._orders, self._ordered = trio.open_memory_channel[int](math.inf)
        self._codex: Codex | None = None
        self._search = trio.CancelScope()
        self._last_stopped: float = 0
        self._has_cleared = False

    def start(self, incarnation: int) -> None:
        """Begins this incarnation as soon as the one before has been swept up after."""
        self._orders.send_nowait(incarnation)

    def write(self, lines: bytes) -> None:
        """Sends lines to the running Codex, each with its line feed. Never blocks."""
        assert self._codex is not None, "the core writes only to a Codex that it was told of"
        self._codex.write(lines)

    def stop(self, incarnation: float, *, at_once: bool = False) -> None:
        """Ends this incarnation, wherever in its life it is; one that has ended already does not mind."""
        self._last_stopped = incarnation
        self._search.cancel()
        if self._codex is not None:
            self._codex.stop(at_once=at_once)

    def finish(self) -> None:
        """Ends the Codex that there is and takes no more orders: `run` returns when everything is swept."""
        self.stop(math.inf)
        self._orders.close()

    async def run(self) -> None:
        """Carries out the orders, one incarnation after another, until `finish`."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._machine.reap)
            async for incarnation in self._ordered:
                await self._live(incarnation)
            nursery.cancel_scope.cancel()

    async def _live(self, incarnation: int) -> None:
        try:
            launch = await self._found(incarnation)
            await self._clear_leftovers()
            codex = await self._machine.spawn(launch)
        except CodexUnavailable as unavailable:
            self._reports.codex_exited(incarnation, str(unavailable))
        else:
            await self._attend(incarnation, codex, launch)

    async def _found(self, incarnation: int) -> Launch:
        with trio.CancelScope() as self._search:
            if incarnation <= self._last_stopped:
                self._search.cancel()
            return await self._machine.find()
        raise CodexUnavailable(STOPPED_EARLY)

    async def _clear_leftovers(self) -> None:
        """Before the first spawn: what a killed codexd left would fight with the new Codex for its threads."""
        if not self._has_cleared:
            await self._machine.clear_leftovers()
            self._has_cleared = True

    async def _learn(self, incarnation: int, launch: Launch) -> None:
        self._reports.codex_learnt(incarnation, await self._machine.learn(launch))

    async def _attend(self, incarnation: int, codex: Codex, launch: Launch) -> None:
        logger.info("Codex %s runs: pid %d, %s", launch.version, codex.pid, launch.argv[0])
        self._codex = codex
        if incarnation <= self._last_stopped:
            codex.stop()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._machine.watch, codex.pid)
                nursery.start_soon(self._learn, incarnation, launch)
                codex.on_taken = partial(self._reports.codex_takes, incarnation)
                self._reports.codex_spawned(incarnation, codex.pid, launch.binary)
                reason = await codex.run(
                    partial(self._reports.codex_receive, incarnation),
                    partial(self._machine.look_last, codex.pid),
                )
                nursery.cancel_scope.cancel()
            self._codex = None
            self._reports.codex_exited(incarnation, reason)
        finally:
            with trio.CancelScope(shield=True):
                await self._machine.sweep(codex.pid)
