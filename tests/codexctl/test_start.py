import os
import sys

import pytest

from codexctl.start import codexd_command, start_codexd
from codexd.protocol.errors import Unavailable


@pytest.fixture
def beside(place, monkeypatch):
    """A `codexctl` in a directory of its own; the test puts a `codexd` beside it."""
    directory = place / "bin"
    directory.mkdir()
    monkeypatch.setattr(sys, "argv", [str(directory / "codexctl"), "send", "hi"])

    def install(script: str) -> str:
        program = directory / "codexd"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return str(program)

    return install


def test_codexd_is_the_one_beside_codexctl(beside, place, monkeypatch):
    """The same installation, else the same Python, and never one out of the current directory."""
    monkeypatch.setattr(sys, "executable", str(place / "python"))
    assert codexd_command() == [str(place / "python"), "-m", "codexd.service.main"]
    program = beside("exit 0")
    assert codexd_command() == [program]
    monkeypatch.chdir(os.path.dirname(program))
    monkeypatch.setattr(sys, "argv", ["-c"])
    assert codexd_command() == [str(place / "python"), "-m", "codexd.service.main"]
    monkeypatch.setattr(sys, "executable", os.path.join(os.path.dirname(program), "python"))
    assert codexd_command() == [program]


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
    beside('sleep 60 & echo $! > "$(dirname "$0")/pid"; exit 0')
    start_codexd(None)
    with open(os.path.join(os.path.dirname(sys.argv[0]), "pid")) as file:
        os.kill(int(file.read()), 15)
