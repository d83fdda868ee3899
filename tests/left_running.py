"""Which codexds and Codexes the tests of this process have left running: known by a variable that all of them inherit."""

import os

import psutil

VARIABLE = "TESTED_BY"
PATIENCE_SECONDS = 10.0
_PROGRAMS = ("codexd", "codex", "codexctl", "codexd-codex")


def mark() -> None:
    """From now on what this process starts is known by it."""
    os.environ[VARIABLE] = str(os.getpid())


def end() -> list[str]:
    """Kills them, and says which those were. What is just ending is given its time."""
    left = [process for process in psutil.process_iter() if _is_left(process)]
    _, alive = psutil.wait_procs(left, timeout=PATIENCE_SECONDS)
    said = []
    for process in alive:
        try:
            said.append(f"pid {process.pid}: {' '.join(process.cmdline())}")
            process.kill()
        except psutil.NoSuchProcess:
            continue
    return said


def _is_left(process: psutil.Process) -> bool:
    try:
        is_ours = process.pid != os.getpid() and process.environ().get(VARIABLE) == str(os.getpid())
        return is_ours and process.status() != psutil.STATUS_ZOMBIE and _is_codexd(process.cmdline())
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def _is_codexd(argv: list[str]) -> bool:
    """Also as a module: `python -m codexd`, `python -m codexd.service.main`."""
    return any(os.path.basename(word) in _PROGRAMS or word.startswith("codexd.") for word in argv)
