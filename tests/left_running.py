"""Which codexds and Codexes tests have left running: known by a variable that all inherit that a test starts.

Codex itself does not always have it, because codexd gives it the environment of a login; it ends with its codexd.
"""

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

import psutil
import pytest

VARIABLE = "TESTED_BY"
PATIENCE_SECONDS = 10.0
_PROGRAMS = ("codexd", "codex", "codexctl", "codexd-codex")


def mark() -> None:
    """From now on what this process starts is known by it."""
    os.environ[VARIABLE] = _value(os.getpid())


def clean_up_when_told_to_end() -> None:
    """SIGTERM ends this run as Ctrl-C does: what fixtures have started ends with it. A run with a time limit gets one."""

    def leave(number: int, frame: FrameType | None) -> None:
        pytest.exit("told to end by SIGTERM", returncode=128 + number)

    signal.signal(signal.SIGTERM, leave)


def end() -> list[str]:
    """Ends what this process has left, and says which those were. What is just ending is given its time."""
    own = _value(os.getpid())
    return _end(lambda value: value == own, PATIENCE_SECONDS)


def end_of_dead_runs() -> list[str]:
    """The same for runs that were killed."""
    return _end(_is_of_the_dead, 0.0)


def _value(pid: int) -> str:
    """A pid means something in its own namespace alone."""
    return f"{pid}@{os.readlink('/proc/self/ns/pid') if sys.platform == 'linux' else ''}"


def _is_of_the_dead(value: str) -> bool:
    pid = value.partition("@")[0]
    return pid.isdigit() and value == _value(int(pid)) and not psutil.pid_exists(int(pid))


def _end(is_meant: Callable[[str], bool], patience: float) -> list[str]:
    left = [process for process in psutil.process_iter() if _is_left(process, is_meant)]
    _, alive = psutil.wait_procs(left, timeout=patience)
    said = []
    for process in alive:
        try:
            said.append(f"pid {process.pid}: {' '.join(process.cmdline())}")
            process.kill()
        except psutil.NoSuchProcess:
            continue
    return said


def _is_left(process: psutil.Process, is_meant: Callable[[str], bool]) -> bool:
    try:
        is_ours = process.pid != os.getpid() and is_meant(process.environ().get(VARIABLE, ""))
        return is_ours and process.status() != psutil.STATUS_ZOMBIE and _is_codexd(process.cmdline())
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def _is_codexd(argv: list[str]) -> bool:
    """Also as a module: `python -m codexd`, `python -m codexd.service.main`."""
    return any(os.path.basename(word) in _PROGRAMS or word.startswith("codexd.") for word in argv)
