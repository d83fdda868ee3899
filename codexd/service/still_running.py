"""The codexd that still runs for a CODEX_HOME when everything that names it has been removed, found by its open files.

A codexd holds the locked files that name it open for as long as it lives. So Linux shows them in `/proc/PID/fd` when they
are deleted, and when their directories are. Only processes that hold an flock (`/proc/locks`) and belong to this user are
looked at. macOS has neither file: nothing is found there, nor in another pid namespace.
"""

import os
import stat
from collections.abc import Iterator

from codexd.protocol import running
from codexd.protocol.lock_table import flock_holders
from codexd.protocol.running import Holder

_DELETED = " (deleted)"
_NAMES = (running.FILE, running.NEW_FILE)


def still_running(codex_home: str) -> Holder | None:
    """The codexd other than this process that serves this CODEX_HOME, an absolute path; None when there is none.

    Takes some milliseconds. The directory must exist.
    """
    for pid in flock_holders() - {os.getpid()}:
        for holder in _named_by(pid):
            # Whoever else has locked such a file is not named in it.
            is_meant = (holder.pid, holder.codex_home) == (pid, codex_home)
            if is_meant and _sees_the_same(pid, codex_home):
                return holder
    return None


def _named_by(pid: int) -> Iterator[Holder]:
    """Whom the lock files name that this process has open. None for a process of another user, or one that has ended."""
    files = f"/proc/{pid}/fd"
    try:
        if os.stat(f"/proc/{pid}").st_uid != os.getuid():
            return
        descriptors = os.listdir(files)
    except OSError:
        return
    for descriptor in descriptors:
        text = _text(f"{files}/{descriptor}")
        if text is not None:
            yield running.named(text)


def _text(file: str) -> bytes | None:
    try:
        if os.path.basename(os.readlink(file).removesuffix(_DELETED)) not in _NAMES:
            return None
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:  # it has just been closed
        return None
    try:
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        return os.pread(descriptor, running.MAX_BYTES, 0) if is_file else None
    finally:
        os.close(descriptor)


def _sees_the_same(pid: int, path: str) -> bool:
    """Whether the path names the same directory for that process: in a container it may name another one."""
    try:
        return os.path.samefile(f"/proc/{pid}/root{path}", path)
    except OSError:
        return False
