"""Which file a program was started from: told from another one that has its path since, as after an update.

Every `codexctl` may import it: the standard library alone.
"""

import os


def identity(path: str) -> str | None:
    """A word for the file that has this path now, the same as long as it is the same; None where there is none.

    The size and the time of the last change count, too: a file may get the number of one that was removed.
    """
    try:
        status = os.stat(path)
    except OSError:
        return None
    return f"{status.st_dev:x}-{status.st_ino:x}-{status.st_size:x}-{status.st_mtime_ns:x}"


def was_replaced(path: str, known: str) -> bool:
    """Whether the path leads to another file than the one with this identity, or to none."""
    return identity(path) != known
