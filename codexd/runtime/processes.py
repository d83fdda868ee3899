"""codexd as the parent of what loses its own parent below it.

Codex's own exit ends its MCP servers and commands, but not what is in another session; a killed Codex ends its children
and nothing below them (0.163 and 0.171). So codexd is a subreaper: on Linux, orphans below it become its children, and it
takes their exit statuses. Codex gets a session of its own, and codexd starts nothing else outside its own session: a
child that it finds in another one is such an orphan. Which of them are ended when Codex has ended: see `ownership`.

Not PDEATHSIG: it follows the thread that spawned, and trio ends idle threads after ten seconds (measured).
"""

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Collection
from typing import NoReturn

import trio

from codexd.runtime import process_table

REAP_SECONDS = 0.5
"""How long orphans that have ended stay zombies.

When Codex dies its children are ended first, and each becomes a child of codexd: only then can Codex be seen to have
ended, thread by thread (Linux 6.18). What ended with it must not be taken for what ended while it lived.
"""
_PR_SET_CHILD_SUBREAPER = 36


def is_process_table_there() -> bool:
    """Whether other processes can be looked at: on Linux, /proc may not be mounted."""
    return sys.platform != "linux" or os.path.exists("/proc/self/stat")


def become_subreaper(wanted: bool = True) -> None:
    """Makes every orphan below this process its child, where the system has that."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_CHILD_SUBREAPER, int(wanted), 0, 0, 0) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))


async def reap_as_they_end(codex: Callable[[], int | None]) -> NoReturn:
    """Takes the exit statuses of orphans, `REAP_SECONDS` after their ends.

    Args:
        codex: the pid of the one child in a session of its own whose exit status is somebody else's to take, if there
            is one. When it has ended, nothing is taken: what ended with it tells the sweep whose it was.
    """
    with trio.open_signal_receiver(signal.SIGCHLD) as deaths:
        async for _ in deaths:
            ended = ended_orphans(codex())
            await trio.sleep(REAP_SECONDS)
            reap(ended, codex())
    raise AssertionError("signals never end")


def ended_orphans(codex: int | None = None) -> set[int]:
    """The children that have ended and whose exit statuses nobody waits for: neither `codex` nor of our own session."""
    if sys.platform != "linux":
        return set()
    me, own_session = os.getpid(), os.getsid(0)
    try:
        table = process_table.look()
    except (
        OSError,
        MemoryError,
    ):  # there is no descriptor or memory left: they are found when the next one ends
        return set()
    return {
        process.pid
        for process in table.values()
        if process.ended and process.parent == me and process.session != own_session and process.pid != codex
    }


def reap(ended: Collection[int], codex: int | None = None) -> None:
    """Takes the exit statuses of these children, unless `codex` has ended."""
    if codex is None or not _has_ended(codex):
        for pid in ended:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:  # it has been taken since
                continue


def _has_ended(child: int) -> bool:
    try:
        return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # somebody has taken its exit status
        return True
