"""The show that a newcomer runs first: it tells what happens, and it can fail."""

import os
import subprocess
import sys

import pytest

from codexd.demo import show
from tests.e2e.harness import World


def _run_show(world: World, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "codexd.demo"],
        env=world.env | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.e2e
def test_the_show_tells_what_happened_and_leaves_nothing(world: World) -> None:
    """Every step happens with the real Codex: two clients, a stream, an approval from elsewhere, one PID."""
    done = _run_show(world)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "All of it happened."
    assert "never restarted" in done.stdout


@pytest.mark.e2e
def test_the_show_fails_when_it_did_not_happen(world: World) -> None:
    """With a Codex that is none the exit status says so, and the reason is on stderr."""
    done = _run_show(world, CODEX_PATH="/bin/false")
    assert done.returncode == 1
    assert "The show failed" in done.stderr
    assert "All of it happened" not in done.stdout


def test_what_did_not_happen_ends_the_show() -> None:
    """A step whose claim is false raises, with the claim as its text."""
    with pytest.raises(show.DidNotHappen, match="the sun rose"):
        show.expect(False, "the sun rose")


def test_a_program_that_fails_ends_the_show() -> None:
    """Its status and what it said are in the text."""
    failing = subprocess.Popen(
        ["sh", "-c", "echo out; echo complaint >&2; exit 7"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    )
    with pytest.raises(show.DidNotHappen, match=r"ended with 7:\nout\ncomplaint"):
        show.finish(failing)
