"""The first bytes of a connection say what the client speaks."""

import pytest

from codexd.runtime.transport import is_undecided


@pytest.mark.parametrize("beginning", [b"", b"G", b"GE", b"GET"])
def test_what_may_still_become_a_request_is_waited_for(beginning: bytes) -> None:
    """A client's first packet may be a single byte."""
    assert is_undecided(beginning)


@pytest.mark.parametrize("beginning", [b"GET ", b"GET /rpc", b"{", b"\n", b"G\n", b"GE{", b"get", b"GETX"])
def test_anything_else_is_decided(beginning: bytes) -> None:
    """A line shorter than four bytes is not held back for the sake of those who speak WebSocket."""
    assert not is_undecided(beginning)
