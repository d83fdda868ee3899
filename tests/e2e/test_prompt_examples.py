"""The programs of docs/examples that send one prompt, each in its own language, through codexd to the real Codex."""

import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness import World
from tests.e2e.harness_client import PATIENCE_S

pytestmark = pytest.mark.e2e

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"

# What runs each example, and the programs that it needs.
LANGUAGES = {
    "prompt.py": [sys.executable],
    "prompt.js": ["node"],
    "prompt.pl": ["perl"],
    "prompt.sh": ["bash", "socat", "jq"],
}


@pytest.fixture(params=LANGUAGES)
def example(request: pytest.FixtureRequest) -> list[str]:
    """The beginning of a command line: the interpreter and the example."""
    needed = LANGUAGES[request.param]
    if missing := [program for program in needed if not shutil.which(program)]:
        pytest.skip(f"{request.param} needs {' and '.join(missing)}, not installed here")
    return [needed[0], str(EXAMPLES / request.param)]


def start(world: World, example: list[str], prompt: str) -> subprocess.Popen[bytes]:
    """The example at work. It is killed when it says nothing for too long, so that whoever reads gets an end."""
    pipes: dict[str, Any] = {
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
    }
    program = world.spawn([*example, prompt], env={"CODEXD_SOCKET": str(world.socket_path)}, **pipes)
    patience = threading.Timer(PATIENCE_S, program.kill)
    patience.daemon = True
    patience.start()
    return program


def run(world: World, example: list[str], prompt: str) -> tuple[int, str, str]:
    """The exit code, and what went to stdout and stderr."""
    program = start(world, example, prompt)
    out, err = program.communicate(timeout=PATIENCE_S)
    return program.returncode, out.decode(), err.decode()


def test_every_prompt_example_is_tried() -> None:
    """A language that is added is added here."""
    assert {path.name for path in EXAMPLES.glob("prompt.*")} == set(LANGUAGES)


def test_the_reply_is_streamed_and_a_failure_is_told(world: World, example: list[str]) -> None:
    """All characters arrive, U+2028 among them, at which some readers of lines break; deltas arrive as they come."""
    code, out, err = run(world, example, "hello")
    assert (code, out) == (1, "")
    assert f"at {world.socket_path}" in err
    assert err.endswith("start it with: codexd start\n")

    world.start_daemon()
    assert run(world, example, "wörld €\u2028😀\nline 2") == (0, "You said: wörld €\u2028😀\nline 2\n", "")
    code, out, err = run(world, example, "fail 400 no such model")
    assert (code, out) == (1, "")
    assert "no such model" in err

    program = start(world, example, "hold it")
    assert program.stdout
    assert program.stdout.read(len("holding it")) == b"holding it"
    world.model.release("it")
    assert program.stdout.read() == b", released it\n"
    assert program.wait(PATIENCE_S) == 0


def test_what_codex_asks_is_told_and_decided_elsewhere(world: World, example: list[str]) -> None:
    """The program has no menu: it names the command that decides, with the id as it is, and goes on afterwards."""
    world.start_daemon()
    program = start(world, example, "run echo done")
    assert program.stdout
    assert program.stderr
    assert program.stderr.readline() == b"\n"
    told = program.stderr.readline().decode()
    asked = re.fullmatch(
        r"item/commandExecution/requestApproval: codexctl approvals accept\|decline (\d+)\n", told
    )
    assert asked, told
    assert world.codexctl("approvals", "accept", asked[1]).returncode == 0
    assert program.stdout.read().decode().endswith("done\n\n")
    assert program.wait(PATIENCE_S) == 0


def test_the_end_of_codexd_is_an_error(world: World, example: list[str]) -> None:
    """Half a reply is not taken for a whole one."""
    daemon = world.start_daemon()
    program = start(world, example, "hold it")
    assert program.stdout
    assert program.stderr
    assert program.stdout.read(len("holding it")) == b"holding it"
    world.stop(daemon)
    program.stdout.read()
    assert program.stderr.read() != b""
    assert program.wait(PATIENCE_S) == 1
