"""The socket: private from its first instant, never taken from somebody who answers, only ever removed by its owner.

A lock beside it is held for as long as it listens, so that no two codexds are at work on one path at the same time.
"""

import errno
import os
import socket
import stat
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Self

from codexd.protocol.running import Holder
from codexd.runtime.peer import admitted
from codexd.service.errors import CannotServe
from codexd.service.locks import Lock, socket_lock

BACKLOG = 1024
_UMASK = 0o177  # read and write for the owner: mode 0600


class SocketRefused(CannotServe):
    """The path is not one where a private socket could be, or somebody else has it."""


class Occupant(Enum):
    """What stands at a socket's path."""

    NOTHING = "nothing"
    STALE = "a socket that nobody listens on"
    LIVE = "a socket that somebody listens on"
    LINK = "a symbolic link"
    NO_SOCKET = "something that is no socket"
    FOREIGN = "a socket that belongs to another user"


_REFUSALS = {
    Occupant.LIVE: "somebody listens on the socket {path} already",
    Occupant.LINK: "{path} is a symbolic link, and codexd makes no socket through a link; remove it",
    Occupant.NO_SOCKET: "{path} exists and is no socket; remove it or choose another path with --socket",
    Occupant.FOREIGN: "the socket {path} belongs to another user; choose another path with --socket",
}


def make_private_directory(path: Path) -> None:
    """Makes the directory (0700, its missing parents too); one that exists must be ours alone to write to.

    Raises:
        SocketRefused: it cannot be made, or `check_private_directory` refuses it.
    """
    try:
        for missing in [parent for parent in reversed(path.parents) if not parent.exists()]:
            missing.mkdir(0o700, exist_ok=True)
        path.mkdir(0o700, exist_ok=True)
    except FileExistsError:
        raise SocketRefused(f"{path} is a file or a broken link; a directory is needed there") from None
    except OSError as error:
        raise SocketRefused(f"the directory {path} cannot be made: {error.strerror}") from None
    check_private_directory(path)


def check_private_directory(path: Path) -> None:
    """Whether a private thing can be in this directory, which exists.

    Raises:
        SocketRefused: it is a link, somebody else's, or others may write to it.
    """
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        raise SocketRefused(f"{path} is a symbolic link; codexd needs a directory of its own there")
    if status.st_uid != os.getuid():
        raise SocketRefused(
            f"the directory {path} belongs to another user; choose another path with --socket"
        )
    if status.st_mode & 0o022:
        raise SocketRefused(f"others may write to the directory {path}; forbid it with: chmod go-w {path}")


def occupant(path: Path) -> tuple[Occupant, int | None]:
    """What is at the path, and for a live socket the pid of who listens, where the system tells.

    Asking connects for an instant: a listener sees a client that comes and goes.
    """
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return Occupant.NOTHING, None
    if stat.S_ISLNK(status.st_mode):
        return Occupant.LINK, None
    if not stat.S_ISSOCK(status.st_mode):
        return Occupant.NO_SOCKET, None
    if status.st_uid != os.getuid():
        return Occupant.FOREIGN, None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        code = probe.connect_ex(os.fspath(path))
        if code in (errno.ECONNREFUSED, errno.ENOENT):
            return Occupant.STALE, None
        listener = admitted(probe, os.getuid()) if code == 0 else None
        return Occupant.LIVE, listener.pid if listener else None


class OwnSocket:
    """A listening socket at its path, made anew when the path no longer leads to it.

    `listener` is the socket, and another one after `mend`. Use it as a context, or `close` it.
    """

    def __init__(
        self,
        path: Path,
        make: Callable[[Path], socket.socket],
        lock: Lock | None = None,
        handed_over: socket.socket | None = None,
    ) -> None:
        """Listens.

        Args:
            make: returns a socket that listens at the path, which is then ours to remove, or raises `CannotServe`.
            lock: the lock that goes with the path; it is taken, and dropped at the end.
            handed_over: a listener at the path that a service manager made: the path is not ours to remove.

        Raises:
            CannotServe: somebody else has the path or the lock, or it cannot be had; the message says why.
        """
        self.path = path
        self._make = make
        self._lock = lock
        self.is_handed_over = handed_over is not None
        if lock is not None:
            make_private_directory(path.parent)
            lock.take()
        try:
            self.listener = make(path) if handed_over is None else handed_over
        except BaseException:
            self._drop_lock()
            raise
        self._own = _identity(path)

    def is_whole(self) -> bool:
        """Whether the path leads to this socket, and the lock to whom it does."""
        return self._is_at_path() and (self._lock is None or self._lock.is_ours())

    def mend(self) -> socket.socket | None:
        """Takes the lock again and listens anew, where that is needed; never takes the path from who listens there.

        Returns the old socket, which is then the caller's to close; None when the path leads to it still.

        Raises:
            CannotServe: the path cannot be had; the message says why.
        """
        if self._lock is not None and not self._lock.is_ours():
            make_private_directory(self.path.parent)
            self._lock.take()
        if self._is_at_path():
            return None
        new, old = self._make(self.path), self.listener
        self.listener, self._own, self.is_handed_over = new, _identity(self.path), False
        return old

    def close(self) -> None:
        """Removes the path if this very socket, made here, is still there; lets go of the lock."""
        if not self.is_handed_over and self._is_at_path():
            self.path.unlink(missing_ok=True)
        self.listener.close()
        self._drop_lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _is_at_path(self) -> bool:
        return self._own is not None and _identity(self.path) == self._own

    def _drop_lock(self) -> None:
        if self._lock is not None:
            self._lock.drop()


def listening(path: Path, holder: Holder, handed_over: socket.socket | None = None) -> OwnSocket:
    """codexd's socket at the path, with its lock. Raises as `OwnSocket` does."""
    return OwnSocket(path, private_listener, Lock(socket_lock(path), holder), handed_over)


def private_listener(path: Path) -> socket.socket:
    """A listening socket at the path, mode 0600 in a private directory; a stale one is replaced.

    Raises:
        SocketRefused: the path cannot be had; the message says why.
    """
    make_private_directory(path.parent)
    _make_room(path)
    return bound(path)


def bound(path: Path) -> socket.socket:
    """A listening socket at a path where nothing is, mode 0600.

    Raises:
        SocketRefused: it cannot be made; the message says why.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _bind(listener, path)
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file has this name; None when there is none that can be looked at."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def check_free(path: Path, own_pid: int | None = None) -> Occupant:
    """Whether a codexd could listen at the path: returns what is there, which is nothing, or nobody's any more.

    Args:
        own_pid: a process whose live socket there does not matter, because it is about to end.

    Raises:
        SocketRefused: something is in the way; the message says what, and the way out.
    """
    found, pid = occupant(path)
    if found in _REFUSALS and not (found is Occupant.LIVE and pid is not None and pid == own_pid):
        who = f" (pid {pid})" if pid else ""
        raise SocketRefused(_REFUSALS[found].format(path=path) + who)
    return found


def _make_room(path: Path) -> None:
    if check_free(path) is Occupant.STALE:
        path.unlink(missing_ok=True)


def _bind(listener: socket.socket, path: Path) -> None:
    # The mode comes from the umask at bind: a chmod afterwards would leave an instant in which anybody may connect.
    before = os.umask(_UMASK)
    try:
        listener.bind(os.fspath(path))
    except OSError as error:
        raise SocketRefused(f"the socket {path} cannot be made: {error.strerror}") from None
    finally:
        os.umask(before)
