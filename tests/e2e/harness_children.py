"""Processes that Codex starts for a client and that sleep, in its session and out of it."""

import json
import uuid
from typing import Any

from codexd.service.locks import process_record
from tests.e2e.harness import World
from tests.e2e.harness_client import JsonLinesClient

_UNCONFINED: dict[str, Any] = {"sandboxPolicy": {"type": "dangerFullAccess"}, "timeoutMs": 1_000_000}


def sleepers(world: World) -> list[int]:
    """The pids of the processes of this world that sleep."""
    return world.named("sleep")


def start_command(client: JsonLinesClient, id: str) -> None:
    """A command that sleeps; the request is not answered before its end."""
    client.start("command/exec", {"command": ["sleep", "1000"], **_UNCONFINED}, id=id)


def start_escaped(world: World, client: JsonLinesClient) -> None:
    """A command whose child sleeps and has called `setsid`: Codex does not end that one when it ends."""
    _start_and_wait(world, client, "setsid sh -c '{tell}; exec sleep 1001' >/dev/null 2>&1 & wait", "escaped")


def start_job(world: World, client: JsonLinesClient) -> None:
    """A command with a job that sleeps in a process group of its own: Codex ends the command's group alone."""
    _start_and_wait(world, client, "set -m; sh -c '{tell}; exec sleep 1003' >/dev/null 2>&1 & wait", "job")


def _start_and_wait(world: World, client: JsonLinesClient, script: str, id: str) -> None:
    """Returns when codexd has taken the sleeper down as Codex's own; `{tell}` makes the sleeper say its pid.

    By bash: other shells have no process groups for jobs where there is no terminal.
    """
    said = world.root / f"{id}-{uuid.uuid4().hex}"
    command = script.format(tell=f"echo $$ >{said}.new; mv {said}.new {said}")
    client.start("command/exec", {"command": ["bash", "-c", command], **_UNCONFINED}, id=id)
    world.until(lambda: said.exists() and int(said.read_text()) in recorded(world))


def recorded(world: World) -> list[int]:
    """The pids of the processes that codexd has taken down as Codex's own."""
    try:
        record = json.loads(process_record(world.env, world.codex_home).read_bytes())
    except FileNotFoundError:
        return []
    return [member[0] for member in record["members"]]
