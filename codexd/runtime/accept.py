"""The doors: take connections as they come, and survive the shortage of descriptors and of sockets."""

import errno
import logging
import math
import os
import resource
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NoReturn

import trio

from codexd.runtime import memory

logger = logging.getLogger(__name__)

CAPACITY_ERRNOS = {
    errno.EMFILE,  # this process has no descriptor left
    errno.ENFILE,  # the system has none left
    errno.ENOMEM,  # the kernel has no memory for it
    errno.ENOBUFS,
}
RETRY_SECONDS = 0.1
RESERVE = 32
"""How many descriptors clients leave to codexd. A start of Codex takes 8 for a moment (four pipes); a look at the processes, a read
of the timeline and a file that is written 1 or 2 each."""


class Doors:
    """The listening sockets that clients come in by. They stay the caller's to close, unless `retire` is given one."""

    def __init__(self, welcome: Callable[[socket.socket], None]) -> None:
        """`welcome` is given every connection, non-blocking, and owns it from then on."""
        self._welcome = welcome
        self._tasks, self._ready = trio.open_memory_channel[Callable[[], Awaitable[None]]](math.inf)
        self._accepting: dict[socket.socket, trio.CancelScope] = {}

    def open(self, listener: socket.socket) -> None:
        """Accepts what comes there from now on."""
        scope = self._accepting[listener] = trio.CancelScope()
        self._tasks.send_nowait(partial(self._accept, listener, scope))

    def retire(self, listener: socket.socket) -> None:
        """Accepts what waits there already, however long that takes, and then closes the socket."""
        self._accepting.pop(listener).cancel()
        self._tasks.send_nowait(partial(self._clear, listener))

    async def run(self) -> NoReturn:
        """Accepts, for ever."""
        async with trio.open_nursery() as nursery:
            async for task in self._ready:
                nursery.start_soon(task)
        raise AssertionError("the channel is never closed")

    async def _accept(self, listener: socket.socket, scope: trio.CancelScope) -> None:
        with scope:
            await trio.lowlevel.checkpoint()  # it may have been retired before its turn
            await accept_clients(listener, self._welcome)

    async def _clear(self, listener: socket.socket) -> None:
        with listener:
            listener.setblocking(False)
            while True:
                try:
                    connection = _accepted(listener)
                except BlockingIOError:
                    return
                except OSError:  # there is no descriptor for it just now
                    await trio.sleep(RETRY_SECONDS)
                else:
                    connection.setblocking(False)
                    self._welcome(connection)


async def accept_clients(listener: socket.socket, welcome: Callable[[socket.socket], None]) -> NoReturn:
    """Hands every connection to `welcome`, non-blocking, for ever; one connection for each scheduling turn.

    The listener stays the caller's to close. `welcome` owns what it is given.

    Error handling: when descriptors or memory run out, or all descriptors but the reserve, it says so once, and tries
    again every `RETRY_SECONDS` until there are some; clients wait in the listener's backlog. A connection that was given up while it waited is passed over. Any other error is raised.
    """
    listener.setblocking(False)
    exhausted = False
    while True:
        await trio.lowlevel.wait_readable(listener)
        try:
            connection = _accepted(listener)
        except (BlockingIOError, ConnectionAbortedError):
            continue
        except OSError as error:
            if error.errno not in CAPACITY_ERRNOS:
                raise
            if not exhausted:
                logger.error("no new client can connect for now: %s", error.strerror)
            exhausted = True
            await trio.sleep(RETRY_SECONDS)
        else:
            if exhausted:
                logger.info("clients can connect again")
            exhausted = False
            connection.setblocking(False)
            welcome(connection)


def reserve_of(limit: int) -> int:
    """How many descriptors clients leave to codexd where a process may have `limit` of them."""
    return min(RESERVE, limit // 4)


def _accepted(listener: socket.socket) -> socket.socket:
    """The next connection. Raises what `accept` raises, EMFILE when only the reserve is left, and ENOMEM without memory."""
    if not memory.has():
        raise memory.shortage()
    _check_reserve(listener)
    try:
        connection, _ = listener.accept()
    except MemoryError:
        raise memory.shortage() from None
    return connection


def _check_reserve(listener: socket.socket) -> None:
    """The system gives out the lowest number that is free, so a duplicate tells which one a connection would get."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return
    lowest = os.dup(listener.fileno())
    os.close(lowest)
    if lowest >= limit - reserve_of(limit):
        raise OSError(
            errno.EMFILE,
            f"codexd keeps the last {reserve_of(limit)} of its {limit} descriptors (ulimit -n) for itself and Codex",
        )
