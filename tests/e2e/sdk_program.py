"""A program that uses the official Python SDK as its users do; run by `test_python_sdk.py`, with the path to Codex.

Prints what happened as one JSON object. A process of its own: the SDK leaves pipes to the garbage collector.
"""

import json
import sys
from typing import Any

from openai_codex import Codex, CodexConfig
from openai_codex.client import CodexClient
from openai_codex.models import Notification


def main() -> None:
    codex_bin, marker = sys.argv[1:]
    config = CodexConfig(
        codex_bin=codex_bin, config_overrides=("model=from-the-sdk",), client_name="sdk_program"
    )
    happened: dict[str, Any] = {}
    with Codex(config) as codex:
        happened["userAgent"] = codex.metadata.userAgent
        thread = codex.thread_start()
        happened["run"] = thread.run("hello").final_response
        happened["stream"] = [delta for event in thread.turn("stream 3").stream() if (delta := _delta(event))]
        happened["interrupt"] = _interrupted(thread.turn("hold sdk"))
        happened["cwd"] = thread.read().thread.cwd.root
    with Codex(config) as codex:
        resumed = codex.thread_resume(thread.id)
        happened["resume"] = resumed.run("again").final_response
        happened["turns"] = [turn.status.value for turn in resumed.read(include_turns=True).thread.turns]
        happened["list"] = [found.id == thread.id for found in codex.thread_list().data]
    happened["approval"] = _approved(config, marker)
    print(json.dumps(happened))


def _delta(event: Notification) -> str | None:
    return event.payload.delta if event.method == "item/agentMessage/delta" else None  # type: ignore[union-attr]


def _interrupted(turn: Any) -> str:
    """Interrupts a turn as soon as it says something; the status that it ends with."""
    for event in turn.stream():
        if _delta(event):
            turn.interrupt()
        if event.method == "turn/completed":
            status: str = event.payload.turn.status.value
            return status
    raise AssertionError("the stream ended before the turn")


def _approved(config: CodexConfig, marker: str) -> dict[str, Any]:
    """A command that needs an approval: what was asked, what was answered, what came of it."""
    asked = []

    def decide(method: str, params: dict[str, Any] | None) -> dict[str, Any]:
        asked.append({"method": method, "command": (params or {})["command"]})
        return {"decision": "accept"}

    with CodexClient(config, approval_handler=decide) as client:
        client.initialize()
        thread = client.thread_start({"approvalPolicy": "on-request"}).thread.id
        turn = client.turn_start(thread, f"run echo done > {marker}").turn.id
        status = client.wait_for_turn_completed(turn).turn.status.value
    return {"asked": asked, "status": status}


if __name__ == "__main__":
    main()
