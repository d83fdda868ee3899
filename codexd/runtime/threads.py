"""Worker threads for what blocks, also where the system gives this process no more threads.

A cgroup at its `pids.max`, or a user at RLIMIT_NPROC, gives none. trio's worker threads end after ten idle seconds, so
there may be none when one is needed. `reserve` keeps a few: each sleeps until it is let go of, and is then the idle
worker that trio uses next.
"""

import errno
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar, TypeVarTuple

import trio
import trio.lowlevel

from codexd.runtime import memory

RESERVED = 5
"""One each for the writer of the timeline, its reader, the schema, the processes of Codex, and what codexd stands on."""

_Result = TypeVar("_Result")
_Arguments = TypeVarTuple("_Arguments")


class NoThread(OSError):
    """The system gives this process no more threads. EAGAIN is what `pthread_create` says; CPython does not pass it on."""

    def __init__(self) -> None:
        super().__init__(errno.EAGAIN, "the system gives codexd no more threads")


def start(thread: threading.Thread) -> None:
    """Starts a thread. Raises `NoThread`."""
    try:
        thread.start()
    except (RuntimeError, MemoryError) as error:
        raise NoThread from error


async def in_thread(
    function: Callable[[*_Arguments], _Result], *arguments: *_Arguments, abandon_on_cancel: bool = False
) -> _Result:
    """`trio.to_thread.run_sync`, in a thread of the reserve when no other can be had.

    Raises:
        NoThread: there is none there, either. The function has not been called.
    """
    has_begun = False

    def begin() -> _Result:
        nonlocal has_begun
        has_begun = True
        return function(*arguments)

    kept = _kept.get(_NONE)
    try:
        while True:
            try:
                if not memory.has() and not await kept.let_go_of_one():
                    raise NoThread
                return await trio.to_thread.run_sync(begin, abandon_on_cancel=abandon_on_cancel)
            except (RuntimeError, MemoryError) as error:
                if has_begun:
                    raise
                if not await kept.let_go_of_one():
                    raise NoThread from error
    finally:
        kept.fill()


@contextmanager
def reserve(count: int = RESERVED) -> Iterator[None]:
    """Keeps so many threads within this context, for every `in_thread` of this run of trio.

    Raises:
        NoThread: they can't be had now.
    """
    kept = _Reserve(count)
    try:
        if not kept.fill():
            raise NoThread
        before = _kept.set(kept)
        try:
            yield
        finally:
            _kept.reset(before)
    finally:
        kept.close()


class _Sleeper:
    """A worker thread of trio's that sleeps. Raises what `Thread.start` raises."""

    def __init__(self) -> None:
        self._let_go = threading.Event()
        self._is_idle = trio.Event()
        self._token = trio.lowlevel.current_trio_token()
        trio.lowlevel.start_thread_soon(self._let_go.wait, self._woke)

    def let_go(self) -> None:
        """Ends its sleep; nobody may wait for that."""
        self._let_go.set()

    async def become_idle(self) -> None:
        """Ends its sleep; trio uses it next from then on. Not cancelled: it takes a moment, and the thread would be lost."""
        self.let_go()
        with trio.CancelScope(shield=True):
            await self._is_idle.wait()

    def _woke(self, _: object) -> None:
        try:
            self._token.run_sync_soon(self._is_idle.set)
        except trio.RunFinishedError:
            return


class _Reserve:
    def __init__(self, count: int) -> None:
        self._count = count
        self._sleeping: list[_Sleeper] = []
        self._is_closed = False

    def fill(self) -> bool:
        """Takes as many threads as are missing; returns whether all could be had.

        None without memory: one that has just been started and gets none never says that it runs (CPython 3.11).
        """
        while len(self._sleeping) < self._count and not self._is_closed and memory.has():
            try:
                self._sleeping.append(_Sleeper())
            except (RuntimeError, MemoryError):
                return False
        return len(self._sleeping) >= self._count

    async def let_go_of_one(self) -> bool:
        """Makes one idle; returns False when all are in use."""
        if not self._sleeping:
            return False
        await self._sleeping.pop().become_idle()
        return True

    def close(self) -> None:
        """Lets go of all, and takes none any more."""
        self._is_closed = True
        for sleeper in self._sleeping:
            sleeper.let_go()
        self._sleeping.clear()


_NONE = _Reserve(0)
_kept: trio.lowlevel.RunVar[_Reserve] = trio.lowlevel.RunVar("codexd.runtime.threads")
