"""Codex's own `codex app-server proxy`, which pipes stdin and stdout to a socket, with codexd's."""

import subprocess
from pathlib import Path

import pytest

from tests.e2e.harness import World
from tests.e2e.harness_client import JsonLinesClient


@pytest.mark.e2e
def test_codexs_own_proxy_is_a_pipe_for_json_lines(world: World, each_codex: Path) -> None:
    """It passes bytes, so what it connects to codexd may speak as on stdio."""
    world.start_daemon()
    argv = [str(each_codex), "app-server", "proxy", "--sock", str(world.socket_path)]
    process = world.spawn(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdin
    assert process.stdout
    client = JsonLinesClient(process.stdout, process.stdin)
    client.initialize("piped")
    thread = client.call("thread/start", {"cwd": str(world.project)})["thread"]["id"]
    client.call("turn/start", {"threadId": thread, "input": [{"type": "text", "text": "stream 200"}]})
    client.wait_notification("turn/completed")
    deltas = [
        message["params"]["delta"]
        for message in client.messages
        if message.get("method") == "item/agentMessage/delta"
    ]
    assert deltas == [f"{number} " for number in range(1, 201)]
    client.close()
