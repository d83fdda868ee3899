"""Who holds a lock, as Linux tells.

`/proc/locks` has a line for each lock: `9: FLOCK  ADVISORY  WRITE 16581 fe:00:2182002 0 EOF`, with the pid, the device in
hexadecimal and the inode (proc_locks(5)). Other systems have no such file.
"""

LOCKS = "/proc/locks"


def flock_holder(inode: int, locks: str = LOCKS) -> int | None:
    """The pid of the process that holds an flock on this inode; None when nobody does, or the system does not tell now.

    A process of another pid name space is not told either.
    """
    try:
        with open(locks, encoding="ascii") as lines:
            held = [line.split() for line in lines]
    except OSError:  # there is none, or no descriptor is left to read it with
        return None
    for words in held:
        # A line of somebody who waits for a lock has "->" in the second place. The device is not compared: some
        # file systems (btrfs, overlays) name another one here than in `stat`.
        if words[1] == "FLOCK" and int(words[5].rpartition(":")[2]) == inode and int(words[4]) > 0:
            return int(words[4])
    return None
