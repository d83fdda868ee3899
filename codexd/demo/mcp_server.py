"""An MCP server on stdio with one tool, ``elicit``, that asks the user a question and says what came back.

Started by Codex, not imported: it makes Codex send ``mcpServer/elicitation/request``. Seen with Codex 0.163
and 0.169: protocol 2025-06-18; a tool that says it only reads is run without an approval of its own; the
tool's name space is ``mcp__`` and the server's name in ``config.toml``.
"""

import json
import sys
from typing import IO, Any

_TOOL = {
    "name": "elicit",
    "description": "Asks the user a question.",
    "inputSchema": {
        "type": "object",
        "properties": {"question": {"type": "string"}},
        "required": ["question"],
    },
    "annotations": {"readOnlyHint": True},
}
_ANSWER_SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "string", "title": "Answer"}},
    "required": ["answer"],
}


def serve(incoming: IO[str], outgoing: IO[str]) -> None:
    """Answers line by line until ``incoming`` ends."""
    for line in incoming:
        answer = _answer(json.loads(line))
        if answer is not None:
            outgoing.write(json.dumps({"jsonrpc": "2.0", **answer}) + "\n")
            outgoing.flush()


def _answer(message: dict[str, Any]) -> dict[str, Any] | None:
    match message:
        case {"method": "initialize", "id": request, "params": {"protocolVersion": version}}:
            server = {"name": "scripted", "version": "1"}
            result = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": server}
            return {"id": request, "result": result}
        case {"method": "tools/list", "id": request}:
            return {"id": request, "result": {"tools": [_TOOL]}}
        case {"method": "tools/call", "id": request, "params": {"arguments": {"question": question}}}:
            # The id of the question carries the id of the call, so the server has no state.
            params = {"message": question, "requestedSchema": _ANSWER_SCHEMA}
            return {"id": f"elicit-{request}", "method": "elicitation/create", "params": params}
        case {"method": _, "id": request}:
            return {"id": request, "error": {"code": -32601, "message": "Method not found"}}
        case {"id": str(question)}:
            reply = json.dumps(message.get("result", message.get("error")))
            call = int(question.removeprefix("elicit-"))
            return {"id": call, "result": {"content": [{"type": "text", "text": f"The user said {reply}"}]}}
        case _:
            return None


if __name__ == "__main__":
    serve(sys.stdin, sys.stdout)
