"""Memory, asked for before something is taken in, and a reserve of it for what is under way.

Where the address space is full (`ulimit -v`, a system that commits no more than it has), any line that makes an object can
fail: in a decision of the core, in trio, in a thread that has just been started and whose starter then waits for ever.
None of that can be undone. So codexd asks the system for room before it reads from a client or from Codex, accepts a
client or starts a thread, and does not begin what has none: a long message is refused, anything else waits.

1. Whatever is done between two looks takes less than `HEADROOM_BYTES`, long messages apart.
2. A message takes up to `COPIES` times its length.
3. When the headroom is gone the reserve is given up, so that what is under way and short messages go on. It is taken again
   as soon as there is room for both. Nothing is written to it, so it is address space and no memory.
"""

import errno
import logging
import mmap
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trio.lowlevel

logger = logging.getLogger(__name__)

HEADROOM_BYTES = 16 * 1024 * 1024
"""A thread's stack takes 8 MiB of it."""
RESERVE_BYTES = 64 * 1024 * 1024
LONG_BYTES = 1024 * 1024
"""A message up to this length is a short one."""
COPIES = 6
"""Up to four as a text, if a character of it is beyond Unicode's first plane; one with another id; one with its line feed."""
RETRY_SECONDS = 0.1
"""How long somebody waits before there may be memory again."""

_OVERCOMMIT = Path("/proc/sys/vm/overcommit_memory")
_NEVER = "2"


def has(more: int = 0) -> bool:
    """Whether the system has `more` bytes for codexd now, and the headroom beside them."""
    return _kept.get(_NONE).has(more)


def has_for_line(length: int) -> bool:
    """Whether there is enough to take in a message of this length. For a short one the headroom is, which is not looked at."""
    return length <= LONG_BYTES or has(COPIES * length)


def shortage() -> OSError:
    """What to raise where `has` is false and an error of the system is expected."""
    return OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))


@contextmanager
def reserve(count: int = RESERVE_BYTES) -> Iterator[None]:
    """Keeps a reserve of so many bytes within this context, for this run of trio."""
    kept = _Reserve(count)
    before = _kept.set(kept)
    try:
        yield
    finally:
        _kept.reset(before)
        kept.give_up()


def can_be_mapped(count: int) -> bool:
    """Whether the system gives this process so many bytes more."""
    mapped = _mapped(count)
    if mapped is None:
        return False
    mapped.close()
    return True


def _mapped(count: int) -> mmap.mmap | None:
    try:
        return mmap.mmap(-1, count, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except (OSError, MemoryError):
        return None


def _is_limited() -> bool:
    """Whether the system may refuse: to ask for a limit takes a tenth of the time that it takes to try."""
    getrlimit, infinity = resource.getrlimit, resource.RLIM_INFINITY
    return getrlimit(resource.RLIMIT_AS)[0] != infinity or getrlimit(resource.RLIMIT_DATA)[0] != infinity


def _commits_no_more_than_it_has() -> bool:
    try:
        return _OVERCOMMIT.read_text().strip() == _NEVER
    except OSError:  # not Linux
        return False


class _Reserve:
    def __init__(self, count: int) -> None:
        self._count = count
        self._is_strict = _commits_no_more_than_it_has()
        self._mapped: mmap.mmap | None = _mapped(count) if count else None
        self._is_short = False

    def has(self, more: int) -> bool:
        if not self._is_strict and not _is_limited():
            self._keep()
            return True
        if can_be_mapped(HEADROOM_BYTES + more):
            self._keep()
            return True
        if more and can_be_mapped(HEADROOM_BYTES):
            return False
        self.give_up()
        if not self._is_short:
            self._is_short = True
            logger.warning(
                "codexd cannot get more memory (ulimit -v, or the system has none); long messages are refused until it can"
            )
        return can_be_mapped(HEADROOM_BYTES + more)

    def give_up(self) -> None:
        """Makes room."""
        if self._mapped is not None:
            self._mapped.close()
            self._mapped = None

    def _keep(self) -> None:
        """Takes the reserve again, if there is room for it and the headroom."""
        if self._mapped is not None or not self._count:
            return
        if not can_be_mapped(HEADROOM_BYTES + self._count):
            return
        self._mapped = _mapped(self._count)
        if self._is_short:
            self._is_short = False
            logger.info("codexd can get memory again")


_NONE = _Reserve(0)
_kept: trio.lowlevel.RunVar[_Reserve] = trio.lowlevel.RunVar("codexd.runtime.memory")
