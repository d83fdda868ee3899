"""Which process has a thread: the one that holds its lock file.

A Codex that has a thread loaded holds an flock on `$CODEX_HOME/thread-writer-locks/ID.lock`, an empty file that it
removes when it unloads the thread (seen on 0.163 and 0.169). Another Codex that is asked to resume, archive or delete
the thread says that it `already has an active writer`, and not who that is.
"""

import os

from codexd.protocol.lock_table import flock_holder


def holder(codex_home: str, thread: str) -> int | None:
    """The pid of the process that has the thread; None when nobody has it, or the system does not tell."""
    try:
        inode = os.stat(os.path.join(codex_home, "thread-writer-locks", f"{thread}.lock")).st_ino
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    return flock_holder(inode)


def ways_out(thread: str, pid: int | None) -> str:
    """For people: who has the thread, and what they can do."""
    who = "another Codex" if pid is None else f"process {pid}"
    return (
        f"{who} has the thread; wait until it lets go of it, or leave it there (`codex app-server daemon stop` ends the "
        f"server that plain `codex` leaves behind); go on with a copy: `codexctl threads fork {thread}`; "
        "or have plain `codex` share threads from now on: `codexd start --control-socket`"
    )
