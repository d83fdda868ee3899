"""A test file that leaves a codexd running is found out, and so is a run of the tests that was killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import psutil
import pytest

from tests import left_running

_SLEEP = "import time; print(flush=True); time.sleep(1000)"
_TOLD = """
import time
from tests import left_running
left_running.clean_up_when_told_to_end()
try:
    print(flush=True)
    time.sleep(1000)
finally:
    print("cleaned up", flush=True)
"""


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What ends the processes of a test."""
    with ExitStack() as made:
        yield made


def started(stack: ExitStack, *words: str, tested_by: str | None = None) -> subprocess.Popen[bytes]:
    """A process with these words on its command line that has begun."""
    environ = os.environ if tested_by is None else {**os.environ, left_running.VARIABLE: tested_by}
    process = stack.enter_context(
        subprocess.Popen([sys.executable, "-c", _SLEEP, *words], env=environ, stdout=subprocess.PIPE)
    )
    stack.callback(process.kill)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_what_is_left_is_named_and_ended(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """A codexd of these tests; no other program, and nobody else's codexd."""
    mine = started(stack, "/usr/bin/codexd", "run")
    other = started(stack, "another")
    foreign = started(stack, "/usr/bin/codexd", "run", tested_by=left_running._value(1))
    monkeypatch.setattr(left_running, "PATIENCE_SECONDS", 0.0)
    assert [line.split(":")[0] for line in left_running.end()] == [f"pid {mine.pid}"]
    mine.wait()
    assert psutil.pid_exists(other.pid)
    assert psutil.pid_exists(foreign.pid)
    assert left_running.end() == []


def test_what_a_killed_run_has_left_is_ended_by_the_next(stack: ExitStack) -> None:
    """It has the pid of a process that is gone. A pid of another namespace is not known to be gone."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    left = started(stack, "codexd", tested_by=left_running._value(gone.pid))
    started(stack, "codexd", tested_by=f"{gone.pid}@pid:[1]")
    started(stack, "codexd")
    assert f"pid {left.pid}" in [line.split(":")[0] for line in left_running.end_of_dead_runs()]
    left.wait()
    assert left_running.end_of_dead_runs() == []


def test_a_run_that_is_told_to_end_cleans_up() -> None:
    """A time limit leaves no codexd behind."""
    with subprocess.Popen(
        [sys.executable, "-c", _TOLD], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as run:
        assert run.stdout is not None
        run.stdout.readline()
        run.send_signal(signal.SIGTERM)
        assert run.stdout.readline() == b"cleaned up\n"
