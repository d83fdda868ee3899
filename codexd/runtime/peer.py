"""Who is at the other end of a connection, as the kernel tells: asked before a byte is read."""

import logging
import socket
import struct
import sys
from typing import NamedTuple, Protocol

logger = logging.getLogger(__name__)

_UCRED = struct.Struct("3i")  # Linux, unix(7): pid, uid, gid
_XUCRED = struct.Struct("=IIh2x16I")  # macOS, sys/ucred.h: version, uid, number of groups, groups
_SOL_LOCAL = 0  # macOS, sys/un.h; the `socket` module does not name these
_LOCAL_PEERCRED = 1
_LOCAL_PEERPID = 2


class Credentials(NamedTuple):
    """The process that connected. `pid` is None where the system does not tell (another pid namespace)."""

    pid: int | None
    uid: int


class HasOptions(Protocol):
    """What is needed of a socket."""

    def getsockopt(self, level: int, option: int, length: int, /) -> bytes:
        """An option's value as the kernel lays it out."""


def admitted(connection: HasOptions, uid: int) -> Credentials | None:
    """The peer's credentials, if it is this user; None for anybody else, and for one that is gone already.

    Another user's process can hold a connection that it inherited or was handed, whatever the socket's mode says.
    """
    try:
        peer = _linux_peer(connection) if sys.platform == "linux" else _darwin_peer(connection)
    except OSError:
        return None
    if peer.uid != uid:
        logger.warning("refused a client of user %d, pid %s", peer.uid, peer.pid)
        return None
    return peer


def _linux_peer(connection: HasOptions) -> Credentials:
    pid, uid, _ = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return Credentials(pid or None, uid)


def _darwin_peer(connection: HasOptions) -> Credentials:
    credentials = _XUCRED.unpack(connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED.size))
    (pid,) = struct.unpack("=i", connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERPID, 4))
    return Credentials(pid or None, credentials[1])
