"""stdin, stdout and stderr that are closed, full or have no reader."""

import os
import select
import subprocess
import sys
from typing import Any

import pytest

from codexd.protocol import descriptors

PROGRAM = """
import os, sys
from codexd.protocol.descriptors import guard_streams
guard_streams()
print("out"), print("err", file=sys.stderr), sys.stdin.read(), sys.stdout.flush()
sys.exit(10 * os.get_inheritable(0) + os.open(os.devnull, os.O_RDONLY))
"""


@pytest.mark.parametrize(
    ("closed", "out", "err"),
    [
        ("", "out\n", "err\n"),
        ("<&-", "out\n", "err\n"),
        (">&-", "", "err\n"),
        ("2>&-", "out\n", ""),
        ("<&- >&- 2>&-", "", ""),
    ],
)
def test_what_is_closed_is_dev_null(closed, out, err):
    """For Python's own files too; whatever is opened next has a number of its own, and other programs inherit it."""
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -c "$1" {closed}', sys.executable, PROGRAM],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        input="",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (13, out, err)


STREAMS = """
import os, sys
from codexd.protocol.descriptors import OutputLost, guard_streams
guard_streams()
"""


def run(script, *, stdout, stderr):
    return subprocess.Popen(
        [sys.executable, "-c", STREAMS + script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
    )


def test_a_pipe_that_somebody_made_non_blocking_loses_nothing():
    """Node.js does that to the streams that it shares: stdout is then waited for. stderr never is."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    process = run(
        "sys.stderr.write('x' * 300_000); sys.stdout.write('y' * 300_000)", stdout=writing, stderr=writing
    )
    os.close(writing)
    with open(reading, "rb") as pipe:
        text = pipe.read()
    assert (process.wait(), text.count(b"y")) == (0, 300_000)
    assert text.startswith(b"x")


def test_what_is_lost_of_stdout_is_an_error_once():
    """The command says so; the interpreter does not complain again at its end, nor does anything that is printed later."""
    script = """
try:
    print("x", flush=True)
except OutputLost as lost:
    print(lost, file=sys.stderr)
print("y", flush=True)
"""
    with open("/dev/full", "wb") as full:
        process = run(script, stdout=full, stderr=subprocess.PIPE)
        assert process.communicate() == (None, b"stdout cannot be written to: No space left on device\n")
    assert process.returncode == 0


def test_what_is_lost_of_stderr_is_no_error():
    """Nor is anything else lost with it."""
    with open("/dev/full", "wb") as full:
        process = run("print('x', file=sys.stderr); print('y')", stdout=subprocess.PIPE, stderr=full)
        assert process.communicate() == (b"y\n", None)
    assert process.returncode == 0


class _Poll:
    """A poll object that tells what a test says, one thing after the other."""

    def __init__(self, *told: list[tuple[int, int]]) -> None:
        self._told = list(told)
        self.unregistered: list[int] = []

    def poll(self) -> list[tuple[int, int]]:
        return self._told.pop(0)

    def unregister(self, descriptor: int) -> None:
        self.unregistered.append(descriptor)


def test_an_output_that_cannot_be_watched_is_watched_no_more() -> None:
    """A poll would tell of it again and again; what is waited for comes all the same."""
    poll: Any = _Poll([(1, select.POLLNVAL)], [], [(5, select.POLLIN)])
    assert descriptors.waited(poll)
    assert poll.unregistered == [1]


def test_a_reader_that_is_gone_ends_the_wait() -> None:
    """Nobody would read what came."""
    poll: Any = _Poll([(1, select.POLLERR), (5, select.POLLIN)])
    assert not descriptors.waited(poll)
