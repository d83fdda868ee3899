"""What a service manager and its service say to each other: sd_notify and LISTEN_FDS, without a library.

`codexd start` speaks the same protocol to the codexd that it starts, so there is one way to say READY; but over a socket
that the child inherits, because it may have no directory to make one in. The protocol is in sd_notify(3) and
sd_listen_fds(3); what systemd 252 really does was tried.
"""

import logging
import os
import socket
import stat
import time
from collections.abc import MutableMapping

import trio

from codexd.protocol.names import as_text
from codexd.protocol.own_command import NOTIFY_DESCRIPTOR, SERVICE_MANAGER_VARIABLES

logger = logging.getLogger(__name__)

_FIRST_FD = 3  # SD_LISTEN_FDS_START
_VARIABLES = (NOTIFY_DESCRIPTOR, *SERVICE_MANAGER_VARIABLES)


class Starter:
    """Whoever started this process and wants to hear how it is; everything is a no-op when nobody does.

    `listeners`: the listening Unix sockets that it handed over; whoever uses them closes them.
    """

    def __init__(
        self,
        address: str | None = None,
        watchdog_seconds: float | None = None,
        listeners: tuple[socket.socket, ...] = (),
        connection: socket.socket | None = None,
    ) -> None:
        self._connection = connection
        self._address = "\0" + address[1:] if address and address.startswith("@") else address
        self._watchdog_seconds = watchdog_seconds
        self.listeners = listeners

    @classmethod
    def taken_from(cls, environ: MutableMapping[str, str]) -> "Starter":
        """The one that the environment names, and removes what names it: no child is to take it for its own."""
        descriptor, address, usec, watched, *listening = [environ.pop(name, None) for name in _VARIABLES]
        seconds = int(usec) / 1_000_000 if usec and watched in (None, str(os.getpid())) else None
        connection = _inherited(int(descriptor)) if descriptor else None
        return cls(address, seconds, _adopted(*listening[:2]), connection)

    def close(self) -> None:
        """Leaves the starter without another word."""
        if self._connection is not None:
            self._connection.close()

    def tell(self, **states: str) -> None:
        """Says each as `NAME=value`, all in one message, as in `tell(READY="1", STATUS="…")`.

        One that went away is none: `codexd start` leaves when it has heard READY.
        """
        message = "\n".join(f"{name}={' '.join(value.splitlines())}" for name, value in states.items())
        try:
            if self._connection is not None:
                self._connection.send(as_text(message).encode())
            elif self._address is not None:
                with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
                    out.setblocking(False)
                    out.connect(self._address)
                    out.send(as_text(message).encode())
        except OSError as error:
            logger.debug("the starter does not listen: %s", error)

    def tell_reloading(self) -> None:
        """Says that settings are being read again; READY follows when that is done."""
        self.tell(RELOADING="1", MONOTONIC_USEC=str(time.monotonic_ns() // 1000))

    async def feed_watchdog(self) -> None:
        """Says twice in every watchdog interval that the event loop turns; returns at once without a watchdog."""
        if self._watchdog_seconds is None:
            return
        while True:
            self.tell(WATCHDOG="1")
            await trio.sleep(self._watchdog_seconds / 2)


def _inherited(descriptor: int) -> socket.socket:
    """The socket to `codexd start`, which no child of this process is to have."""
    os.set_inheritable(descriptor, False)
    connection = socket.socket(fileno=descriptor)
    connection.setblocking(False)
    return connection


def _adopted(pid: str | None, count: str | None) -> tuple[socket.socket, ...]:
    """The sockets that were handed over, if they were meant for this process; a foreign kind is closed and logged."""
    if pid != str(os.getpid()) or not count:
        return ()
    sockets = []
    for descriptor in range(_FIRST_FD, _FIRST_FD + int(count)):
        if _is_unix_listener(descriptor):
            os.set_inheritable(descriptor, False)
            sockets.append(socket.socket(fileno=descriptor))
        else:
            logger.warning(
                "descriptor %d of the service manager is no listening Unix socket: closed", descriptor
            )
            os.close(descriptor)
    return tuple(sockets)


def _is_unix_listener(descriptor: int) -> bool:
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        return False
    with socket.socket(fileno=os.dup(descriptor)) as handed:
        return (
            handed.family == socket.AF_UNIX
            and handed.type == socket.SOCK_STREAM
            and handed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
        )
