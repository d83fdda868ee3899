"""codexd and codexctl where a home, a disk, a stream or /proc is not as programs expect it."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "odd_environments.sh"
NAMES = subprocess.run([SCRIPT, "--list"], capture_output=True, text=True, check=True).stdout.split()
MISSING = 77


@pytest.mark.e2e
@pytest.mark.parametrize("name", NAMES)
def test_an_odd_environment(name: str, codex: Path) -> None:
    """No traceback, an exit code of the documented ones, one sentence that names the culprit; what can work does work."""
    environment = {"PATH": os.environ["PATH"], "CODEX_PATH": str(codex)}
    done = subprocess.run([SCRIPT, name], env=environment, capture_output=True, text=True)
    if done.returncode == MISSING:
        pytest.skip(done.stderr.strip())
    assert (done.returncode, done.stdout, done.stderr) == (0, f"ok     {name}\n", "")
