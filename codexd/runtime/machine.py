"""What a supervisor needs of the machine that it runs on: programs found, processes started, asked, and swept up.

Everything behind it takes threads, processes and real time. So this is where a simulation puts a machine of its own.
"""

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NoReturn, Protocol

from codexd.protocol.learnt import Learnt
from codexd.protocol.program import sentence_of
from codexd.runtime import processes, sweep
from codexd.runtime.belongings import Belongings
from codexd.runtime.codex import Codex, CodexUnavailable, Launch
from codexd.runtime.schema import Schemas
from codexd.runtime.threads import NoThread, in_thread
from codexd.runtime.watch import Watch

logger = logging.getLogger(__name__)


class Machine(Protocol):
    """Where Codexes live, one at a time. `codex` is the pid of the present one."""

    def prepare(self) -> None:
        """Called once, before anything else."""

    async def find(self) -> Launch:
        """How to start Codex; looked for anew before each spawn. Raises `CodexUnavailable`."""

    async def clear_leftovers(self) -> None:
        """Ends what a killed codexd left."""

    async def spawn(self, launch: Launch) -> Codex:
        """Starts it. Raises `CodexUnavailable`."""

    async def learn(self, launch: Launch) -> Learnt | str:
        """What the schema of this Codex says of what is experimental, or why that can't be had."""

    async def reap(self) -> NoReturn:
        """Takes the exit statuses of what Codexes leave behind, as long as there is a supervisor."""

    async def watch(self, codex: int) -> NoReturn:
        """Keeps up to date what is to be swept up, as long as Codex runs."""

    def stir(self) -> None:
        """Something has passed between codexd and Codex that may have started or ended a process."""

    async def look_last(self, codex: int) -> None:
        """Notes what is to be swept up when Codex, which is told to end right after this, has ended."""

    async def sweep(self, codex: int) -> None:
        """Ends what a Codex that has ended has left."""


class ThisMachine:
    """The real one.

    Args:
        find_codex: called in a worker thread; it raises `CodexUnavailable`.
        record: the file that tells the next codexd what to sweep up should this one be killed; None: nothing does.
        sweeps: whether to end what a Codex leaves. Else only the Codex of a killed codexd is ended.
    """

    def __init__(
        self, find_codex: Callable[[], Launch], record: Path | None = None, *, sweeps: bool = True
    ) -> None:
        self._find_codex = find_codex
        self._schemas = Schemas()
        self._belongings = Belongings(record)
        self._sweeps = sweeps
        self._codex: int | None = None
        self._watch: Watch | None = None

    def prepare(self) -> None:
        """Makes every orphan below codexd its child."""
        processes.become_subreaper()

    async def find(self) -> Launch:
        """Looks for Codex in a thread, which is left to itself when nobody waits any more."""
        try:
            return await in_thread(self._find_codex, abandon_on_cancel=True)
        except NoThread as shortage:
            raise CodexUnavailable(f"Codex can't be looked for: {shortage.strerror}") from None

    async def clear_leftovers(self) -> None:
        """Ends what the record of an earlier codexd proves to be its Codex's."""
        try:
            await in_thread(self._clear_leftovers)
        except (OSError, MemoryError) as error:
            logger.error("what a killed codexd has left cannot be looked for: %s", sentence_of(error))

    def _clear_leftovers(self) -> None:
        record = self._belongings.left_by_a_killed_codexd()
        end = sweep.sweep_leftovers if self._sweeps else sweep.end_codex
        if record is not None and end(record):
            self._belongings.forget()

    async def spawn(self, launch: Launch) -> Codex:
        """Starts it as a child."""
        codex = await Codex.spawn(launch)
        self._codex = codex.pid
        return codex

    async def learn(self, launch: Launch) -> Learnt | str:
        """Reads what was kept, or asks the binary."""
        return await self._schemas.learn(launch)

    async def reap(self) -> NoReturn:
        """As the system signals them. Not between the end of Codex and of the sweep, which learns from them."""
        await processes.reap_as_they_end(lambda: self._codex)

    async def watch(self, codex: int) -> NoReturn:
        """Looks at the process table when something has stirred."""
        self._watch = Watch(lambda: self._look(codex))
        await self._watch.run()

    def stir(self) -> None:
        """Has the process table looked at soon."""
        if self._watch is not None:
            self._watch.stir()

    async def look_last(self, codex: int) -> None:
        """Looks at the process table."""
        await self._look(codex, last=True)

    async def _look(self, codex: int, *, last: bool = False) -> None:
        try:
            await in_thread(partial(self._belongings.look, codex, last=last))
        except (OSError, MemoryError) as error:
            logger.warning("what is Codex's own cannot be looked at: %s", sentence_of(error))

    async def sweep(self, codex: int) -> None:
        """Ends what is left of what the looks found, and what was started since in one of its sessions."""
        self._watch = None
        try:
            await in_thread(self._sweep, codex)
        except (OSError, MemoryError) as error:
            logger.error("what Codex has left cannot be looked for: %s", sentence_of(error))
        self._codex = None

    def _sweep(self, codex: int) -> None:
        if not self._sweeps or sweep.sweep(self._belongings.of(codex)):
            self._belongings.forget()
