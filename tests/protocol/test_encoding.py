"""Encoding does not fail: what is no text is shown with escapes."""

import json
import os

from hypothesis import given, strategies as st
from msgspec import Raw, Struct

from codexd.protocol.encoding import encode
from codexd.protocol.names import as_text


class _Shown(Struct, rename="camel"):
    a_path: str
    raw: Raw
    maybe: str | None = None


class _Sparse(Struct, omit_defaults=True):
    path: str
    maybe: str | None = None
    number: int = 3


def test_what_is_text_is_left_alone() -> None:
    """Nobody's accents and backslashes are touched."""
    for text in ("", "/home/é", "\\xff", "\x00\x7f\x85", "😀"):
        assert as_text(text) == text
        assert json.loads(encode(text)) == text


def test_a_byte_that_is_no_text_is_an_escape() -> None:
    """As in a path: `os.fsdecode` makes a lone surrogate of it, which neither JSON nor a terminal takes."""
    assert as_text(os.fsdecode(b"/run/\xff\xe9/caf\xc3\xa9")) == "/run/\\xff\\xe9/café"
    assert as_text("half \ud83d") == "half \\ud83d"


@given(st.text(alphabet=st.characters(categories=("Cs", "L"))))
def test_any_text_can_be_shown(text: str) -> None:
    """Surrogates of every kind, alone or in pairs, among letters."""
    as_text(text).encode()
    json.loads(encode({text: text}))


def test_every_place_in_a_value_is_looked_at() -> None:
    """Structs as they are encoded otherwise, names of members, lists; raw JSON stays as it is."""
    name = os.fsdecode(b"\xff")
    shown = encode({name: [_Shown(name, Raw(b'{"a":1}')), (name, 4, None, True)], "s": _Sparse(name)})
    assert json.loads(shown) == {
        "\\xff": [{"aPath": "\\xff", "raw": {"a": 1}, "maybe": None}, ["\\xff", 4, None, True]],
        "s": {"path": "\\xff"},
    }
    assert encode(_Sparse(name, number=4)) == b'{"path":"\\\\xff","number":4}'
