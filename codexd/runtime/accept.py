"""The doors: take connections as they come, and survive the shortage of descriptors and of sockets."""

import errno
import logging
import math
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NoReturn

import trio

logger = logging.getLogger(__name__)

CAPACITY_ERRNOS = {
    errno.EMFILE,  # this process has no descriptor left
    errno.ENFILE,  # the system has none left
    errno.ENOMEM,  # the kernel has no memory for it
    errno.ENOBUFS,
}
RETRY_SECONDS = 0.1


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
                    connection, _ = listener.accept()
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

    Error handling: when descriptors or memory run out it says so once, and tries again every `RETRY_SECONDS` until
    there are some. A connection that was given up while it waited is passed over. Any other error is raised.
    """
    listener.setblocking(False)
    exhausted = False
    while True:
        await trio.lowlevel.wait_readable(listener)
        try:
            connection, _ = listener.accept()
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
