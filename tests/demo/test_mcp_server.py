"""The MCP server behind ``elicit``."""

import io
import json
import subprocess
import sys
from typing import Any

import pytest

from codexd.demo import mcp_server


def answers(*messages: dict[str, Any]) -> list[dict[str, Any]]:
    outgoing = io.StringIO()
    mcp_server.serve(io.StringIO("".join(json.dumps(message) + "\n" for message in messages)), outgoing)
    return [json.loads(line) for line in outgoing.getvalue().splitlines()]


def test_it_speaks_the_version_it_is_asked_for() -> None:
    """The handshake repeats the client's version."""
    (answer,) = answers({"id": 0, "method": "initialize", "params": {"protocolVersion": "2025-06-18"}})
    assert answer["result"]["protocolVersion"] == "2025-06-18"


def test_its_tool_needs_no_approval_of_its_own() -> None:
    """A tool that only reads is run at once."""
    (answer,) = answers({"id": 1, "method": "tools/list"})
    (tool,) = answer["result"]["tools"]
    assert (tool["name"], tool["annotations"]) == ("elicit", {"readOnlyHint": True})


@pytest.mark.parametrize(
    ("reply", "quoted"),
    [
        ({"result": {"action": "decline"}}, '{"action": "decline"}'),
        ({"error": {"code": -1, "message": "no"}}, '{"code": -1, "message": "no"}'),
    ],
)
def test_a_call_asks_and_says_what_came_back(reply: dict[str, Any], quoted: str) -> None:
    """The user's answer, or the error, is the tool's output, under the id of the call."""
    call = {"id": 7, "method": "tools/call", "params": {"name": "elicit", "arguments": {"question": "Why?"}}}
    (question,) = answers(call)
    assert (question["method"], question["params"]["message"]) == ("elicitation/create", "Why?")
    (answer,) = answers({"id": question["id"], **reply})
    assert answer["id"] == 7
    assert answer["result"]["content"] == [{"type": "text", "text": f"The user said {quoted}"}]


def test_other_requests_are_refused_and_notifications_ignored() -> None:
    """Nothing is left without an answer."""
    (answer,) = answers({"method": "notifications/initialized"}, {"id": 2, "method": "resources/list"})
    assert (answer["id"], answer["error"]["code"]) == (2, -32601)


def test_it_runs_as_a_program() -> None:
    """On stdin and stdout, to the end of stdin."""
    line = json.dumps({"id": 1, "method": "tools/list"}) + "\n"
    done = subprocess.run(
        [sys.executable, mcp_server.__file__],
        input=line,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert json.loads(done.stdout)["id"] == 1
