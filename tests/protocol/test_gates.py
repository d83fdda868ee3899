"""The gate of the experimental API, learnt from two editions of a schema."""

import json
from typing import Any

import pytest
from msgspec import UNSET, Raw

from codexd.protocol import messages
from codexd.protocol.gates import Gate, Gates, read_gates
from codexd.protocol.schema import NoSchema, Schema

POLICY = {"anyOf": [{"$ref": "#/definitions/AskForApproval"}, {"type": "null"}]}
DEFERRAL = {"anyOf": [{"$ref": "#/definitions/Deferral"}, {"type": "null"}]}


def edition(methods: dict[str, Any], definitions: dict[str, Any]) -> bytes:
    """`ClientRequest.json` as Codex writes it."""
    requests = [
        {
            "properties": {"id": {}, "method": {"enum": [method]}}
            | ({"params": params} if params is not None else {})
        }
        for method, params in methods.items()
    ]
    return json.dumps({"oneOf": requests, "definitions": definitions}).encode()


def struct(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


START = {"$ref": "#/definitions/Start"}
LIST = {"$ref": "#/definitions/List"}
STABLE = edition(
    {
        "account/logout": {"type": "null"},
        "account/login/start": {},
        "start": START,
        "list": LIST,
        "plain": None,
    },
    {
        "Start": struct(cwd={"type": ["string", "null"]}, approvalPolicy=POLICY, config=True),
        "List": struct(defer=DEFERRAL),
        "Deferral": struct(deep=struct(deeper=struct())),
        "AskForApproval": {"oneOf": []},
    },
)
WIDE = edition(
    {
        "account/logout": {"type": "null"}, "account/login/start": {}, "start": START, "list": LIST, "plain": None,
        "new": START,
    },
    {
        "Start": struct(
            cwd={"type": ["string", "null"]}, approvalPolicy=POLICY, config=True,
            tools={"type": ["array", "null"]}, raw={"type": "boolean"}, roots={"type": "array"}, any=True,
        ),
        "List": struct(defer=DEFERRAL),
        "Deferral": struct(commands={"type": "boolean"}, deep=struct(deeper=struct(deepest={"type": "boolean"}))),
        "AskForApproval": {"oneOf": []},
    },
)  # fmt: skip
GATES = read_gates(Schema(STABLE), Schema(WIDE))


def test_the_gates_are_the_difference_of_the_editions() -> None:
    """Methods, members, members of members; and where a policy may be granular."""
    assert Gates(
        methods=frozenset({"new"}),
        members={
            "start": (
                Gate(("any",), "set"), Gate(("raw",), "true"), Gate(("roots",), "filled"), Gate(("tools",), "set"),
            ),
            "list": (Gate(("defer", "commands"), "true"),),
        },
        policies=frozenset({"start", "new"}),
    ) == GATES  # fmt: skip


@pytest.mark.parametrize(
    ("method", "params", "reason"),
    [
        ("new", {}, "new"),
        ("new", None, "new"),
        ("unheardOf", {"tools": []}, None),
        ("plain", {"tools": []}, None),
        ("start", {}, None),
        ("start", None, None),
        ("start", [], None),
        ("start", {"tools": []}, "start.tools"),
        ("start", {"tools": None}, None),
        ("start", {"raw": False}, None),
        ("start", {"raw": True}, "start.raw"),
        ("start", {"roots": []}, None),
        ("start", {"roots": ["/"]}, "start.roots"),
        ("start", {"tools": [], "raw": True}, "start.raw"),
        ("start", {"approvalPolicy": "never"}, None),
        ("start", {"approvalPolicy": {"granular": {}}}, "askForApproval.granular"),
        ("list", {"defer": {"commands": True}}, "list.defer.commands"),
        ("list", {"defer": {"commands": False}}, None),
        ("list", {"defer": None}, None),
        ("list", {"commands": True}, None),
        ("account/login/start", {"type": "chatgptAuthTokens"}, "account/login/start.chatgptAuthTokens"),
        ("account/login/start", {"type": "apiKey"}, None),
        ("account/login/start", {}, None),
    ],
)
def test_what_counts_as_experimental(method: str, params: Any, reason: str | None) -> None:
    """What is there and says something (all of it measured on 0.169)."""
    raw = Raw(messages.encode(params)) if params is not None else UNSET
    assert GATES.reason(method, raw) == reason


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"{}", b'{"oneOf":[{}],"definitions":{}}', b'{"oneOf":5,"definitions":{}}', b"nonsense"],
)
def test_what_is_no_schema_is_refused(text: bytes) -> None:
    """A Codex that writes something else is one whose gates are not known."""
    with pytest.raises(NoSchema, match=r"^what Codex wrote as its schema is not understood: "):
        read_gates(Schema(text), Schema(WIDE))


def test_a_method_that_is_stable_alone_is_no_schema_of_one_codex() -> None:
    """The wide edition has everything that the narrow one has."""
    with pytest.raises(NoSchema):
        read_gates(Schema(WIDE), Schema(STABLE))
