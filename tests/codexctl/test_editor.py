import pytest

from codexctl.editor import Editor, Shown
from codexctl.keys import KeyDecoder


@pytest.fixture
def editor():
    return Editor()


def type_in(editor, text):
    return [editor.press(key) for key in KeyDecoder().feed(text.encode())][-1]


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("abc\x1b[D\x1b[DX", "aXbc"),
        ("abc\x01X\x05Y", "XabcY"),
        ("abc\x7f\x7f", "a"),
        ("\x7fabc", "abc"),
        ("abc\x01\x1b[3~", "bc"),
        ("abc\x01\x04", "bc"),
        ("abc\x1b[D\x0b", "ab"),
        ("abc\x1b[D\x15", "c"),
        ("one two  \x17", "one "),
        ("one\x17\x17", ""),
        ("\x1b[D\x1b[Cabc\x1b[C", "abc"),
    ],
)
def test_the_usual_keys_edit_the_line(editor, typed, text):
    """Moving, erasing by character, word and line, inserting in the middle."""
    assert type_in(editor, typed) is None
    assert editor.text == text


def test_a_line_is_finished_with_enter_and_remembered(editor):
    """Up and down go through the lines before, and back to what was being typed."""
    for line in ("first", "second"):
        assert type_in(editor, line + "\r") == "line"
        assert editor.take() == line
    type_in(editor, "dra\x1b[A")
    assert editor.text == "second"
    type_in(editor, "\x1b[A\x1b[A")
    assert editor.text == "first"
    type_in(editor, "\x1b[B\x1b[B\x1b[B")
    assert editor.text == "dra"


def test_the_end_of_input_counts_on_an_empty_line_only(editor):
    """Ctrl-D elsewhere erases a character, if there is one."""
    assert type_in(editor, "\x04") == "end"
    assert type_in(editor, "a\x04") is None
    assert editor.text == "a"


def test_a_secret_is_neither_shown_nor_remembered(editor):
    """Dots instead of characters, nothing in the history, and no history to look at."""
    type_in(editor, "before\r")
    editor.take()
    editor.is_secret = True
    type_in(editor, "pass\x1b[A")
    assert editor.shown(20) == Shown("••••", 4)
    type_in(editor, "\r")
    assert editor.take() == "pass"
    editor.is_secret = False
    type_in(editor, "\x1b[A")
    assert editor.text == "before"


def test_a_long_line_is_shown_around_its_cursor(editor):
    """It never takes more than the room there is; a line feed out of a paste is one character."""
    type_in(editor, "0123456789")
    assert editor.shown(6) == Shown("56789", 5)
    type_in(editor, "\x01")
    assert editor.shown(6) == Shown("01234", 0)
    editor.clear()
    type_in(editor, "\x1b[200~a\nb\x1b[201~漢")
    assert editor.shown(80) == Shown("a⏎b漢", 5)
    assert editor.shown(4) == Shown("b漢", 3)
