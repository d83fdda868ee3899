"""stop and restart while turns run, and what restart checks before it stops anything."""

import json
import socket
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from codexd.service.control_socket import path_in
from tests.service.place import PATIENCE_SECONDS, Place
from tests.service.test_control import pid_of


def with_a_turn(place: Place, stack: ExitStack) -> socket.socket:
    """A codexd that runs, with a client on whose thread a turn runs that never ends."""
    place.codex()
    assert place.run("start").returncode == 0
    connection = stack.enter_context(place.connect())
    answers = stack.enter_context(connection.makefile("rb"))
    turn = {"threadId": "T", "turn": {"id": "u"}}
    started = json.dumps({"method": "turn/started", "params": turn}).encode() + b"\n"
    for number, (method, params) in enumerate(
        (
            ("initialize", {"clientInfo": {"name": "test", "version": "1"}}),
            ("thread/resume", {"threadId": "T", "thread": {"id": "T"}}),  # the fake answers with the params
            ("fake/write", {"pieces": [started.hex()]}),
        )
    ):
        request = {"id": number, "method": method, "params": params}
        connection.sendall(json.dumps(request).encode() + b"\n")
        while (answer := json.loads(answers.readline())).get("id") != number:
            if answer.get("method") == "turn/started":  # the fake writes it and does not answer
                break
    return connection


@pytest.mark.parametrize("verb", ["stop", "restart"])
def test_what_is_waited_for_is_said(place: Place, verb: str) -> None:
    """The number of turns, their threads, for how long, and how not to wait."""
    with ExitStack() as stack:
        with_a_turn(place, stack)
        done = place.run(verb, "--drain", "0.01")
        assert done.returncode == 0
        assert done.stderr.startswith(
            "codexd: waiting for 1 running turn, for 0.01 seconds at most: thread T; to end without waiting: codexd stop --now\n"
        )


def test_now_waits_for_no_turn(place: Place) -> None:
    """It is not even mentioned."""
    with ExitStack() as stack:
        with_a_turn(place, stack)
        done = place.run("stop", "--now")
        assert (done.returncode, done.stderr) == (0, "")


def test_a_stop_that_waits_is_ended_by_another(place: Place) -> None:
    """`stop --now` while a `stop` waits: both have what they wanted."""
    with ExitStack() as stack:
        with_a_turn(place, stack)
        patient = place.start("stop", "--drain", "1000")
        place.wait_for_line(patient.stderr, "waiting for 1 running turn")
        assert place.run("stop", "--now").returncode == 0
        patient.communicate(timeout=PATIENCE_SECONDS)
        assert patient.returncode == 0


def broken_config(place: Place) -> list[str]:
    (place.root / "c.toml").write_text("timeline_dais = 3")
    return ["--config", str(place.root / "c.toml")]


def missing_codex(place: Place) -> list[str]:
    (place.bin / "codex").unlink()
    return []


def foreign_socket(place: Place) -> list[str]:
    place.socket.unlink()
    place.socket.touch()
    return []


def taken_control_socket(place: Place) -> list[str]:
    path = path_in(place.codex_home)
    path.parent.mkdir(mode=0o700)
    path.touch()
    return ["--control-socket"]


def missing_home(place: Place) -> list[str]:
    return ["--cwd", "/nonexistent"]


@pytest.mark.parametrize(
    ("obstacle", "culprit"),
    [
        (broken_config, "timeline_dais"),
        (missing_codex, "no Codex found"),
        (foreign_socket, "codexd.sock exists and is no socket"),
        (taken_control_socket, "control socket"),
        (missing_home, "/nonexistent"),
    ],
)
def test_a_restart_that_could_not_start_stops_nothing(
    place: Place, obstacle: Callable[[Place], list[str]], culprit: str
) -> None:
    """Settings, Codex and sockets are looked at first: the codexd that runs goes on, and it is said why."""
    place.codex()
    assert place.run("start").returncode == 0
    pid = pid_of(place)
    arguments = obstacle(place)
    done = place.run("restart", *arguments)
    assert done.returncode in (1, 2, 3)
    assert culprit in done.stderr
    assert "Traceback" not in done.stderr
    runner = place.instance().runner()
    assert runner is not None
    assert runner.pid == pid
    if obstacle is not broken_config:
        assert f"not restarted, codexd (pid {pid}) goes on as it was: " in done.stderr
