"""What a client says of itself in `initialize`."""

from typing import Any

import msgspec
import pytest
from msgspec import UNSET, Raw

from codexd.protocol import messages
from codexd.routing import introduction
from codexd.routing.introduction import Codexd, Introduction

INFO = {"name": "editor", "version": "1"}


def read(**params: Any) -> Introduction:
    return introduction.read(Raw(messages.encode(params)))


def test_without_capabilities_a_client_has_a_name_alone() -> None:
    """Whether they are left out, null or empty."""
    plain = Introduction(name="editor", version="1")
    assert read(clientInfo=INFO) == plain
    assert read(clientInfo=INFO | {"title": "Editor"}, capabilities=None) == plain
    assert read(clientInfo=INFO, capabilities={"unheardOf": [1], "extensions": {"x": 1}}) == plain


def test_what_a_client_can_do_is_taken_down() -> None:
    """All that codexd acts upon."""
    said = {
        "experimentalApi": True,
        "requestAttestation": True,
        "requiredHumanApproval": True,
        "optOutNotificationMethods": ["a", "b", "a"],
        "codexd": {"seq": True, "cwd": "/w", "config": {"model": "x"}},
    }
    assert read(clientInfo=INFO, capabilities=said) == Introduction(
        name="editor",
        version="1",
        experimental=True,
        answers_for_humans=True,
        attests=True,
        opted_out=frozenset({"a", "b"}),
        codexd=Codexd(seq=True, cwd="/w", config={"model": Raw(b'"x"')}),
    )


@pytest.mark.parametrize(
    ("said", "knows"),
    [
        (None, False),
        ({}, True),
        ({"seq": True}, True),
        ({"cwd": "/w"}, False),
        ({"config": {}}, False),
        ({"cwd": "/w", "config": {}, "seq": True}, True),
    ],
)
def test_who_speaks_through_a_stand_in_knows_nothing_of_codexd(
    said: dict[str, Any] | None, knows: bool
) -> None:
    """A stand-in says where its client is, and that is all: the client asked for Codex."""
    assert read(clientInfo=INFO, capabilities={"codexd": said}).knows_codexd is knows


def test_a_humans_approval_needs_the_experimental_api_too() -> None:
    """Without it the capability says nothing, as in Codex."""
    assert not read(clientInfo=INFO, capabilities={"requiredHumanApproval": True}).answers_for_humans


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"clientInfo": None},
        {"clientInfo": {"name": "x"}},
        {"clientInfo": {"name": 5, "version": "1"}},
        {"clientInfo": INFO | {"title": 3}},
        {"clientInfo": INFO, "capabilities": "all"},
        {"clientInfo": INFO, "capabilities": {"experimentalApi": None}},
        {"clientInfo": INFO, "capabilities": {"experimentalApi": "yes"}},
        {"clientInfo": INFO, "capabilities": {"requestAttestation": 1}},
        {"clientInfo": INFO, "capabilities": {"requiredHumanApproval": 1}},
        {"clientInfo": INFO, "capabilities": {"explicitGatewayOauth": 1}},
        {"clientInfo": INFO, "capabilities": {"mcpServerOpenaiFormElicitation": 1}},
        {"clientInfo": INFO, "capabilities": {"extensions": 1}},
        {"clientInfo": INFO, "capabilities": {"optOutNotificationMethods": "turn/started"}},
        {"clientInfo": INFO, "capabilities": {"optOutNotificationMethods": [5]}},
        {"clientInfo": INFO, "capabilities": {"codexd": {"cwd": 5}}},
    ],
)
def test_what_codex_would_refuse_is_not_read(params: dict[str, Any]) -> None:
    """Codex itself is to say what is wrong (each of these was tried on it, but for the last)."""
    with pytest.raises(msgspec.DecodeError) as caught:
        read(**params)
    assert introduction.problem(Raw(messages.encode(params))) == f"Invalid request: {caught.value}"


def test_params_that_are_missing_are_not_read() -> None:
    """They may be left out of a request, but not of this one."""
    with pytest.raises(msgspec.DecodeError):
        introduction.read(UNSET)


def test_an_introduction_that_can_be_read_has_the_other_problem() -> None:
    """It came after another one."""
    assert introduction.problem(Raw(messages.encode({"clientInfo": INFO}))) == "Already initialized"


@pytest.mark.parametrize("name", ["", "editor 2.0", "é", "😀", "\t", "(x; y)", "\x80"])
def test_a_name_that_fits_into_a_header_is_valid(name: str) -> None:
    """As for Codex (measured)."""
    assert Introduction(name=name).has_valid_name


@pytest.mark.parametrize("name", [None, "a\nb", "\x00", "\x7f", "\x1f"])
def test_a_name_that_does_not_is_not(name: str | None) -> None:
    """Codex refuses it too (measured)."""
    assert not Introduction(name=name).has_valid_name
