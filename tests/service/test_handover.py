"""A restart that is handed over. With the real Codex: tests/e2e/test_restart_by_an_agent.py."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import psutil
import pytest

from codexd.protocol.running import Holder
from codexd.protocol.sandbox import MARK_VARIABLE
from codexd.service import control, handover, options_on_stdin
from codexd.service.arguments import DRAIN_SECONDS
from codexd.service.errors import ServiceError
from tests.service.place import Place

OPTIONS = ("--cwd=/", '--codex-config=mcp_servers.x.args=["PLANTED"]')


def holder(pid: int, machine: str = "") -> Holder:
    """A codexd with this pid."""
    return Holder(pid, "/s", "/h", machine)


def test_who_started_this_process_is_above_it() -> None:
    """Not this process itself, and no pid of another machine."""
    assert handover.is_below(holder(os.getppid()))
    assert not handover.is_below(holder(os.getpid()))
    assert not handover.is_below(holder(os.getppid(), machine="another"))


def test_nothing_is_stopped_before_the_command_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that was halted, say, would be ended together with the process that is to start codexd again."""
    handover.wait_until_left(os.getpid())
    monkeypatch.setattr(handover, "PARTING_SECONDS", 0.0)
    with pytest.raises(ServiceError, match=f"not restarted: .* \\(pid {os.getppid()}\\) does not end"):
        handover.wait_until_left(os.getppid())


def test_the_new_codexd_has_the_environment_of_the_old_one(place: Place) -> None:
    """Codex changes that of its commands. Which codexd is meant is the command's to say, and the mark is nobody's."""
    process = place.start(args=["sleep", "1000"], env={"KEY": "k", "CODEX_HOME": "/old", MARK_VARIABLE: "m"})
    environ = {"CODEX_HOME": "/new", "CODEX_THREAD_ID": "t", MARK_VARIABLE: "m"}
    old = psutil.Process(process.pid).environ()
    new = handover._environment(holder(process.pid), environ)
    assert new == {name: value for name, value in old.items() if name != MARK_VARIABLE} | {
        "CODEX_HOME": "/new"
    }
    place.end(process)
    assert handover._environment(holder(process.pid), environ) == {
        "CODEX_HOME": "/new",
        "CODEX_THREAD_ID": "t",
    }


def test_no_secret_is_on_the_command_line_of_who_takes_over(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The options come over stdin, also those that a first restart had kept."""
    seen: list[tuple[list[str], bytes]] = []

    class Child:
        def __init__(self, argv: list[str], stdin: IO[bytes], **_: object) -> None:
            seen.append((argv, stdin.read()))

    monkeypatch.setattr(subprocess, "Popen", Child)
    for name, value in place.environ.items():
        monkeypatch.setenv(name, value)
    handover.hand_over(place.instance(*OPTIONS), holder(os.getppid()))
    ((argv, said),) = seen
    assert argv[-3:] == [f"--after={os.getpid()}", "--cwd=/", options_on_stdin.FLAG]
    assert json.loads(said) == [OPTIONS[1]]


def test_no_secret_is_on_the_command_line_of_a_restart_that_leaves_codex(place: Place) -> None:
    """It begins anew without the mark, and may wait long for running turns then."""
    script = """
import os, sys
from codexd.service import command
def execve(program, argv, environ):
    print(argv[-3:], os.read(0, 1000).decode(), "CODEXD_MARK" in environ)
    sys.exit()
os.execve = execve
command.run_command(sys.argv[1:])
"""
    argv = ["restart", "--drain", "7", *OPTIONS]
    done = place.run(args=[sys.executable, "-c", script, *argv], env={MARK_VARIABLE: "m"})
    assert done.stderr == ""
    flag = options_on_stdin.FLAG
    assert done.stdout == f"{['--drain=7.0', '--cwd=/', flag]} {json.dumps([OPTIONS[1]])} False\n"


def test_a_service_of_systemd_is_handed_over_too(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`codexd logs` shows the journal then, so the file is named."""
    place.codex()
    place.systemctl().has_installed()
    runner = holder(os.getppid())
    monkeypatch.setattr(control, "_check_first", lambda instance, is_service: runner)
    handed = []

    def hand_over(*what: object) -> Path:
        handed.append(what)
        return place.log

    monkeypatch.setattr(handover, "hand_over", hand_over)
    instance = place.instance()
    assert control.restart(instance, DRAIN_SECONDS) == 0
    assert handed == [(instance, runner)]
    assert capsys.readouterr().out.endswith(f"see: {place.log}\n")
