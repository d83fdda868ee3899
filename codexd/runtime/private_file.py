"""Files that codexd writes: its user's own, never through a link, and nobody else's to write to.

A directory for logs may be one that others can write to. A link planted there would have codexd append to, cut and
change the mode of what it leads to, and a file planted there would be read by who made it.
"""

import errno
import os
import stat
from pathlib import Path

MODE = 0o600


def open_private(path: str | Path, flags: int) -> int:
    """A descriptor of the file, which is made with mode 0600 where the flags say so, and has that mode afterwards.

    Raises:
        OSError: it can't be had. `strerror` says what is wrong, also where the file is a link (ELOOP), no regular file,
            or belongs to somebody else (EPERM).
    """
    try:
        # Not blocking: a FIFO would have codexd wait for a reader.
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, MODE)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _refusal(
                errno.ELOOP, "it is a symbolic link, and codexd writes through none", path
            ) from None
        raise
    try:
        _check(descriptor, path)
        os.fchmod(descriptor, MODE)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def check_directory(path: Path) -> None:
    """Whether files of codexd can be in this directory, which exists.

    Raises:
        OSError: somebody else owns it, or others may write to it (EPERM); `strerror` says so.
    """
    status = path.stat()
    if status.st_uid != os.geteuid():
        raise _refusal(errno.EPERM, "the directory belongs to another user", path)
    if status.st_mode & 0o022:
        raise _refusal(
            errno.EPERM, f"others may write to the directory; forbid it with: chmod go-w {path}", path
        )


def _check(descriptor: int, path: str | Path) -> None:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise _refusal(errno.EPERM, "it is no regular file", path)
    if status.st_uid != os.geteuid():
        raise _refusal(errno.EPERM, "it belongs to another user", path)
    if status.st_nlink > 1:
        raise _refusal(errno.EPERM, "it has another name as well, a hard link", path)


def _refusal(code: int, why: str, path: str | Path) -> OSError:
    return OSError(code, why, str(path))
