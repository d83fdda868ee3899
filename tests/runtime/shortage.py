"""A machine that gives this process no more threads, or no more memory, for as long as a test wants it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pytest
import trio._core._thread_cache as thread_cache

from codexd.runtime import memory
from codexd.runtime.threads import reserve


@contextmanager
def fresh_threads() -> Iterator[None]:
    """Within it none that trio has kept from before is idle."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(thread_cache, "THREAD_CACHE", thread_cache.ThreadCache())
        yield


@contextmanager
def no_new_thread() -> Iterator[None]:
    """Within it no thread can be started."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")  # what CPython 3.11 to 3.14 says

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        yield


@contextmanager
def no_more_threads(reserved: int = 0) -> Iterator[None]:
    """Within it there are as many as were taken into reserve before, and no other one."""
    with fresh_threads(), reserve(reserved) if reserved else nullcontext(), no_new_thread():
        yield


class LimitedMemory:
    """So many bytes are `free`; what codexd keeps of them, or tries to get, is taken from there."""

    def __init__(self, free: int) -> None:
        self.free = free

    def map(self, count: int) -> "_Mapped | None":
        """What stands for a mapping; None when there is too little."""
        if count > self.free:
            return None
        self.free -= count
        return _Mapped(self, count)


class _Mapped:
    def __init__(self, memory: LimitedMemory, count: int) -> None:
        self._memory, self._count = memory, count

    def close(self) -> None:
        """Gives it back."""
        self._memory.free += self._count


@contextmanager
def limited_memory(free: int) -> Iterator[LimitedMemory]:
    """Within it the system gives this process so many bytes and no more."""
    limited = LimitedMemory(free)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "_mapped", limited.map)
        patch.setattr(memory, "_is_limited", lambda: True)
        yield limited
