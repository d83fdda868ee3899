"""A machine that gives this process no more threads, for as long as a test wants it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pytest
import trio._core._thread_cache as thread_cache

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
