"""What a supervisor needs of the machine that it runs on: programs found, processes started, asked, and swept up.

Everything behind it takes threads, processes and real time. So this is where a simulation puts a machine of its own.
"""

from collections.abc import Callable
from typing import NoReturn, Protocol

import trio

from codexd.protocol.learnt import Learnt
from codexd.runtime import processes
from codexd.runtime.codex import Codex, Launch
from codexd.runtime.schema import Schemas


class Machine(Protocol):
    """Where Codexes live."""

    def prepare(self) -> None:
        """Called once, before anything else."""

    async def find(self) -> Launch:
        """How to start Codex; looked for anew before each spawn. Raises `CodexUnavailable`."""

    async def clear_leftovers(self, launch: Launch) -> None:
        """Ends what a killed codexd left."""

    async def spawn(self, launch: Launch) -> Codex:
        """Starts it. Raises `CodexUnavailable`."""

    async def learn(self, launch: Launch) -> Learnt | str:
        """What the schema of this Codex says of what is experimental, or why that can't be had."""

    async def reap(self, codex: int) -> NoReturn:
        """Takes the exit statuses of what Codex leaves behind while it runs; `codex` is its pid."""

    async def sweep(self, launch: Launch, codex: int) -> None:
        """Ends what a Codex that has ended has left."""


class ThisMachine:
    """The real one. `find_codex` is called in a worker thread; it raises `CodexUnavailable`."""

    def __init__(self, find_codex: Callable[[], Launch]) -> None:
        self._find_codex = find_codex
        self._schemas = Schemas()

    def prepare(self) -> None:
        """Makes every orphan below codexd its child."""
        processes.become_subreaper()

    async def find(self) -> Launch:
        """Looks for Codex in a thread, which is left to itself when nobody waits any more."""
        return await trio.to_thread.run_sync(self._find_codex, abandon_on_cancel=True)

    async def clear_leftovers(self, launch: Launch) -> None:
        """Ends what bears the mark."""
        await trio.to_thread.run_sync(processes.sweep_leftovers, launch.mark)

    async def spawn(self, launch: Launch) -> Codex:
        """Starts it as a child."""
        return await Codex.spawn(launch)

    async def learn(self, launch: Launch) -> Learnt | str:
        """Reads what was kept, or asks the binary."""
        return await self._schemas.learn(launch)

    async def reap(self, codex: int) -> NoReturn:
        """As the system signals them."""
        await processes.reap_adopted_as_they_end(codex)

    async def sweep(self, launch: Launch, codex: int) -> None:
        """Ends what bears the mark, or is in Codex's session, or has become our child."""
        await trio.to_thread.run_sync(processes.sweep, launch.mark, codex)
