"""What Codex says on stderr ends in the log: whole lines, bounded, harmless."""

import logging

import pytest

from codexd.runtime.stderr_log import LOGGER_NAME, MAX_LINE_BYTES, StderrLog


@pytest.fixture
def logged(caplog):
    """What was logged so far, as a function."""
    caplog.set_level(logging.INFO, LOGGER_NAME)
    return lambda: [record.getMessage() for record in caplog.records if record.name == LOGGER_NAME]


def test_lines_are_logged_as_they_are_completed(logged):
    """However the bytes come; a character that is split between two reads is nothing special (T14)."""
    log = StderrLog()
    for byte in "grün\nrot\n".encode():
        log.feed(bytes([byte]))
    assert logged() == ["grün", "rot"]
    log.feed(b"no end of line")
    assert logged() == ["grün", "rot"]
    log.end()
    assert logged() == ["grün", "rot", "no end of line"]


@pytest.mark.parametrize("shift", range(4))
def test_long_line_is_cut_between_characters(logged, shift):
    """A line that is too long is cut once, never inside a character.

    Regression T15: sandbox-agent cut its log at a byte, and a non-ASCII character there brought it down.
    """
    log = StderrLog()
    log.feed(b"x" * shift + "🙂".encode() * MAX_LINE_BYTES + b"\nnext\n")
    whole = (MAX_LINE_BYTES - shift) // 4
    assert logged() == ["x" * shift + "🙂" * whole + "…", "next"]


def test_endless_line_is_logged_once(logged):
    """Memory and log stay bounded for a line that never ends."""
    log = StderrLog()
    for _ in range(1000):
        log.feed(b"x" * 1000)
    assert [len(line) for line in logged()] == [MAX_LINE_BYTES + 1]


def test_terminal_control_and_invalid_bytes_do_no_harm(logged):
    """Colours and bells are left out, what is no UTF-8 is shown as such."""
    log = StderrLog()
    log.feed(b"\x1b[2m2026\x1b[0m \x1b[31mERROR\x1b[0m bell\x07 \xff\x1b]0;title\x07\n")
    assert logged() == ["2026 ERROR bell \ufffd]0;title"]


@pytest.mark.parametrize(
    ("said", "explanation"),
    [
        ("", ""),
        ("WARNING: paths\ngone\n", "gone"),
        (
            "WARNING\nError: Model provider `nope` not found\n\nStack backtrace:\n 0: <unknown>\n",
            "Error: Model",
        ),
        ("error: unexpected argument\nFor more information, try '--help'.\n", "error: unexpected argument"),
    ],
)
def test_the_line_that_explains_an_exit_is_found(said, explanation):
    """Codex's `Error:` is followed by a backtrace without names; where there is none, the last line must do."""
    log = StderrLog()
    log.feed(said.encode())
    assert log.explanation.startswith(explanation)
    assert bool(log.explanation) == bool(explanation)


def test_without_memory_some_of_it_is_lost(monkeypatch, caplog):
    """What comes then; it is no reason to give up Codex, or codexd."""
    log = StderrLog()

    def fail(_):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(log._splitter, "feed", fail)
        log.feed(b"lost\n")
        log.end()
    log.feed(b"heard\n")
    assert "missing here" in caplog.text
    assert log.explanation == "heard"
