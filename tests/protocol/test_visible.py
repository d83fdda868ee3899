import json
import unicodedata

from hypothesis import given, strategies as st

from codexd.protocol.visible import json_plain, plain

DIRECTIONS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
texts = st.text(st.one_of(st.characters(), st.characters(categories=["Cc"]), st.sampled_from(DIRECTIONS)))


def steers(text: str, kept: str = "") -> bool:
    """Whether anything in it makes a terminal do more than show it."""
    return any(
        (unicodedata.category(character) == "Cc" and character not in kept) or character in DIRECTIONS
        for character in text
    )


def test_running_text_cannot_steer_a_terminal() -> None:
    """Escape sequences, carriage returns and direction marks are written out; text in any language is not."""
    assert plain("a\x1b[2Jb\rc\x9b0m\u202ed\u200fe") == "a\\x1b[2Jb\\x0dc\\x9b0m\\u202ed\\u200fe"
    assert plain("tab\tline\nÄ 漢 👩‍💻 \u00a0.") == "tab\tline\nÄ 漢 👩‍💻 \u00a0."


@given(texts)
def test_no_text_can(text: str) -> None:
    """Whatever is in it; tabs and line feeds stay."""
    assert not steers(plain(text), kept="\t\n")


@given(texts)
def test_json_stays_what_it_was(text: str) -> None:
    """An object with any key and any value: another spelling of the same, that steers no terminal."""
    for ensure_ascii in (False, True):
        written = json.dumps({text: [text]}, ensure_ascii=ensure_ascii)
        assert json.loads(json_plain(written)) == {text: [text]}
        assert not steers(json_plain(written))
