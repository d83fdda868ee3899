import os
import subprocess
import sys

import pytest

from codexctl.stand_in import leave_codex_path, main


@pytest.mark.parametrize("words", [["--version"], ["-c", "a=1", "--version"], ["app-server"], []])
def test_asked_who_it_is_it_says_so(capsys, monkeypatch, words):
    """That is how a codexd that looks for a Codex passes it over, and a script that starts it with words of its own."""

    def no_exec(*_: object) -> None:
        raise AssertionError("it becomes another program")

    monkeypatch.setattr(os, "execv", no_exec)
    monkeypatch.setenv("CODEXD_SHIM", "1")
    assert main(words) == 0
    assert capsys.readouterr().out.split()[0] == "codexd-codex"


def test_it_takes_itself_out_of_codex_path(place, monkeypatch):
    """By path, by link, by name; another program stays, and what is not there."""
    program, link = place / "codexd-codex", place / "codex"
    program.touch(mode=0o755)
    link.symlink_to(program)
    other = place / "other"
    other.touch(mode=0o755)

    def left(named: str) -> dict[str, str]:
        environ = {"CODEX_PATH": named, "PATH": str(place)}
        leave_codex_path(environ, str(program))
        return environ

    for own in (str(program), str(link), "codexd-codex", "codex"):
        assert left(own) == {"PATH": str(place)}
    for another in (str(other), "other", "missing", str(place / "missing")):
        assert left(another) == {"CODEX_PATH": another, "PATH": str(place)}
    environ: dict[str, str] = {}
    leave_codex_path(environ, str(program))
    assert environ == {}


@pytest.mark.parametrize("words", [[], ["login", "--x"], ["app-server", "daemon", "version"], ["--version"]])
def test_everything_else_becomes_the_real_codex(place, words):
    """With the same words, by exec: the same process, its exit code."""
    codex = place / "real"
    codex.write_text(
        '#!/bin/sh\n[ "$CODEXD_SHIM" ] && echo codex-cli 0.163.0 && exit\necho "$@"; echo $$; exit 7\n'
    )
    codex.chmod(0o755)
    process = subprocess.Popen(
        [sys.executable, "-m", "codexctl.stand_in", *words],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "CODEX_PATH": str(codex)},
        stdout=subprocess.PIPE,
        text=True,
    )
    said, _ = process.communicate(timeout=60)
    assert (process.returncode, said) == (7, f"{' '.join(words)}\n{process.pid}\n")
