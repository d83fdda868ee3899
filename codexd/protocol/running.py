"""Which codexd runs for a CODEX_HOME: the file `codexd.lock` in the CODEX_HOME names it, and is locked while it runs.

codexd writes and locks that file under another name and renames it then, so whoever finds `codexd.lock` locked reads the
name of the process that locked it. The kernel drops the lock when that process ends. So the running codexd is found
from every environment of its user, wherever its socket is. Every `codexctl` reads the file: hence the standard library
alone, and little of it.
"""

import os
import stat
import sys

from codexd.protocol.lock_table import LOCKS, flock_holder

FILE = "codexd.lock"
NEW_FILE = f".{FILE}.new"
"""What the file is called while it is written."""
MAX_BYTES = 64 * 1024


class Holder:
    """The codexd that holds a lock. Not to be changed; no named tuple, because `typing` would cost every start 3 ms.

    `socket`, `codex_home`: absolute paths. `machine`: the host's name, because a CODEX_HOME may be shared by several.
    `is_listening`: false while it is starting. `state`: the directory in which it keeps what belongs to the CODEX_HOME.
    """

    def __init__(
        self,
        pid: int,
        socket: str,
        codex_home: str,
        machine: str = "",
        is_listening: bool = False,
        state: str = "",
    ) -> None:
        self.pid = pid
        self.socket = socket
        self.codex_home = codex_home
        self.machine = machine
        self.is_listening = is_listening
        self.state = state

    def members(self) -> dict[str, int | str]:
        """All of it, as it stands in a lock's file."""
        return dict(vars(self))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Holder) and self.members() == other.members()

    def __repr__(self) -> str:
        return f"Holder({self.members()})"


UNNAMED = Holder(0, "", "")
"""Somebody who holds a lock and has not written its name yet."""


def home_lock(codex_home: str) -> str:
    """The file that names the codexd of a CODEX_HOME."""
    return os.path.join(codex_home, FILE)


def socket_lock(socket: str) -> str:
    """The file whose lock says that a codexd serves this socket, beside it. Its text may be older than the lock."""
    return f"{socket}.lock"


def running(lock: str) -> Holder | None:
    """The codexd of this user that holds the lock; None where there is none.

    Args:
        lock: the path of the lock's file, `home_lock` or `socket_lock`.
    """
    descriptor = _opened(lock)
    if descriptor is None:
        return None
    try:
        return named(os.pread(descriptor, MAX_BYTES, 0)) if is_locked(descriptor) else None
    finally:
        os.close(descriptor)


def ask_to_listen(lock: str, locks: str = LOCKS) -> bool:
    """Has the codexd that holds the lock see to it that its socket is there: a SIGHUP, to who provably holds it.

    Returns False where that can't be proved: on another machine, in another container, or without `/proc`.
    """
    descriptor = _opened(lock)
    if descriptor is None:
        return False
    try:
        holder = named(os.pread(descriptor, MAX_BYTES, 0))
        if not is_locked(descriptor) or not _is_proven(holder, os.fstat(descriptor).st_ino, locks):
            return False
        from signal import SIGHUP  # late: 4 ms

        os.kill(holder.pid, SIGHUP)
    except (ProcessLookupError, PermissionError):
        return False
    finally:
        os.close(descriptor)
    return True


def named(text: bytes) -> Holder:
    """The holder that the text of a lock file names; `UNNAMED` when it names none."""
    import json

    try:
        found = json.loads(text)
        holder = Holder(*(found[name] for name in UNNAMED.members()))
    except (ValueError, TypeError, KeyError):
        return UNNAMED
    types = [type(member) for member in UNNAMED.members().values()]
    return holder if [type(member) for member in holder.members().values()] == types else UNNAMED


def is_locked(descriptor: int) -> bool:
    """Whether another descriptor holds the lock of this file. It is taken for an instant to see that."""
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return False
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False


def _opened(lock: str) -> int | None:
    try:
        # O_NONBLOCK: opening a named pipe would wait for its other end.
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(lock, flags)
    except OSError:
        return None
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode) and status.st_uid == os.getuid():
        return descriptor
    os.close(descriptor)
    return None


def _is_proven(holder: Holder, inode: int, locks: str) -> bool:
    """Whether the pid in the file is that of the process that holds its lock, here on this machine."""
    if holder.pid <= 1 or holder.machine != os.uname().nodename:
        return False
    return sys.platform != "linux" or flock_holder(inode, locks) == holder.pid
