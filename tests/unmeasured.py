"""A Python program of the tests run where nobody counts the lines that it runs, which makes it three times as slow."""

import os
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
PATIENCE_SECONDS = 170.0
"""Less than a test may take, so that the program ends with it."""


def run_unmeasured(*argv: str) -> subprocess.CompletedProcess[str]:
    """Runs ``python -m ARGV`` in the checkout, to its end; what it says is kept.

    Raises:
        subprocess.TimeoutExpired: it was killed after `PATIENCE_SECONDS`.
    """
    foreign = ("COV", "PYTHONDONTWRITEBYTECODE")  # to compile the modules of tests costs half a second
    environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    environment["PYTHONPATH"] = str(CHECKOUT)
    command = [sys.executable, "-m", *argv]
    return subprocess.run(
        command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS
    )
