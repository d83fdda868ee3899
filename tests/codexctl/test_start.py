import os

import pytest

from codexctl.start import start_codexd
from codexd.protocol.errors import Unavailable


@pytest.fixture
def beside(place, monkeypatch):
    """A codexd that is a script of the test's."""

    def install(script: str) -> str:
        program = place / "codexd"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setattr("codexctl.start.own_command", lambda: [str(program)])
        return str(program)

    return install


def test_it_is_told_which_socket_was_asked_for(beside, place):
    """`--socket` holds for both."""
    beside(f'echo "$@" > {place}/said')
    start_codexd(None)
    assert (place / "said").read_text() == "start\n"
    start_codexd("/tmp/there.sock")
    assert (place / "said").read_text() == "start --socket /tmp/there.sock\n"


def test_its_own_sentence_says_why_it_did_not_start(beside):
    """The user gets what codexd said, without its name in front twice."""
    beside('echo "codexd: no Codex found: install one" >&2; exit 3')
    with pytest.raises(Unavailable, match=r"^no Codex found: install one$"):
        start_codexd(None)
    program = beside("exit 7")
    with pytest.raises(Unavailable, match=rf"^codexd did not start \(`{program} start` exited with 7\)$"):
        start_codexd(None)


def test_what_it_leaves_running_is_not_waited_for(beside):
    """The daemon may keep stderr open for as long as it lives."""
    program = beside('sleep 60 & echo $! > "$(dirname "$0")/pid"; exit 0')
    start_codexd(None)
    with open(os.path.join(os.path.dirname(program), "pid")) as file:
        os.kill(int(file.read()), 15)


def test_where_it_cannot_be_run_that_is_said(monkeypatch):
    """A Python that has been removed since, or one that does not know where it is, is no reason for a traceback."""
    for python in ("/nonexistent/python", ""):
        monkeypatch.setattr("codexctl.start.own_command", lambda python=python: [python])
        with pytest.raises(Unavailable, match=r"^codexd cannot be started: "):
            start_codexd(None)
