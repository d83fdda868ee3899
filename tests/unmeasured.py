"""A Python program of the tests run where nobody counts the lines that it runs, which makes it three times as slow."""

import os
import subprocess
import sys
from pathlib import Path


def run_unmeasured(*argv: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Runs ``python -m ARGV`` with the packages in ``cwd``, to its end; what it says is kept."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    command = [sys.executable, "-m", *argv]
    environment["PYTHONPATH"] = str(cwd)
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
