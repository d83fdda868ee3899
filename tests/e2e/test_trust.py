"""What a directory that was only just cloned may do when somebody works in it."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.e2e.harness import World, a_world

pytestmark = pytest.mark.e2e


def clone(world: World) -> Path:
    """A repository whose `.codex/config.toml` names an MCP server that leaves a file behind where it is started."""
    directory = world.root / "clone"
    (directory / ".codex").mkdir(parents=True)
    (directory / ".git").mkdir()
    for name, text in (("HEAD", "ref: refs/heads/main\n"), ("config", "[core]\n\tbare = false\n")):
        (directory / ".git" / name).write_text(text)
    for name in ("objects", "refs"):
        (directory / ".git" / name).mkdir()
    script = json.dumps(f"touch {world.root}/was-run; exec cat")
    (directory / ".codex" / "config.toml").write_text(
        f'[mcp_servers.stranger]\ncommand = "/bin/sh"\nargs = ["-c", {script}]\n'
    )
    return directory


def harm(world: World) -> tuple[bool, bool]:
    """Whether trust was written into config.toml, and whether the stranger's program was started."""
    recorded = "trust_level" in (world.codex_home / "config.toml").read_text()
    return recorded, (world.root / "was-run").exists()


def test_a_fresh_clone_is_neither_trusted_nor_its_program_started(each_codex: Path) -> None:
    """Not by the first `send`, nor by the next, in the modes that may write: it is refused, or goes without what the
    clone says. `--trust` records it and starts the program: so this test would see it."""
    with a_world(each_codex) as world:
        config = world.codex_home / "config.toml"
        config.write_text(config.read_text().replace("read-only", "workspace-write"))
        directory = clone(world)

        def send(*arguments: str) -> subprocess.CompletedProcess[str]:
            return world.codexctl("send", *arguments, cwd=directory)

        for mode in ((), ("-s", "workspace-write"), ("-s", "danger-full-access")):
            refused = send(*mode, "hello")
            assert (refused.returncode, refused.stdout) == (1, "")
            assert f"whether {directory} is trusted: trust it from now on with --trust" in refused.stderr
        attached = world.codexctl("attach", cwd=directory)
        assert attached.returncode == 1
        assert "--trust" in attached.stderr
        assert harm(world) == (False, False)
        assert send("-s", "read-only", "hello").returncode == 0
        assert send("-c", "-s", "workspace-write", "hello").returncode == 0
        assert send("--no-trust", "run-free touch written").returncode == 0
        assert (directory / "written").exists()
        assert send("-c", "hello").returncode == 0
        assert harm(world) == (False, False)
        assert send("--trust", "hello").returncode == 0
        assert harm(world) == (True, True)
        assert send("hello").returncode == 0


def test_at_a_terminal_the_user_is_asked(world: World) -> None:
    """By `send` and by `attach`; what is typed decides."""
    config = world.codex_home / "config.toml"
    config.write_text(config.read_text().replace("read-only", "workspace-write"))
    directory = clone(world)
    sending = world.terminal("codexctl", "send", "hello", cwd=directory)
    sending.wait_text("[y/o/n] ")
    sending.type("n\n")
    assert sending.wait_exit() == 1
    sending = world.terminal("codexctl", "send", "hello", cwd=directory)
    sending.wait_text("[y/o/n] ")
    sending.type("o\n")
    sending.wait_text("You said: hello")
    assert sending.wait_exit() == 0
    assert harm(world) == (False, False)
    attached = world.terminal("codexctl", "attach", cwd=world.project)
    attached.wait_text("[y/o/n] ")
    attached.type("y\n")
    attached.wait_text("a new thread")
    attached.type("\x04")
    assert attached.wait_exit() == 0
    assert harm(world) == (True, False)
