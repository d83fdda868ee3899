"""The observability log beside the real Codex: what it says is there, in order, and its secrets are not."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness import World, a_world
from tests.e2e.harness_client import JsonLinesClient

pytestmark = pytest.mark.e2e

PLANTED = "PLANTED-4711"


def lines_in(path: Path) -> list[dict[str, Any]]:
    """What the log says; the last line may still be being written."""
    return [json.loads(line) for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]


def wait_for_end_of(turn: str, path: Path, world: World) -> list[dict[str, Any]]:
    """The log as soon as the turn has ended there."""
    found: list[dict[str, Any]] = []

    def has_ended() -> bool:
        found[:] = lines_in(path) if path.exists() else []
        return any(line.get("method") == "turn/completed" and line["turnId"] == turn for line in found)

    world.until(has_ended)
    return found


def numbered(client: JsonLinesClient) -> list[tuple[int, str, str]]:
    """Number, method and thread of what a client was told, in the order in which it was."""
    return [
        (message["seq"], message["method"], _thread(message["params"]))
        for message in client.messages
        if "seq" in message
    ]


def _thread(params: dict[str, Any]) -> str:
    return str(params.get("threadId") or params["thread"]["id"])


def test_it_grows_while_codex_stays_the_same(world: World) -> None:
    """Two turns of two clients: one Codex, and its words in the order and with the numbers that the clients know."""
    logs = world.root / "logs"
    path = logs / "sse_lines.jsonl"
    world.start_daemon("--log-dir", str(logs))
    clients = [world.client(name, codexd={"seq": True}) for name in ("first", "second")]
    pids, sizes = [clients[0].call("codexd/status")["codex"]["pid"]], [0]
    said: list[dict[str, Any]] = []
    for client in clients:
        turn = client.start_turn(client.start_thread(), "stream 20")
        client.wait_turn(turn)
        said = wait_for_end_of(turn, path, world)
        sizes.append(path.stat().st_size)
        pids.append(client.call("codexd/status")["codex"]["pid"])
    assert len(set(pids)) == 1
    assert sizes == sorted(set(sizes))
    numbers = [line["seq"] for line in said if line["seq"] is not None]
    assert numbers == sorted(set(numbers))
    logged = [(line["seq"], line["method"], line["threadId"]) for line in said if line["seq"] is not None]
    for client in clients:
        known = numbered(client)
        deltas = [method for _, method, _ in known].count("item/agentMessage/delta")
        assert deltas == 20
        assert [entry for entry in known if entry[0] in numbers] == [
            entry for entry in logged if entry in known
        ]
        # What was held back until the answer that names its thread has a number that the log does not know.
        unknown = {method for number, method, _ in known if number not in numbers}
        assert unknown <= {
            "thread/started",
            "mcpServer/startupStatus/updated",
            "warning",
            "thread/status/changed",
        }
    asked = [line["method"] for line in said if line["kind"] == "response"]
    assert [method for method in asked if method.startswith(("thread/", "turn/"))] == 2 * [
        "thread/start", "turn/start",
    ]  # fmt: skip
    assert not any({"params", "error"} & line.keys() for line in said)


def test_secrets_are_not_in_it(each_codex: Path) -> None:
    """With all content: what a user typed as secret, and what commands and the model say that looks like one."""
    with a_world(each_codex) as world:
        config = world.config_home / "codexd" / "config.toml"
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text("log_content = true\n")
        logs = world.root / "logs"
        feature = "--codex-config=features.default_mode_request_user_input=true"
        world.start_daemon("--log-dir", str(logs), feature)
        client = world.client()
        thread = client.start_thread(cwd=str(world.project), experimentalRawEvents=True)
        question = {"id": "q", "header": "h", "question": "which?", "isSecret": True, "isOther": True}
        options = [{"label": label, "description": "d"} for label in ("a", "b")]
        asked = {"questions": [question | {"options": options}]}
        turn = client.start_turn(thread, f"call request_user_input {json.dumps(asked)}")
        request = client.wait_server_request("item/tool/requestUserInput")
        client.answer(request, {"answers": {"q": {"answers": [PLANTED]}}})
        client.wait_turn(turn)
        for prompt in (
            f"run-free echo 'Authorization: Bearer {PLANTED}'",
            f"export OPENAI_API_KEY={PLANTED}",
            f"https://me:{PLANTED}@example.org/?access_token={PLANTED}",
        ):
            turn = client.start_turn(thread, prompt)
            client.wait_turn(turn)
        said = wait_for_end_of(turn, logs / "sse_lines.jsonl", world)
        assert PLANTED in json.dumps(client.messages)
        assert "[redacted]" in json.dumps(said)
        assert not [line for line in said if PLANTED in json.dumps(line)]
        assert [file.name for file in logs.iterdir() if PLANTED in file.read_text()] == []
