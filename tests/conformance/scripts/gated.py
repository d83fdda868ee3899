"""A client without ``experimentalApi``: every experimental method and field, and a conversation without them."""

from typing import Any

from tests.conformance.codex_itself import Codex
from tests.conformance.scripts.server_requests import COMMAND, FILE, INPUT, PERMISSIONS
from tests.conformance.steps import Ask, Call, Note, Script, Session, Step, thread, turn

_AWAY = ("remoteControl/",)
"""Called badly only: should the gate be open, they would leave the machine."""
_T = {"threadId": "$thread"}
_GRANULAR = {"granular": {"mcp_elicitations": True, "rules": True, "sandbox_approval": True}}


def gated(codex: Codex) -> Script:
    """Well-formed calls, because Codex complains of types first."""
    methods = [method for method in sorted(codex.experimental) if not method.startswith(_AWAY)]
    steps: list[Step] = [Call(method, minimal(codex, codex.requests[method])) for method in methods]
    for method, fields in sorted(codex.experimental_fields.items()):
        params = minimal(codex, codex.requests[method])
        properties = resolved(codex, codex.requests[method])["properties"]
        steps += [
            Call(method, {**params, field: minimal(codex, properties[field])}) for field in sorted(fields)
        ]
        if method not in ("thread/start", "command/exec"):
            steps += [Call(method, {**params, min(fields): None, "no such field": 1})]
    return Script("without experimentalApi", (Session((*steps, *_CONVERSATION), {}),))


def resolved(codex: Codex, schema: Any) -> Any:
    """The schema that a reference refers to."""
    while isinstance(schema, dict) and "$ref" in schema:
        schema = codex.definitions[schema["$ref"].rsplit("/", 1)[-1]]
    return schema


def minimal(codex: Codex, schema: Any) -> Any:
    """A value that fits the schema, with as little in it as there may be."""
    schema = resolved(codex, schema)
    match schema:
        case {"enum": [first, *_]}:
            return first
        case {"allOf": [only, *_]}:
            return minimal(codex, only)
        case {"anyOf": variants} | {"oneOf": variants}:
            return minimal(codex, next(one for one in variants if one != {"type": "null"}))
        case {"type": "object"} | {"properties": _}:
            required = schema.get("required", ())
            return {name: minimal(codex, schema["properties"][name]) for name in required}
        case {"type": kind}:
            kinds = kind if isinstance(kind, list) else [kind]
            return _SIMPLEST[next(one for one in kinds if one != "null") if kinds != ["null"] else "null"]
        case _:
            return {}  # anything goes


_SIMPLEST: dict[str, Any] = {
    "string": "/x",
    "integer": 1,
    "number": 1,
    "boolean": True,
    "array": [],
    "object": {},
    "null": None,
}

_CONVERSATION: tuple[Step, ...] = (
    Call("thread/start", {"cwd": "$project", "approvalPolicy": _GRANULAR}),
    thread(),
    turn("thread", "hello"),
    turn("thread", "run echo accepted", Ask(COMMAND, {"decision": "accept"})),
    turn("thread", "patch $home/declined text", Ask(FILE, {"decision": "decline"})),
    turn("thread", "ask Really?", Ask(INPUT, {"answers": {}})),
    turn("thread", "permissions $home/granted", Ask(PERMISSIONS, {"permissions": {}})),
    Call("turn/start", {**_T, "input": [], "approvalPolicy": _GRANULAR}),
    Call("thread/name/set", {**_T, "name": "A name"}, until=(Note("thread/name/updated", _T),)),
    Call(
        "thread/goal/set",
        {**_T, "objective": "o", "status": "paused"},
        until=(Note("thread/goal/updated", _T),),
    ),
    Call("thread/read", {**_T, "includeTurns": True}),
    Call("thread/resume", _T),
    Call(
        "thread/fork", _T, save={"fork": "thread.id"}, until=(Note("thread/started", {"thread.id": "$fork"}),)
    ),
    Call("thread/list", {"cwd": "$project"}),
    Call(
        "command/exec", {"command": ["sh", "-c", "echo out"], "processId": "p1", "streamStdoutStderr": True}
    ),
    Call("fuzzyFileSearch", {"query": "x", "roots": ["$project"]}),
    Call("config/read", {}),
    Call("thread/archive", _T, until=(Note("thread/archived", _T),)),
)
