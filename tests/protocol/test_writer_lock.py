"""Who holds a thread's lock file."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from codexd.protocol.writer_lock import holder, ways_out

_HOLD = "import fcntl, sys; f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_EX); print(flush=True); sys.stdin.read()"


def lock_file(home: Path, thread: str) -> Path:
    """An empty one, as Codex makes it."""
    path = home / "thread-writer-locks" / f"{thread}.lock"
    path.parent.mkdir(exist_ok=True)
    path.touch()
    return path


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="the system does not tell who holds a lock")
def test_the_holder_is_found(tmp_path: Path) -> None:
    """Another process's lock, and nobody's when it has ended."""
    path = lock_file(tmp_path, "T")
    assert holder(str(tmp_path), "T") is None
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout
        other.stdout.readline()
        assert holder(str(tmp_path), "T") == other.pid
    assert holder(str(tmp_path), "T") is None
    with path.open() as ours:
        fcntl.flock(ours, fcntl.LOCK_EX)
        assert holder(str(tmp_path), "T") == os.getpid()


def test_what_cannot_be_known_is_not_known(tmp_path: Path) -> None:
    """No such thread."""
    assert holder(str(tmp_path), "T") is None


def test_people_are_told_what_they_can_do() -> None:
    """With the pid where it is known."""
    rest = (
        " has the thread; wait until it lets go of it, or leave it there (`codex app-server daemon stop` ends the "
        "server that plain `codex` leaves behind); go on with a copy: `codexctl threads fork T`; "
        "or have plain `codex` share threads from now on: `codexd start --control-socket`"
    )
    assert (ways_out("T", 7), ways_out("T", None)) == ("process 7" + rest, "another Codex" + rest)
