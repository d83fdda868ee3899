"""The official Python SDK, with `codexd-codex` as its Codex."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.harness import World
from tests.e2e.harness_client import PATIENCE_S

PROGRAM = Path(__file__).with_name("sdk_program.py")


@pytest.mark.e2e
@pytest.mark.skipif(
    importlib.util.find_spec("openai_codex") is None, reason="the SDK openai-codex is not installed"
)
def test_the_sdk_does_what_it_does_with_a_codex_of_its_own(world: World) -> None:
    """Runs, streams, interrupts, resumes, lists, and has a command approved; its overrides reach its threads."""
    world.start_daemon()
    (codex_bin,) = world.command("codexd-codex")
    marker = world.root / "marker"
    done = subprocess.run(
        [sys.executable, str(PROGRAM), codex_bin, str(marker)],
        env=world.env,
        cwd=world.project,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    happened = json.loads(done.stdout)
    assert "(sdk_program; " in happened.pop("userAgent")
    assert happened == {
        "run": "You said: hello",
        "stream": ["1 ", "2 ", "3 "],
        "interrupt": "interrupted",
        "cwd": str(world.project),
        "resume": "You said: again",
        "turns": ["completed", "completed", "interrupted", "completed"],
        "list": [True],
        "approval": {
            "asked": [
                {
                    "method": "item/commandExecution/requestApproval",
                    "command": f"/bin/bash -c 'echo done > {marker}'",
                }
            ],
            "status": "completed",
        },
    }
    assert marker.read_text() == "done\n"
    assert {request.body["model"] for request in world.model.requests} == {"from-the-sdk"}
