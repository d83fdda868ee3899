"""Where params name requests, learnt from a schema; and how such ids are put through a translation."""

import json
from typing import Any

import pytest
from msgspec import Raw

from codexd.protocol.request_ids import EACH, WITHOUT_SCHEMA, RequestIds, read_request_ids, translated
from codexd.protocol.schema import NoSchema, Schema

ID = {"$ref": "#/definitions/RequestId"}
OR_NULL = {"anyOf": [ID, {"type": "null"}]}
ONE = ("requestId",)


def struct(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def schema(params: dict[str, Any], **definitions: Any) -> Schema:
    """A file of these methods."""
    messages = [{"properties": {"method": {"enum": [m]}, "params": p}} for m, p in params.items()]
    return Schema(json.dumps({"oneOf": messages, "definitions": definitions}).encode())


def learnt(
    requests: dict[str, Any],
    notifications: dict[str, Any] | None = None,
    told: dict[str, Any] | None = None,
    **definitions: Any,
) -> RequestIds:
    """What is learnt from these params."""
    files = (schema(params or {}, **definitions) for params in (requests, notifications, told))
    return read_request_ids(*files)


@pytest.mark.parametrize(
    ("params", "paths"),
    [
        (struct(requestId=ID), [("requestId",)]),
        (struct(of=OR_NULL, threadId={"type": "string"}), [("of",)]),
        (struct(of={"allOf": [ID]}), [("of",)]),
        (struct(a=struct(b=ID), c=ID), [("a", "b"), ("c",)]),
        (struct(all={"type": ["array", "null"], "items": ID}), [("all", EACH)]),
        ({"$ref": "#/definitions/Cancel"}, [("requestId",)]),
        ({"oneOf": [struct(kind={}, x=ID), struct(kind={}, x=ID, y=ID)]}, [("x",), ("y",)]),
        ({"$ref": "#/definitions/Tree"}, [("id",)]),
        (struct(any=True, name={"type": "string"}, list={"type": "array"}), []),
        ({"type": "null"}, []),
    ],
)
def test_every_member_of_the_type_is_found(params: Any, paths: list[tuple[str, ...]]) -> None:
    """Behind references, choices and null, in lists and objects; in a definition that holds itself, once."""
    found = learnt(
        {"x": params},
        Cancel=struct(requestId=ID),
        Tree=struct(id=ID, children={"type": "array", "items": {"$ref": "#/definitions/Tree"}}),
    )
    assert found.asked.get("x", ()) == tuple(paths)


def test_notifications_of_both_sides_are_looked_at() -> None:
    """But not those that name a request of Codex's own."""
    named = struct(requestId=ID)
    found = learnt({}, {"note": named}, {"found": named, "serverRequest/resolved": named, "plain": struct()})
    assert found == RequestIds(asked={"note": (ONE,)}, told={"found": (ONE,)}, cancels={})


def test_what_a_cancel_ends() -> None:
    """The method that it is named after, and nothing below that; else all of its family."""
    named = struct(requestId=ID)
    found = learnt({
        "find": struct(), "find/cancel": named, "find/stream": struct(), "find/stream/cancel": named,
        "check/begin": struct(), "check/end": struct(), "check/cancel": named, "check/end/cancel": named,
        "login/start": struct(), "login/cancel": struct(loginId={"type": "string"}),
        "hurry": named,
    })  # fmt: skip
    assert found.cancels == {
        "find/cancel": frozenset({"find"}),
        "find/stream/cancel": frozenset({"find/stream"}),
        "check/cancel": frozenset({"check/begin", "check/end"}),
        "check/end/cancel": frozenset({"check/end"}),
    }
    assert found.cancel_of("find") == "find/cancel"
    assert found.cancel_of("find/cancel") is None


def test_a_notification_that_cancels_ends_nothing_by_itself() -> None:
    """codexd asks for the end of what a client leaves behind, and wants an answer."""
    assert learnt({"find": struct()}, {"find/cancel": struct(requestId=ID)}).cancels == {}


def test_what_is_known_without_a_schema_is_of_the_same_shape() -> None:
    """What the newest Codex has."""
    assert WITHOUT_SCHEMA.cancels.keys() == WITHOUT_SCHEMA.asked.keys()


@pytest.mark.parametrize("params", [{"$ref": "#/definitions/Missing"}, {"properties": 5}, {"anyOf": 5}])
def test_what_is_no_schema_is_refused(params: Any) -> None:
    """A Codex that writes something else is one of which nothing is known."""
    with pytest.raises(NoSchema, match=r"^what Codex wrote as its schema is not understood: "):
        learnt({"x": params})


@pytest.mark.parametrize(
    ("params", "path", "changed"),
    [
        ('{"requestId":1,"x":1.50}', ONE, '{"requestId":"<1>","x":1.50}'),
        ('{"a":{"b":"c"}}', ("a", "b"), '{"a":{"b":"<\\"c\\">"}}'),
        ('{"all":[1,2]}', ("all", EACH), '{"all":["<1>","<2>"]}'),
        ('{"all":[{"of":1},{}]}', ("all", EACH, "of"), '{"all":[{"of":"<1>"},{}]}'),
        ("{}", ONE, "{}"),
        ("null", ONE, "null"),
        ("[1]", ONE, "[1]"),
        ('{"a":5}', ("a", "b"), '{"a":5}'),
        ('{"all":5}', ("all", EACH), '{"all":5}'),
    ],
)
def test_each_id_is_put_through_the_translation(params: str, path: tuple[str, ...], changed: str) -> None:
    """The rest stays as it is, and so does what is something else."""

    def translate(raw: Raw) -> Raw:
        return Raw(json.dumps(f"<{bytes(raw).decode()}>").encode())

    assert bytes(translated(Raw(params.encode()), (path,), translate)) == changed.encode()
