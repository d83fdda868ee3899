"""What the system refuses: threads, processes, descriptors and memory, each now and then in some of the worlds."""

import errno
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any, NoReturn, TypeVar, TypeVarTuple

import pytest

from codexd.protocol.framing import LineSplitter, TooLong
from codexd.runtime import codex, isolation, machine, memory, process_table, session
from codexd.runtime.threads import NoThread
from tests.simulation.books import LONG_BYTES

THREADS, PROCESSES, DESCRIPTORS, ROOM, MEMORY = "threads", "processes", "descriptors", "room", "memory"
"""`ROOM`: codexd asks for memory and is told that there is none. `MEMORY`: an allocation fails."""
KINDS = (THREADS, PROCESSES, DESCRIPTORS, ROOM, MEMORY)

_Result = TypeVar("_Result")
_Arguments = TypeVarTuple("_Arguments")


class Shortage:
    """Has a chance of its own: worlds without any stay as they were. `let_go_of`: the clients that it has cost their connection."""

    def __init__(self, seed: int, note: Callable[[str], None]) -> None:
        self._rng = Random(f"shortage {seed}")
        self._note = note
        is_short = self._rng.random() < 0.4
        chances = (0.0, 0.01, 0.1, 0.7) if is_short else (0.0,)
        self._chances = {kind: self._rng.choice(chances) for kind in KINDS}
        self.let_go_of: Callable[[int], None] | None = None

    def strikes(self, kind: str) -> bool:
        """Whether there is none of it this time."""
        if self._rng.random() >= self._chances[kind]:
            return False
        self._note(f"no {kind}")
        return True

    @property
    def is_any(self) -> bool:
        """Whether there ever is one."""
        return any(self._chances.values())

    def calm_down(self) -> None:
        """From now on there is enough of everything."""
        self._chances = dict.fromkeys(KINDS, 0.0)

    # In the place of what would ask the system.

    async def in_thread(
        self,
        function: Callable[[*_Arguments], _Result],
        *arguments: *_Arguments,
        abandon_on_cancel: bool = False,
    ) -> _Result:
        """Calls the function here and now."""
        if self.strikes(THREADS):
            raise NoThread
        return function(*arguments)

    def look(self) -> dict[int, process_table.Process]:
        """The processes of the system: none."""
        if self.strikes(DESCRIPTORS):
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        if self.strikes(MEMORY):
            raise MemoryError
        return {}

    def pipe(self, *stacks: Any) -> tuple[int, int]:
        """Two descriptors."""
        if self.strikes(DESCRIPTORS):
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return _pipe(*stacks)

    def fail_to_start(self) -> None:
        """Called for each process that is started."""
        if self.strikes(PROCESSES):
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        if self.strikes(MEMORY):
            raise MemoryError

    def has(self, more: int = 0) -> bool:
        """Whether there is memory to take something in."""
        return not self.strikes(ROOM)

    def alone(
        self, client: int, doing: str, function: Callable[[*_Arguments], _Result], *arguments: *_Arguments
    ) -> _Result:
        """Something that is done for one client."""
        if doing == session._READING and self.let_go_of is not None and self.strikes(MEMORY):
            self.let_go_of(client)
            return _alone(client, doing, _without_memory)
        return _alone(client, doing, function, *arguments)


class Connection(socket.socket):
    """What is accepted; a read of it may get no memory."""

    shortage: Shortage

    def recv(self, count: int, flags: int = 0) -> bytes:
        """What has come."""
        if self.shortage.strikes(MEMORY):
            raise MemoryError
        return super().recv(count, flags)


_pipe, _alone = codex._pipe, isolation.alone


def _without_memory() -> NoReturn:
    raise MemoryError


@contextmanager
def refused(shortage: Shortage) -> Iterator[None]:
    """Within it the system is this one."""

    class Splitter(LineSplitter):
        def feed(self, chunk: bytes) -> list[bytes | TooLong]:
            if shortage.strikes(MEMORY):
                raise MemoryError
            return super().feed(chunk)

    wanted: tuple[tuple[Any, str, Any], ...] = (
        (machine, "in_thread", shortage.in_thread),
        (process_table, "look", shortage.look),
        (codex, "_pipe", shortage.pipe),
        (codex, "LineSplitter", Splitter),
        (memory, "has", shortage.has),
        (memory, "LONG_BYTES", LONG_BYTES),
        (session, "FREE_BYTES", LONG_BYTES),
        (session, "alone", shortage.alone),
    )
    with pytest.MonkeyPatch.context() as patch:
        for where, name, what in wanted:
            patch.setattr(where, name, what)
        yield
