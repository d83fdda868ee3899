"""Who holds a lock, as Linux tells.

`/proc/locks` has a line for each lock: `9: FLOCK  ADVISORY  WRITE 16581 fe:00:2182002 0 EOF`, with the pid, the device in
hexadecimal and the inode (proc_locks(5)). Other systems have no such file.
"""

LOCKS = "/proc/locks"


def flock_holder(inode: int, locks: str = LOCKS) -> int | None:
    """The pid of the process that holds an flock on this inode; None when nobody does, or the system does not tell now.

    A process of another pid name space is not told either.
    """
    # The device is not compared: some file systems (btrfs, overlays) name another one here than in `stat`.
    return next((lock[0] for lock in _flocks(locks) if lock[1] == inode), None)


def flock_holders(locks: str = LOCKS) -> set[int]:
    """The pids of all processes that hold an exclusive flock; none where the system does not tell now."""
    return {pid for pid, _, is_exclusive in _flocks(locks) if is_exclusive}


def _flocks(locks: str) -> list[tuple[int, int, bool]]:
    """Of each flock that is held: the pid of who holds it, the inode, and whether it is exclusive."""
    try:
        with open(locks, encoding="ascii") as lines:
            words_of_lines = [line.split() for line in lines]
    except OSError:  # there is none, or no descriptor is left to read it with
        return []
    # A line of somebody who waits for a lock has "->" in the second place.
    return [
        (int(words[4]), int(words[5].rpartition(":")[2]), words[3] == "WRITE")
        for words in words_of_lines
        if words[1] == "FLOCK" and int(words[4]) > 0
    ]
