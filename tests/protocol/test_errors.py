"""The errors of the wire say what to answer."""

import pytest

from codexd.protocol.errors import (
    Code,
    CodexdError,
    InvalidMessage,
    MessageTooLarge,
    NotJson,
    ProtocolError,
    Unavailable,
)


@pytest.mark.parametrize(
    ("kind", "code"),
    [(ProtocolError, -32600), (NotJson, -32700), (InvalidMessage, -32600), (MessageTooLarge, -32053)],
)
def test_a_protocol_error_carries_its_answer(kind: type[ProtocolError], code: int) -> None:
    """Code, text and id of the answer are in the exception, so that whoever catches it just sends them."""
    error = kind("not like that", b'"7"')
    assert (error.code, error.message, str(error), error.raw_id) == (
        code,
        "not like that",
        "not like that",
        b'"7"',
    )


def test_without_an_id_the_answer_goes_to_null() -> None:
    """A message of which no id is to be had is answered under `null`, as JSON-RPC has it."""
    assert NotJson("what?").raw_id == b"null"


def test_everything_raised_on_purpose_has_one_root() -> None:
    """A program that calls codexd's code can tell its errors from bugs with one `except`."""
    assert all(
        issubclass(kind, CodexdError)
        for kind in (ProtocolError, NotJson, InvalidMessage, MessageTooLarge, Unavailable)
    )
    assert not issubclass(Unavailable, ProtocolError)


def test_the_codes_are_those_of_the_design() -> None:
    """Clients match on these numbers."""
    assert {code.name: int(code) for code in Code} == {
        "PARSE_ERROR": -32700,
        "INVALID_REQUEST": -32600,
        "METHOD_NOT_FOUND": -32601,
        "INVALID_PARAMS": -32602,
        "INTERNAL_ERROR": -32603,
        "OVERLOADED": -32001,
        "CODEX_UNAVAILABLE": -32050,
        "NOT_PERMITTED": -32051,
        "TOO_SLOW": -32052,
        "TOO_LARGE": -32053,
    }
