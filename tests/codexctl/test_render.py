import io
import os
import pty

import pytest

from codexctl import render
from codexctl.render import Paint, ago, as_json, boxed, columns, exact, one_line, table


class Terminal(io.StringIO):
    """A stream that says it is a terminal of 40 columns."""

    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(render, "terminal_width", lambda stream: 40)
    return Terminal()


def test_what_is_decided_by_is_shown_character_by_character():
    """Nothing invisible is left: zero width, odd spaces, private use; a tab is spaces."""
    assert exact("rm\u200b -rf\u00a0/\t\x07\U000e0041\n") == "rm\\u200b -rf\\xa0/    \\x07\\U000e0041\n"


def test_foreign_text_never_gets_in_front_of_the_bar():
    """Line feeds and lines that are too long go on behind a bar, so nothing can look like our own words."""
    assert boxed("one\ntwo " + "x" * 20 + "\n", 14) == [
        "  │ one",
        "  │ two xxxxxx",
        "  │ xxxxxxxxxx",
        "  │ xxxx",
    ]
    assert boxed("漢漢漢漢漢", 12) == ["  │ 漢漢漢漢", "  │ 漢"]
    assert boxed("", 12) == ["  │ "]


def test_one_line_is_cut_to_its_width():
    """Many lines become one; what does not fit ends in an ellipsis."""
    assert one_line("a\n  b\tc", 20) == "a b c"
    assert one_line("0123456789", 10) == "0123456789"
    assert one_line("0123456789a", 10) == "012345678…"
    assert one_line("漢漢漢", 5) == "漢漢…"


def test_columns_are_those_of_a_terminal():
    """Wide characters take two, combining marks none."""
    assert (columns("abc"), columns("漢"), columns("e\u0301")) == (3, 2, 1)


def test_colours_are_for_terminals_that_want_them(terminal, monkeypatch):
    """None in a pipe, none with NO_COLOR, none on a dumb terminal."""
    assert Paint.of(terminal)("x", "bold", "red") == "\x1b[1;31mx\x1b[0m"
    assert Paint.of(terminal)("", "red") == ""
    assert Paint.of(io.StringIO())("x", "red") == "x"
    monkeypatch.setenv("NO_COLOR", "1")
    assert Paint.of(terminal)("x", "red") == "x"
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert Paint.of(terminal)("x", "red") == "x"


def test_a_table_fits_its_terminal(terminal):
    """Columns are aligned; only the last one is cut, and only on a terminal."""
    rows = [("1", "漢", "x" * 60), ("22", "b", "y\nz")]
    assert table(("ID", "N", "WHAT"), rows, io.StringIO()) == [
        "ID  N   WHAT",
        "1   漢  " + "x" * 60,
        "22  b   y z",
    ]
    assert table(("ID", "N", "WHAT"), rows, terminal)[1] == "1   漢  " + "x" * 31 + "…"


def test_ages_are_told_in_their_largest_unit():
    """`5s`, `12m`, `3h`, `9d`; a clock that went back is no negative age."""
    times = [999.5, 995.0, 940.0, 1000 - 2 * 3600, 1000 - 3 * 86400, 2000.0]
    assert [ago(then, 1000.0) for then in times] == ["0s", "5s", "1m", "2h", "3d", "0s"]
    assert ago(None) == "-"
    assert ago(0.0).endswith("d")


def test_json_is_one_line_for_programs(terminal):
    """And indented where a person looks on."""
    assert as_json({"a": "ä"}, io.StringIO()) == '{"a": "ä"}'
    assert as_json({"a": 1}, terminal) == '{\n  "a": 1\n}'


def test_the_width_is_the_terminals():
    """80 where there is none, or it does not know."""
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "r+b", 0), open(theirs, "w") as stream:
        assert render.terminal_width(stream) == 80
        render_size = os.terminal_size((132, 24))
        import fcntl
        import struct
        import termios

        fcntl.ioctl(
            theirs, termios.TIOCSWINSZ, struct.pack("4H", render_size.lines, render_size.columns, 0, 0)
        )
        assert render.terminal_width(stream) == 132
    with open(os.devnull, "w") as stream:
        assert render.terminal_width(stream) == 80


def test_a_closed_stream_is_no_terminal(terminal):
    """Python has None for a standard stream that was closed at the start."""
    assert render.is_terminal(terminal)
    assert not render.is_terminal(io.StringIO())
    assert not render.is_terminal(None)
