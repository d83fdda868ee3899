"""Options that are handed on over stdin."""

import subprocess
import sys

import pytest

from codexd.service.options_on_stdin import FLAG, completed, handed, names, shown

OPTIONS = ["--cwd=/", "--codex-config=x.token=PLANTED\udcff", "--demo"]
READ = """
import sys
from codexd.service.options_on_stdin import completed
print(ascii(completed(sys.argv[1:])), ascii(sys.stdin.read()))
"""


def test_they_arrive_and_stand_on_no_command_line() -> None:
    """What reads stdin afterwards, as a child would, finds nothing."""
    argv = ["run", *shown(OPTIONS)]
    assert argv == ["run", "--cwd=/", "--demo", FLAG]
    with handed(OPTIONS) as stdin:
        done = subprocess.run(
            [sys.executable, "-c", READ, *argv], stdin=stdin, capture_output=True, text=True, check=True
        )
    assert done.stdout == ascii(["run", "--cwd=/", "--demo", OPTIONS[1]]) + " ''\n"


def test_without_any_stdin_is_empty() -> None:
    """And the command line is as it was."""
    assert shown(["--demo"]) == ["--demo"]
    with handed(["--demo"]) as stdin:
        assert stdin.read() == b""
    assert completed(["run", "--demo"]) == ["run", "--demo"]


@pytest.mark.parametrize("said", [b"", b"7", b"\xff"])
def test_a_stdin_that_says_something_else_is_refused(said: bytes) -> None:
    """In a sentence: the option is no user's."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "codexd", "run", FLAG], input=said, capture_output=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith(b"codexd: --options-on-stdin is for codexd start")


def test_an_error_names_the_setting_alone() -> None:
    """Not what it is set to."""
    assert names(OPTIONS) == ["--cwd=/", "--codex-config=x.token=…", "--demo"]
