"""One file of Codex's schema."""

import json

import pytest

from codexd.protocol.schema import NoSchema, Schema

TEXT = json.dumps({
    "oneOf": [
        {"properties": {"method": {"enum": ["start"]}, "params": {"$ref": "#/definitions/Start"}}},
        {"properties": {"method": {"enum": ["stop"]}}},
    ],
    "definitions": {"Start": {"properties": {"cwd": {"type": "string"}}}},
}).encode()  # fmt: skip


def test_the_params_of_each_method() -> None:
    """`{}` where it takes none."""
    assert Schema(TEXT).params == {"start": {"$ref": "#/definitions/Start"}, "stop": {}}


def test_a_file_without_definitions() -> None:
    """`ClientNotification.json` has none (0.163 and 0.171)."""
    assert Schema(b'{"oneOf":[{"properties":{"method":{"enum":["initialized"]}}}]}').params == {
        "initialized": {}
    }


@pytest.mark.parametrize(
    "part", [{"$ref": "#/definitions/Start"}, {"anyOf": [{"$ref": "#/definitions/Start"}, {}]}]
)
def test_the_members_of_an_object_wherever_it_is_described(part: object) -> None:
    """Also of one that may be null."""
    assert Schema(TEXT).properties(part) == {"cwd": {"type": "string"}}


def test_what_may_be_anything_has_no_members() -> None:
    """`true` says so."""
    assert Schema(TEXT).properties(True) == {}


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b"5", b'{"oneOf":[{}]}', b'{"oneOf":5}', b"nonsense"])
def test_what_is_no_schema_is_refused(text: bytes) -> None:
    """A Codex that writes something else is one of which nothing is known."""
    with pytest.raises(NoSchema, match=r"^what Codex wrote as its schema is not understood: "):
        Schema(text)
