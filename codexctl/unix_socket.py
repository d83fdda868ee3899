"""Connecting to the socket: where nobody listens, and where somebody else does."""

import os
import socket
import struct
import time

from codexctl.patience import Patience
from codexd.protocol.errors import Unavailable

NO_SIGPIPE = getattr(socket, "MSG_NOSIGNAL", 0)
"""For `send`: a connection that is gone is an error, even where SIGPIPE ends the program (it does for a command line)."""
_GLANCE_SECONDS = 0.02
_SO_NOSIGPIPE = 0x1022
"""macOS has an option of the socket instead of the flag, and Python no name for it."""


def connected(path: str) -> socket.socket | None:
    """A connection, or None where nothing listens.

    Raises:
        Unavailable: the socket is there and cannot be used, or belongs to somebody else.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    if not NO_SIGPIPE:
        connection.setsockopt(socket.SOL_SOCKET, _SO_NOSIGPIPE, 1)
    try:
        _connect(connection, path)
        _check_owner(connection, path)
    except (FileNotFoundError, ConnectionRefusedError):
        connection.close()
        return None
    except OSError as error:
        connection.close()
        raise Unavailable(f"cannot connect to {path}: {error.strerror}") from error
    except Unavailable:
        connection.close()
        raise
    return connection


def _connect(connection: socket.socket, path: str) -> None:
    """Waits while the queue of the listener is full, as that of one that takes nobody is after 1,024 connections.

    Not for ever; a socket that does not block is told at once (EAGAIN, Linux).
    """
    patience = Patience(path)
    connection.setblocking(False)
    while True:
        try:
            connection.connect(path)
            break
        except BlockingIOError:
            time.sleep(_GLANCE_SECONDS)
            if not patience.left():
                patience.check()
    connection.setblocking(True)


def _check_owner(connection: socket.socket, path: str) -> None:
    """Refuses a socket that somebody else listens on: prompts are nobody else's."""
    uid = _uid_of_listener(connection)
    if uid not in (None, os.getuid(), 0):
        raise Unavailable(f"the socket {path} belongs to another user (uid {uid})")


def _uid_of_listener(connection: socket.socket) -> int | None:
    """Only Linux says who listens; elsewhere the directory's permissions have to do."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    uid: int = struct.unpack("3i", credentials)[1]
    return uid
