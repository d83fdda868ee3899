"""A screen on a real pseudo-terminal: what is written to it is read back as bytes."""

import os
import sys
import termios

import pytest

from codexctl.keys import Key
from codexctl.screen import Screen
from tests.codexctl.pseudo import Pseudo

INPUT = "\r\x1b[K> "
HIDE = "\r\x1b[K"


@pytest.fixture
def terminal(monkeypatch):
    pseudo = Pseudo()
    monkeypatch.setattr(sys, "stdin", pseudo.input)
    monkeypatch.setenv("NO_COLOR", "1")
    yield pseudo
    pseudo.close()


@pytest.fixture
def screen(terminal):
    with Screen(terminal.output) as screen:
        terminal.written()
        yield screen


def type_in(screen, terminal, text):
    terminal.type(text)
    return [screen.press(key) for key in screen.read()]


def test_the_terminal_is_raw_inside_and_as_before_outside(terminal):
    """Keys come at once and unechoed, Ctrl-C still signals, and everything is given back."""
    before = termios.tcgetattr(terminal.input)
    with Screen(terminal.output):
        assert terminal.written() == "\x1b[?2004h" + INPUT
        inside = termios.tcgetattr(terminal.input)[3]
        assert not inside & (termios.ICANON | termios.ECHO)
        assert inside & termios.ISIG
    assert terminal.written() == HIDE + "\x1b[?2004l"
    assert termios.tcgetattr(terminal.input) == before


def test_output_flows_and_the_input_line_follows_whole_lines(screen, terminal):
    """In the middle of a line there is no room for it."""
    screen.reply("Hello")
    assert terminal.written() == HIDE + "Hello"
    screen.reply(" you")
    assert terminal.written() == " you"
    screen.end_reply()
    assert terminal.written() == "\n" + INPUT
    screen.note("one\ntwo")
    assert terminal.written() == HIDE + "one\ntwo\n" + INPUT


def test_typing_in_the_middle_of_a_line_keeps_both_readable(screen, terminal):
    """The typed line moves below; further output is let out by whole lines above it until it is sent."""
    screen.reply("Hel")
    terminal.written()
    type_in(screen, terminal, "x")
    assert terminal.written() == "\n" + INPUT + "x"
    screen.reply("lo\nyou")
    assert terminal.written() == HIDE + "lo\n" + INPUT + "x"
    type_in(screen, terminal, "\r")
    terminal.written()
    assert screen.take() == "x"
    assert terminal.written() == HIDE + "> x\nyou"


def test_a_line_that_typing_has_ended_is_not_ended_twice(screen, terminal):
    """No empty line where the reply ends just then."""
    screen.reply("Hello")
    type_in(screen, terminal, "x")
    terminal.written()
    screen.end_reply()
    assert terminal.written() == HIDE + INPUT + "x"


def test_a_taken_line_becomes_output(screen, terminal):
    """As typed, with what is invisible written out; a secret as dots."""
    type_in(screen, terminal, "\x1b[200~a\u200bb\x1b[201~")
    terminal.written()
    screen.take()
    assert terminal.written() == HIDE + "> a\\u200bb\n" + INPUT
    screen.ask("answer: ", secret=True)
    type_in(screen, terminal, "abc")
    terminal.written()
    assert screen.take() == "abc"
    assert "abc" not in terminal.written()


def test_the_cursor_stands_where_the_next_character_goes(screen, terminal):
    """Also in the middle of a line."""
    type_in(screen, terminal, "abc\x1b[D\x1b[D")
    assert terminal.written().endswith(INPUT + "abc\x1b[2D")


def test_a_question_has_its_own_prompt(screen, terminal):
    """A question that takes a key is shown even though nothing is typed."""
    screen.reply("Hello")
    terminal.written()
    screen.ask("[y/n] ", key=True)
    assert terminal.written() == "\n\r\x1b[K[y/n] "
    screen.lines(["one"])
    assert terminal.written().endswith("\r\x1b[Kone\n\r\x1b[K[y/n] ")


def test_keys_pressed_too_early_can_be_forgotten(screen, terminal):
    """What was typed before a question could be read is not its answer."""
    terminal.type("y")
    screen.discard_typed()
    terminal.type("n")
    assert screen.read() == [Key("text", "n")]


def test_foreign_text_cannot_steer_the_terminal(screen, terminal):
    """Replies and notes are written out where they would."""
    screen.reply("a\x1b[2Jb\n")
    assert terminal.written() == HIDE + "a\\x1b[2Jb\n" + INPUT
    screen.note("c\rd")
    assert terminal.written() == HIDE + "c\\x0dd\n" + INPUT


def test_after_a_stop_the_terminal_is_taken_again(screen, terminal):
    """Whoever ran meanwhile may have left it in another mode."""
    attributes = termios.tcgetattr(terminal.input)
    attributes[3] |= termios.ICANON | termios.ECHO
    termios.tcsetattr(terminal.input, termios.TCSANOW, attributes)
    screen.resume()
    assert not termios.tcgetattr(terminal.input)[3] & (termios.ICANON | termios.ECHO)
    assert terminal.written() == "\x1b[?2004h" + INPUT


def test_a_terminal_that_is_gone_is_the_end_of_input(screen, terminal, monkeypatch):
    """Nothing more to read is a Ctrl-D."""
    monkeypatch.setattr(os, "read", lambda descriptor, size: b"")
    assert screen.read() == [Key("ctrl-d")]
