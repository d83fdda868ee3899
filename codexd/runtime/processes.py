"""What Codex leaves behind, and its end: no process outlives the Codex that started it.

Codex's own exit ends its MCP servers and commands, but not what called `setsid`; a killed Codex ends nothing
(measured). So codexd is a subreaper: on Linux, orphans below it become its children. Codex gets a session of its
own, and codexd starts nothing else outside its own session: a child that it finds in another one is such an orphan.

What a killed codexd left is found by a mark in its environment. Most processes inherit it, and those that do not
(Codex withholds most variables from MCP servers) are below one that did.

Not PDEATHSIG: it follows the thread that spawned, and trio ends idle threads after ten seconds (measured).
"""

import ctypes
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple, NoReturn

import psutil
import trio

from codexd.protocol.sandbox import MARK_VARIABLE

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 1.0
"""How long a sweep goes on looking: what is being ended may be starting others meanwhile."""
_ROUND_SECONDS = 0.01
_PR_SET_CHILD_SUBREAPER = 36


class _Process(NamedTuple):
    pid: int
    parent: int
    session: int
    mark: str | None
    handle: psutil.Process


def become_subreaper(wanted: bool = True) -> None:
    """Makes every orphan below this process its child, where the system has that."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_CHILD_SUBREAPER, int(wanted), 0, 0, 0) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))


def sweep(mark: str, codex: int) -> int:
    """Ends everything that a Codex has left; returns how many processes that was.

    `codex` was its pid; its exit status must have been taken. Blocks for `SWEEP_SECONDS` at most: call it in a
    thread.
    """

    def left() -> list[_Process]:
        own_session = os.getsid(0)
        return _with_descendants(
            lambda p: (
                p.session != own_session and (p.mark == mark or p.session == codex or p.parent == os.getpid())
            )
        )

    return _end_all(left)


def sweep_leftovers(mark: str) -> int:
    """Ends what an earlier codexd with this mark has left, its Codex included; returns how many processes that was.

    Only for whoever holds the lock that goes with the mark. Blocks for `SWEEP_SECONDS` at most.
    """
    return _end_all(lambda: _with_descendants(lambda p: p.mark == mark))


async def reap_adopted_as_they_end(codex: int) -> NoReturn:
    """Keeps orphans that end while Codex runs from staying zombies. What is spawned meanwhile is to stay in this session.

    `codex` is the one child in a session of its own whose exit status is somebody else's to take.
    """
    with trio.open_signal_receiver(signal.SIGCHLD) as deaths:
        async for _ in deaths:
            reap_adopted(codex)
    raise AssertionError("signals never end")


def reap_adopted(keep: int | None = None) -> None:
    """Takes the exit statuses of orphans that have ended; never that of a child of our own, nor of `keep`."""
    if sys.platform == "linux":
        while (pid := _ended_child()) is not None and pid != keep and os.getsid(pid) != os.getsid(0):
            os.waitpid(pid, os.WNOHANG)


def _ended_child() -> int | None:
    """A child that has ended; its exit status stays where it is."""
    try:
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return found.si_pid if found else None


def is_process_table_there() -> bool:
    """Whether other processes can be looked at: on Linux, /proc may not be mounted."""
    return sys.platform != "linux" or os.path.exists("/proc/self/stat")


def _end_all(find: Callable[[], Collection[_Process]]) -> int:
    deadline = time.monotonic() + SWEEP_SECONDS
    ended: set[int] = set()
    while left := find():
        if time.monotonic() > deadline:
            stubborn = {process.pid for process in left}
            logger.error("processes that could not be ended: %s", sorted(stubborn))
            ended -= stubborn
            break
        for process in left:
            ended.add(process.pid)
            try:
                process.handle.kill()
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue  # the next look tells whether it is still there
        time.sleep(_ROUND_SECONDS)
    reap_adopted()  # not before the last look: one that ends between the two would stay a zombie
    if ended:
        logger.info("ended %d processes that Codex had left behind: %s", len(ended), sorted(ended))
    return len(ended)


def _with_descendants(is_root: Callable[[_Process], bool]) -> list[_Process]:
    """The processes of our user that the test is true of, and all below them; never ourselves or what is above us.

    codexd may have been started by a command of the very Codex that is to be cleared away.
    """
    spared = {os.getpid(), *(process.pid for process in psutil.Process().parents())}
    processes = list(_living())
    found = {p.pid: p for p in processes if p.pid not in spared and is_root(p)}
    grown = -1
    while grown != len(found):
        grown = len(found)
        found |= {p.pid: p for p in processes if p.parent in found and p.pid not in spared}
    return list(found.values())


def _living() -> Iterator[_Process]:
    user = os.getuid()
    for handle in psutil.process_iter():
        try:
            with handle.oneshot():
                if handle.uids().real != user or handle.status() == psutil.STATUS_ZOMBIE:
                    continue
                process = _Process(handle.pid, handle.ppid(), os.getsid(handle.pid), _mark_of(handle), handle)
        except (psutil.NoSuchProcess, ProcessLookupError):
            continue  # it ended while it was looked at
        yield process


def _mark_of(handle: psutil.Process) -> str | None:
    try:
        return handle.environ().get(MARK_VARIABLE)
    except psutil.AccessDenied:  # a program that hides its memory, as ssh-agent does
        return None
