"""A test file that leaves a codexd running is found out."""

import os
import subprocess
import sys

import psutil

from tests import left_running

_SLEEP = "import time; print(flush=True); time.sleep(1000)"


def test_what_is_left_is_named_and_ended() -> None:
    """A codexd of these tests, one whose parent is gone too; no other program, and nobody else's codexd."""
    elsewhere = {**os.environ, left_running.VARIABLE: "1"}
    starts = [
        ([sys.executable, "-c", _SLEEP, "/usr/bin/codexd", "run"], None),
        ([sys.executable, "-c", _SLEEP, "another"], None),
        ([sys.executable, "-c", _SLEEP, "/usr/bin/codexd", "run"], elsewhere),
    ]
    started = [subprocess.Popen(argv, env=env, stdout=subprocess.PIPE) for argv, env in starts]
    try:
        for process in started:
            assert process.stdout is not None
            process.stdout.readline()
        mine, other, foreign = started
        patience, left_running.PATIENCE_SECONDS = left_running.PATIENCE_SECONDS, 0.0
        try:
            assert [line.split(":")[0] for line in left_running.end()] == [f"pid {mine.pid}"]
        finally:
            left_running.PATIENCE_SECONDS = patience
        mine.wait()
        assert psutil.pid_exists(other.pid)
        assert psutil.pid_exists(foreign.pid)
        assert left_running.end() == []
    finally:
        for process in started:
            process.kill()
            process.communicate()
