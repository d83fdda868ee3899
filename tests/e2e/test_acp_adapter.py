"""The adapter by which editors talk to Codex (`codex-acp` of npm), with `codexd-codex` as its Codex."""

import itertools
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.codex_binaries import Missing, acp_adapter
from tests.e2e.harness import World
from tests.e2e.harness_client import JsonLinesClient, Message


class Editor:
    """An editor that has started the adapter, and speaks the Agent Client Protocol with it."""

    def __init__(self, world: World, adapter: list[str], codex: str) -> None:
        env = {"CODEX_PATH": codex, "NO_BROWSER": "1", "INITIAL_AGENT_MODE": "read-only"}
        quiet = subprocess.DEVNULL
        process = world.spawn(adapter, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=quiet)
        assert process.stdin
        assert process.stdout
        # It would wait two seconds for its Codex when only its stdin ended.
        self.client = JsonLinesClient(process.stdout, process.stdin, process.terminate)
        self._ids = itertools.count(1)

    def ask(self, method: str, **params: object) -> int:
        request = next(self._ids)
        self.client.send({"jsonrpc": "2.0", "id": request, "method": method, "params": params})
        return request

    def answered(self, request: int) -> Any:
        answer = self.client.wait_response(request)
        assert "result" in answer, answer
        return answer["result"]

    def answer(self, request: Message, result: object) -> None:
        self.client.send({"jsonrpc": "2.0", "id": request["id"], "result": result})

    def said(self, since: int) -> str:
        """What the agent has said, warnings about the model's unknown name left out."""
        updates = [
            message["params"]["update"] for message in self.client.messages[since:] if "params" in message
        ]
        chunks = [update for update in updates if update["sessionUpdate"] == "agent_message_chunk"]
        return "".join(chunk["content"]["text"] for chunk in chunks if "messageId" in chunk)


@pytest.fixture
def editor(world: World) -> Iterator[Editor]:
    try:
        adapter = acp_adapter()
    except Missing as missing:
        pytest.skip(str(missing))
    world.start_daemon()
    (codex,) = world.command("codexd-codex")
    started = Editor(world, adapter, codex)
    yield started
    started.client.close()


@pytest.mark.e2e
def test_an_editor_prompts_and_permits(world: World, editor: Editor) -> None:
    """A session, a prompt that streams its reply, and a command that runs because the editor's user allowed it."""
    info = editor.answered(editor.ask("initialize", protocolVersion=1, clientCapabilities={}))["agentInfo"]
    assert info["name"] == "@agentclientprotocol/codex-acp"
    session = editor.answered(editor.ask("session/new", cwd=str(world.project), mcpServers=[]))["sessionId"]
    assert world.client().call("codexd/status")["clients"] == 2

    def prompt(text: str) -> int:
        return editor.ask("session/prompt", sessionId=session, prompt=[{"type": "text", "text": text}])

    since = editor.client.mark()
    assert editor.answered(prompt("hello"))["stopReason"] == "end_turn"
    assert editor.said(since) == "You said: hello"

    marker = world.root / "marker"
    asking = prompt(f"run echo done > {marker}")
    request = editor.client.wait_server_request("session/request_permission")
    assert request["params"]["toolCall"]["rawInput"] == {
        "command": f"echo done > {marker}",
        "cwd": str(world.project),
    }
    assert not marker.exists()
    editor.answer(request, {"outcome": {"outcome": "selected", "optionId": "allow_once"}})
    assert editor.answered(asking)["stopReason"] == "end_turn"
    assert marker.read_text() == "done\n"
