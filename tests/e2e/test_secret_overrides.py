"""Secrets in `codex_config`: they reach what they are for, and stand where only the user can read them."""

import json
import os
import secrets
import shlex
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from codexd.demo import mcp_server
from tests.e2e.harness import World, a_world

pytestmark = pytest.mark.e2e


@pytest.fixture
def world(each_codex: Path) -> Iterator[World]:
    """A world with each Codex in turn."""
    with a_world(each_codex) as place:
        yield place


def told(world: World) -> Path:
    """What the MCP server appends a line to whenever it is started: the secrets that it was given."""
    return world.root / "told"


def overrides(world: World, secret: str) -> list[str]:
    """An MCP server that writes down its secrets, of which nothing tells that one is, and a header of a provider."""
    serve = shlex.join([sys.executable, mcp_server.__file__])
    script = f'echo "$PASS_PHRASE $1" >>{told(world)}; exec {serve}'
    return [
        f"mcp_servers.x={{command='/bin/sh', args={json.dumps(['-c', script, 'x', secret])}}}",
        f'mcp_servers.x.env.PASS_PHRASE="{secret}"',
        f'model_providers.scripted.http_headers={{x-own="{secret}"}}',
        'model_reasoning_summary="concise"',
    ]


def command_lines(world: World) -> str:
    """Of all that runs in this world, the MCP server apart: its words are on its own."""
    return "\n".join(" ".join(line) for line in world.command_lines() if line[:1] != ["/bin/sh"])


def starts_told(world: World) -> list[str]:
    """The secrets that the MCP server has been given so far."""
    return told(world).read_text().split("\n")[:-1] if told(world).exists() else []


@pytest.mark.parametrize("given", ["in the config file", "on the command line"])
def test_a_secret_reaches_its_mcp_server_and_no_command_line(world: World, given: str) -> None:
    """Before and after a death of Codex. It stands in no lock, log, rollout, status or doctor either."""
    secret = f"planted{secrets.token_hex(8)}"
    assigned = overrides(world, secret)
    options: list[str] = []
    config = world.config_home / "codexd" / "config.toml"
    config.parent.mkdir()
    config.write_text('log_content = true\nlog_level = "debug"\n')
    if given == "in the config file":
        with config.open("a") as file:
            file.write(f"codex_config = {json.dumps(assigned)}\n")
    else:
        options = [f"--codex-config={assignment}" for assignment in assigned]
    started = world.codexd("start", "--log-dir", str(world.root / "log"), *options)
    assert started.returncode == 0, started.stderr
    client = world.client(codexd={})
    thread = client.start_thread()
    client.wait_turn(client.start_turn(thread, "say hello"))
    world.until(lambda: starts_told(world) != [])
    lines = command_lines(world)
    (codex,) = world.codexes()
    assert "model_reasoning_summary" in lines
    assert secret not in lines
    os.kill(codex, signal.SIGKILL)
    client.wait_notification("codexd/codex/ready")
    client.wait_turn(client.start_turn(thread, "say hello again"))
    world.until(lambda: len(starts_told(world)) >= 2)
    lines += command_lines(world)
    assert set(starts_told(world)) == {f"{secret} {secret}"}
    assert {asked.headers["x-own"] for asked in world.model.requests} == {secret}
    status = client.call("codexd/status")
    doctor = world.codexd("doctor", *options), world.codexd("doctor", "--json", *options)
    for said in (lines, json.dumps(status), *(done.stdout + done.stderr for done in doctor)):
        assert secret not in said
    assert "mcp_servers.x.env.PASS_PHRASE=[redacted]" in doctor[0].stdout
    private = {told(world), config, *world.state_home.rglob("options.json")}
    holding = [
        path
        for path in world.root.rglob("*")
        if path.is_file() and path not in private and secret.encode() in path.read_bytes()
    ]
    assert holding == []
    assert world.codexd("stop").returncode == 0
