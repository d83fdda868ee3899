"""Processes that Codex starts for a client and that sleep, in its session and out of it."""

from typing import Any

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
    """A process that sleeps and has called `setsid`: Codex does not end it when it ends."""
    ready = world.project / "setsid-done"
    escape = (
        f"setsid sh -c 'touch {ready}; exec sleep 1001' >/dev/null 2>&1 & while [ ! -e {ready} ]; do :; done"
    )
    client.call("command/exec", {"command": ["sh", "-c", escape], **_UNCONFINED})
