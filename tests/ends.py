"""The end of processes that are no children of the tests.

A process that has ended stays in the process table, as a zombie, until its parent takes leave of it. The parent of an
orphan is the system's first process, which may take seconds for that, as in a container, or never do it. `psutil` counts
a zombie as running.
"""

import time
from collections.abc import Iterable

import psutil

_GLANCE_SECONDS = 0.01


def has_ended(process: psutil.Process) -> bool:
    """Also as a zombie."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_for_ends(processes: Iterable[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Returns when all have ended, or after so many seconds; those that have not."""
    deadline = time.monotonic() + seconds
    alive = [process for process in processes if not has_ended(process)]
    while alive and time.monotonic() < deadline:
        time.sleep(_GLANCE_SECONDS)
        alive = [process for process in alive if not has_ended(process)]
    return alive
