"""The door: takes connections as they come, and survives the shortage of descriptors."""

import errno
import logging
import socket
from collections.abc import Callable
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
