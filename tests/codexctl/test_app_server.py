import os
import subprocess
import sys

import pytest

from codexctl.carried import config_of
from codexctl.exits import Exit


def run(*words, **how):
    return subprocess.run(
        [sys.executable, "-m", "codexctl.main", *words],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        **how,
    )


@pytest.mark.parametrize(
    "words",
    [
        ["app-server"],
        ["app-server", "--listen", "stdio://", "--socket", "SOCKET"],
        ["--socket", "SOCKET", "app-server", "-c", "model=o3", "--no-start", "--stdio"],
    ],
)
def test_stdin_and_stdout_are_a_client(codexd, words):
    """With Codex's options and codexctl's own, in any order."""
    codexd.answers["initialize"] = lambda connection, params: connection.hang_up()
    words = [str(codexd.path) if word == "SOCKET" else word for word in words]
    run(*words, input='{"id":1,"method":"initialize","params":{}}\n')
    config = config_of(os.environ) | ({"model": "o3"} if "-c" in words else {})
    about = {"cwd": os.getcwd(), "config": config}
    assert codexd.requests("initialize") == [{"capabilities": {"codexd": about}}]


@pytest.mark.parametrize(
    "words",
    [["daemon", "version"], ["--listen", "unix:///x"], ["-c", "model"], ["--listen", "stdio://", "--stdio"]],
)
def test_anything_else_is_wrong_usage(codexctl, capsys, words):
    """It says which program does the rest."""
    assert codexctl("app-server", *words) == Exit.USAGE
    assert "`codexd-codex` hands what it cannot do to Codex" in capsys.readouterr().err


def test_it_may_be_forbidden_to_start_codexd(codexctl, capsys, place):
    """As any verb that would."""
    assert codexctl("app-server", "--no-start") == Exit.UNAVAILABLE
    assert "no codexd listens at" in capsys.readouterr().err


def test_it_explains_itself(capsys, codexctl):
    """`--help` is codexctl's own."""
    with pytest.raises(SystemExit) as ended:
        codexctl("app-server", "--help")
    assert ended.value.code == 0
    assert "stdin and stdout become a client" in capsys.readouterr().out
