"""MCP servers: what is known of them, what is called in them, and the streams of their events."""

from tests.conformance.steps import Ask, Call, Do, Note, script, thread

_T = {"threadId": "$thread"}
_NONE = {"threadId": "00000000-0000-0000-0000-000000000000"}
_ELICIT = {"server": "scripted", "tool": "elicit", "arguments": {"question": "Really?"}}
_STREAM = {"server": "scripted", "name": "events", "arguments": {}}
_RESOURCE = {"server": "scripted", "uri": "file:///none"}

_LIBRARY = """import json, sys

for line in sys.stdin:
    asked = json.loads(line)
    match asked["method"]:
        case "initialize":
            version = asked["params"]["protocolVersion"]
            info = {"name": "library", "version": "1"}
            result = {"protocolVersion": version, "capabilities": {"resources": {}}, "serverInfo": info}
        case "tools/list":
            result = {"tools": []}
        case "resources/list":
            result = {"resources": [{"uri": "library:book", "name": "A book"}]}
        case "resources/templates/list":
            result = {"resourceTemplates": []}
        case "resources/read":
            result = {"contents": [{"uri": asked["params"]["uri"], "text": "Once upon a time."}]}
        case _:
            continue
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}), flush=True)
"""
"""An MCP server that has something to read."""
_WITH_LIBRARY = {"mcp_servers": {"library": {"command": "python3", "args": ["$project/library.py"]}}}
_BOOK = {"server": "library", "uri": "library:book"}

SCRIPTS = (
    script(
        "mcp servers",
        Call("mcpServerStatus/list", {}),
        Call("mcpServerStatus/list", {"detail": "toolsAndAuthOnly", "serverName": "scripted"}),
        Call("mcpServerStatus/list", {"serverName": "none"}),
        Call("mcpServerStatus/list", {"cursor": "nonsense"}),
        Call("mcpServerStatus/list", _NONE),
        thread(),
        Call("mcpServerStatus/list", _T),
        Call(
            "mcpServer/tool/call",
            {**_T, **_ELICIT},
            asks=(Ask("mcpServer/elicitation/request", {"action": "accept", "content": {"answer": "yes"}}),),
        ),
        Call(
            "mcpServer/tool/call",
            {**_T, **_ELICIT},
            asks=(Ask("mcpServer/elicitation/request", {"action": "decline"}),),
        ),
        Call("mcpServer/tool/call", {**_T, **_ELICIT, "tool": "none", "arguments": {}}),
        Call("mcpServer/tool/call", {**_T, **_ELICIT, "arguments": {}}),
        Call("mcpServer/tool/call", {**_T, **_ELICIT, "server": "none"}),
        Call("mcpServer/tool/call", {**_NONE, **_ELICIT}),
        Call("mcpServer/resource/read", _RESOURCE),
        Call("mcpServer/resource/read", {**_T, **_RESOURCE}),
        Call("mcpServer/resource/read", {**_T, **_RESOURCE, "server": "none"}),
        Call("mcpServer/resource/read", {**_NONE, **_RESOURCE}),
        Do("write", "$project/library.py", _LIBRARY),
        Call(
            "thread/start",
            {"cwd": "$project", "config": _WITH_LIBRARY},
            save={"reader": "thread.id"},
            until=(
                Note("mcpServer/startupStatus/updated", {"name": "library", "status": "ready"}),
                Note("mcpServer/startupStatus/updated", {"name": "scripted", "status": "ready"}),
            ),
        ),
        Call("mcpServer/resource/read", {"threadId": "$reader", **_BOOK}),
        Call("mcpServer/resource/read", {**_T, **_BOOK}),
        Call("mcpServerStatus/list", {"threadId": "$reader", "serverName": "library"}),
        Call("mcpServer/event/stream/start", {**_T, **_STREAM, "subscriptionId": "s1"}),
        Call("mcpServer/event/stream/start", {**_T, **_STREAM, "subscriptionId": "s1"}),
        Call("mcpServer/event/stream/start", {**_T, **_STREAM, "subscriptionId": ""}),
        Call("mcpServer/event/stream/start", {**_T, **_STREAM, "subscriptionId": "s2", "server": "none"}),
        Call("mcpServer/event/stream/start", {**_NONE, **_STREAM, "subscriptionId": "s3"}),
        Call("mcpServer/event/stream/stop", {"subscriptionId": "s1"}),
        Call("mcpServer/event/stream/stop", {"subscriptionId": "never"}),
        Call("mcpServer/event/stream/stop", {"subscriptionId": ""}),
        Call("mcpServer/oauth/login", {"name": "scripted"}),
        Call("mcpServer/oauth/login", {"name": "none"}),
        Call("mcpServer/oauth/login", {"name": "scripted", **_NONE}),
        Call(
            "config/mcpServer/reload",
            None,
            until=(Note("mcpServer/startupStatus/updated", {**_T, "status": "ready"}),),
        ),
    ),
)
