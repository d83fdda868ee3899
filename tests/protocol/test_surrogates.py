"""Halves of surrogate pairs."""

import json
import re

import pytest
from hypothesis import given, strategies as st

from codexd.protocol import surrogates
from codexd.protocol.surrogates import first_lone, without_lone


@pytest.mark.parametrize(
    ("text", "lone"),
    [
        (rb'"\ud800"', r"\ud800"),
        (rb'"\uDFFF"', r"\uDFFF"),
        (rb'"\ud800\ud800"', r"\ud800"),
        (rb'"\ude00\ud83d"', r"\ude00"),
        (rb'"\ud83d\ude00\udbff"', r"\udbff"),
        (rb'"\ud83dx\ude00"', r"\ud83d"),
        (rb'"\\\ud800"', r"\ud800"),
        (rb'"\ud83d\ude00"', None),
        (rb'"\\ud800"', None),
        (rb'"\u00e9\n"', None),
        (rb'"\ud8"', None),
        (rb'"\x"', None),
        (b'"', None),
        (b"", None),
    ],
)
def test_the_first_half_without_another_is_found(text: bytes, lone: str | None) -> None:
    """Two halves in their order are a character, and a backslash may itself be escaped."""
    assert first_lone(text) == lone


@given(st.text(alphabet=st.sampled_from('a\\"\n\ud800\udbff\udc00\udfffé\U0001f600'), max_size=12))
def test_without_its_halves_a_text_can_be_read(text: str) -> None:
    """And is what it was but for them."""
    line = json.dumps(text).encode()
    expected = re.sub("[\ud800-\udfff]", "�", json.loads(json.dumps(text)))
    assert json.loads(without_lone(line)) == expected
    assert (first_lone(line) is None) == (expected == json.loads(line))


def test_a_few_are_enough() -> None:
    """A line of nothing else must not cost much time."""
    line = rb"\ud800" * (surrogates.MOST + 2)
    assert without_lone(line) == surrogates.REPLACEMENT * surrogates.MOST + rb"\ud800" * 2
    assert first_lone(rb"\n" * 300_000 + rb"\ud800") is None
