"""README promises nothing that is not there: its example runs, and its tables name what the programs offer."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.harness import World

README = (Path(__file__).parents[2] / "README.md").read_text()


@pytest.mark.e2e
def test_the_example_in_plain_python_works_as_it_stands(world: World) -> None:
    """A newcomer who copies it gets the reply of a turn."""
    world.start_daemon()
    example = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert example is not None
    done = subprocess.run(
        [sys.executable, "-c", example[1]],
        env=world.env | {"CODEXD_SOCKET": str(world.socket_path)},
        cwd=world.project,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "You said: hello"), done.stderr


def _verbs_in_readme(program: str) -> set[str]:
    table = README[README.index(f"| `{program}` | what it does |") :].split("\n\n")[0]
    first_cells = [row.split(" | ")[0] for row in table.splitlines()[2:]]
    names = {name.split()[0] for cell in first_cells for name in re.findall(r"`([^`]+)`", cell)}
    return {name for name in names if not name.startswith("-")}


@pytest.mark.parametrize("program", ["codexctl", "codexd"])
def test_the_tables_name_every_verb_and_no_other(world: World, program: str) -> None:
    """What is in the table is offered, and what is offered is in the table."""
    usage = world.run(program, "no-such-verb").stderr + world.run(program, "--help").stdout
    offered = set(re.findall(r"^    ([a-z-]+)(?: {2,}\S|$)", usage, re.MULTILINE))
    assert _verbs_in_readme(program) == offered
