"""What must never stand in a file of codexd: answers, account traffic, and what a user typed as secret.

The worst case: all content in the log, the log at its most talkative, and `experimentalRawEvents`, with which Codex
repeats what a user typed as secret.
"""

import base64
import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.harness import World, a_world

pytestmark = pytest.mark.e2e

QUESTION = {
    "id": "pin",
    "header": "PIN",
    "question": "Which PIN?",
    "isSecret": True,
    "options": [{"label": label, "description": "so"} for label in ("yes", "no")],
}


@pytest.fixture
def world(each_codex: Path) -> Iterator[World]:
    """A world with each Codex in turn."""
    with a_world(each_codex) as place:
        yield place


def files_with(world: World, text: str) -> list[str]:
    """Every file of this world that holds the text, Codex's own home left out."""
    files = [path for path in world.root.rglob("*") if path.is_file() and world.home not in path.parents]
    return [str(path.relative_to(world.root)) for path in files if text.encode() in path.read_bytes()]


def token(secret: str) -> str:
    """A JSON Web Token of an account."""
    parts = {"alg": "none"}, {"email": f"{secret}@example.org", "exp": 9999999999}
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join((*encoded, secret))


def test_secrets_are_in_no_file(world: World) -> None:
    """A secret answer, an answer to an MCP server, keys and tokens of accounts, of MCP servers and of commands."""
    (world.config_home / "codexd").mkdir()
    (world.config_home / "codexd" / "config.toml").write_text('log_content = true\nlog_level = "debug"\n')
    daemon = world.start_daemon("--log-dir", str(world.root / "log"))
    names = ("typed", "elicited", "api key", "account", "header", "mcp environment", "command environment")
    planted = {name: f"planted{secrets.token_hex(8)}" for name in names}
    client, other = world.client(), world.client("other")
    servers = {
        "far": {
            "url": "http://127.0.0.1:1/",
            "http_headers": {"Authorization": f"Bearer {planted['header']}"},
        },
        "near": {"command": "false", "env": {"PIN": planted["mcp environment"]}},
    }
    thread = client.start_thread(experimentalRawEvents=True, config={"mcp_servers": servers})
    turn = client.start_turn(
        thread, f"quietly call request_user_input {json.dumps({'questions': [QUESTION]})}"
    )
    asked = client.wait_server_request("item/tool/requestUserInput")
    assert asked["params"]["questions"][0]["isSecret"] is True
    client.answer(asked, {"answers": {"pin": {"answers": [planted["typed"]]}}})
    client.wait_turn(turn)
    turn = client.start_turn(thread, "quietly elicit Which one?")
    asked = client.wait_server_request("mcpServer/elicitation/request")
    client.answer(asked, {"action": "decline", "content": {"answer": planted["elicited"]}})
    client.wait_turn(turn)
    account = {"type": "chatgptAuthTokens", "accessToken": token(planted["account"]), "chatgptAccountId": "a"}
    for login in (account, {"type": "apiKey", "apiKey": planted["api key"]}):
        client.wait_response(client.start("account/login/start", login))
    command = {"command": ["true"], "env": {"PIN": planted["command environment"]}}
    client.wait_response(client.start("command/exec", command))
    other.call("thread/resume", {"threadId": thread})
    client.wait_turn(client.start_turn(thread, "the end of it"))

    told = {m.get("method") for m in client.messages if planted["typed"] in json.dumps(m)}
    assert told == {"rawResponseItem/completed"}
    world.until(lambda: any("timeline.db" in name for name in files_with(world, "the end of it")))
    for _ in range(2):
        assert {name: found for name, text in planted.items() if (found := files_with(world, text))} == {}
        if daemon.poll() is None:
            world.stop(daemon)
