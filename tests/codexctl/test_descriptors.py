import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, sys
from codexctl.descriptors import open_missing
open_missing()
print("out"), print("err", file=sys.stderr), sys.stdin.read()
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
