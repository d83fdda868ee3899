"""The checks of doctor, one by one, in every state of what they look at."""

import os
import re
import signal
import socket
import sys
from typing import Any

import pytest

from codexd.runtime.archive_store import Store
from codexd.service import control_socket, examination, install, locks
from codexd.service.ask import Refused
from codexd.service.examination import examine
from codexd.service.finding import BROKEN, NOTE, OK, Finding
from tests.runtime.events import event
from tests.service.place import Place


def findings(place: Place, name: str, **flags: object) -> list[Finding]:
    """What the checks of this name find."""
    return [finding for finding in examine(place.instance(**flags)) if finding.name == name]


def states(place: Place) -> dict[str, str]:
    """The state of each finding."""
    return {finding.name: finding.state for finding in examine(place.instance())}


def test_a_machine_where_nothing_runs_yet(place: Place) -> None:
    """Before the first start nothing is broken, and the first step is named."""
    place.codex()
    place.codex_home.rmdir()
    assert states(place) == {
        "Codex": OK,
        "CODEX_HOME": NOTE,
        "codexd": NOTE,
        "socket": OK,
        "systemd": NOTE,
        "timeline": OK,
        "log": OK,
        "observability": OK,
    }
    (codexd,) = findings(place, "codexd")
    assert codexd.remedy == "codexd start"


def test_a_codexd_that_runs(place: Place) -> None:
    """Who runs, on which socket, with which Codex, signed in or not: asked of the one that runs."""
    place.codex()
    place.run("start")
    status = place.ask("codexd/status")["result"]
    pid = status["codexd"]["pid"]
    (lock,) = findings(place, "lock")
    assert lock.text == f"held by pid {pid}, which serves {place.codex_home} on {place.socket}"
    assert findings(place, "socket") == [
        Finding("socket", OK, f"{place.socket}: a socket that somebody listens on (pid {pid})")
    ]
    (state,) = findings(place, "Codex's state")
    assert (state.state, state.text) == (OK, f"ready (pid {status['codex']['pid']}), restarted 0 times")


def test_a_codex_that_is_just_starting(place: Place) -> None:
    """That is no fault, and nothing is asked of it that it would answer only when it is ready."""
    place.program("codex", '[ "$1" = --version ] && echo codex-cli 0.163.0 && exit; exec sleep 1000')
    process = place.start("run")
    place.wait_until_listening(process)
    assert findings(place, "Codex's state") == [Finding("Codex's state", NOTE, "starting")]
    assert findings(place, "account") == []


@pytest.mark.parametrize(
    ("answer", "finding"),
    [
        ({"account": None, "requiresOpenaiAuth": True}, Finding("account", BROKEN, "Codex is not signed in", "codex login, or codexd-codex login")),
        ({"account": None, "requiresOpenaiAuth": False}, Finding("account", OK, "none is needed for its model provider")),
        ({"account": {"type": "chatgpt", "email": "me@x"}, "requiresOpenaiAuth": True}, Finding("account", OK, "chatgpt")),
    ],
)  # fmt: skip
def test_signed_in_or_not(place: Place, answer: dict[str, object], finding: Finding) -> None:
    """What Codex says of its account, without whose it is."""

    class Answers:
        def ask(self, method: str, params: object = None) -> object:
            return answer if method == "account/read" else {}

    codex = {"state": "ready", "pid": 5, "restarts": 0}
    answers: Any = Answers()
    assert list(examination._answers_of_codex(answers, codex))[1:] == [finding]


def test_a_login_that_codex_does_not_have_yet(place: Place) -> None:
    """Codex reads it when it starts, so what it says of its account is not what was logged in."""

    class Answers:
        def ask(self, method: str, params: object = None) -> object:
            return {"account": {"type": "apiKey"}} if method == "account/read" else {}

    codex = {"state": "ready", "pid": 5, "restarts": 0, "loginIsStale": True}
    answers: Any = Answers()
    found = list(examination._answers_of_codex(answers, codex))[1:]
    assert [finding.state for finding in found] == [NOTE, OK]
    assert found[0].text.startswith("the login has changed, and is taken up")


def test_a_configuration_that_codex_cannot_read(place: Place) -> None:
    """Codex's own sentence. Of the account nothing is said: Codex takes itself for signed out then."""

    class Answers:
        def ask(self, method: str, params: object = None) -> object:
            if method == "config/read":
                raise Refused({"code": -32603, "message": "config.toml:1:11: invalid string\nin `model`\n"})
            return {"account": None, "requiresOpenaiAuth": True} if method == "account/read" else {}

    codex = {"state": "ready", "pid": 5, "restarts": 0}
    answers: Any = Answers()
    assert list(examination._answers_of_codex(answers, codex))[1:] == [
        Finding("Codex's configuration", BROKEN, "config.toml:1:11: invalid string in `model`", "correct it")
    ]


def test_a_codex_that_was_updated_since_it_was_started(place: Place) -> None:
    """Which one runs and which one is there, and how to change over; nothing where they are the same."""
    codex = place.codex("0.171.0")
    (noted,) = examination._version(place.instance(), {"version": "0.163.0"})
    assert noted == Finding(
        "Codex's version", NOTE, f"0.163.0 runs, and 0.171.0 is installed: {codex}", "codexd restart"
    )
    for same in ("0.171.0", None):
        assert list(examination._version(place.instance(), {"version": same})) == []
    codex.unlink()
    assert list(examination._version(place.instance(), {"version": "0.163.0"})) == []


@pytest.mark.parametrize(
    ("state", "found"),
    [
        ("exited", Finding("Codex's state", BROKEN, "exited: it died", "codexd start")),
        ("waiting", Finding("Codex's state", NOTE, "waiting: it died")),
    ],
)
def test_a_codex_that_is_down(state: str, found: Finding) -> None:
    """Left down it is broken, with the reason and the way out; one that is being tried again is only noted."""
    codex = {"state": state, "pid": None, "restarts": 4, "reason": "it died"}
    nobody: Any = None
    assert list(examination._answers_of_codex(nobody, codex)) == [found]


def test_a_codexd_that_hangs(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that holds its lock and does not answer is broken."""
    monkeypatch.setattr(examination, "_ANSWER_SECONDS", 0.05)
    place.codex()
    process = place.start("run")
    place.wait_until_listening(process)
    process.send_signal(signal.SIGSTOP)
    (codexd,) = findings(place, "codexd")
    process.send_signal(signal.SIGCONT)
    assert codexd.state == BROKEN
    assert codexd.text.startswith(f"pid {process.pid} runs and does not answer: no answer on the socket")


def test_codex_itself(place: Place) -> None:
    """The binary with its version and where it was found; npm's wrapper is told from it; a missing one is broken."""
    (missing,) = findings(place, "Codex")
    assert missing.state == BROKEN
    path = place.codex()
    assert findings(place, "Codex") == [Finding("Codex", OK, f"0.163.0, {path} (from PATH)")]
    script = place.root / "lib/node_modules/@openai/codex/bin/codex.js"
    machine = os.uname().machine
    native = script.parents[1] / f"vendor/{machine}-unknown-linux-musl/bin/codex"
    for directory in (script.parent, native.parent):
        directory.mkdir(parents=True)
    script.write_text("#!/usr/bin/env node")
    script.chmod(0o755)
    path.rename(native)
    (place.bin / "codex").symlink_to(script)
    (wrapped,) = findings(place, "Codex")
    assert wrapped.text == f"0.163.0, {native}, which npm's {place.bin / 'codex'} starts (from PATH)"


def test_codex_home(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A CODEX_HOME that was named has to be there, and has to be writable."""
    missing = str(place.home / "missing")
    (named,) = findings(place, "CODEX_HOME", codex_home=missing)
    assert named.state == BROKEN
    assert missing in named.text
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert findings(place, "CODEX_HOME") == [
        Finding("CODEX_HOME", BROKEN, f"{place.codex_home} cannot be written: Permission denied")
    ]


def test_the_socket_in_every_state(place: Place) -> None:
    """Nothing, stale, somebody else's, no socket, a directory for others: each is told apart."""
    place.socket.parent.mkdir(0o700)
    assert findings(place, "socket") == [Finding("socket", OK, f"{place.socket}: nothing")]
    with place.listener():
        (foreign,) = findings(place, "socket")
        assert foreign.state == BROKEN
        assert f"something that is not codexd listens there (pid {os.getpid()})" in foreign.text
    (stale,) = findings(place, "socket")
    assert stale.state == NOTE
    assert stale.text.endswith("left by a codexd that was killed; the next start replaces it")
    place.socket.unlink()
    place.socket.symlink_to("/x")
    assert findings(place, "socket")[0].text == f"{place.socket} is a symbolic link"
    place.socket.parent.chmod(0o777)
    (open_to_all,) = findings(place, "socket")
    assert open_to_all.state == BROKEN
    assert "others may write to the directory" in open_to_all.text


def test_a_socket_of_the_config_file(place: Place) -> None:
    """codexctl does not read that file, and finds the codexd that runs by its lock all the same."""
    place.codex()
    elsewhere = place.root / "elsewhere.sock"
    config = place.root / "config" / "codexd" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f'socket = "{elsewhere}"\n')
    process = place.start("run")
    place.wait_until_listening(process, elsewhere)
    (found,) = findings(place, "socket")
    assert (found.state, found.text.startswith(str(elsewhere))) == (OK, True)
    asked = place.start(args=[sys.executable, "-P", "-m", "codexctl.main", "status"])
    out, err = asked.communicate()
    assert (asked.returncode, err) == (0, "")
    assert f"pid {process.pid}" in out
    place.end(process)


def test_a_socket_of_systemd_is_not_touched(place: Place) -> None:
    """To connect would start codexd, and doctor only looks."""
    place.socket.parent.mkdir(0o700)
    place.systemctl().has_installed()
    with place.listener() as listener:
        (found,) = findings(place, "socket")
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert found.text == f"{place.socket}: systemd listens and starts codexd with the first client"


def test_the_service(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not there, not installed, installed, failed; and whether it goes on after a logout."""
    monkeypatch.setattr(install, "lingers", lambda: False)
    assert "no systemd for this user" in findings(place, "systemd")[0].text
    systemctl = place.systemctl()
    systemctl.knows("codexd.service", LoadState="not-found")
    assert findings(place, "systemd")[0].remedy == "codexd install"
    listen = f"{place.socket} (Stream)"
    systemctl.knows(
        "codexd.socket", LoadState="loaded", ActiveState="active", UnitFileState="enabled", Listen=listen
    )
    systemctl.knows(
        "codexd.service", LoadState="loaded", ActiveState="active", UnitFileState="disabled", MainPID=0
    )
    assert findings(place, "systemd") == [
        Finding("systemd", OK, "codexd.socket active (enabled), codexd.service active")
    ]
    assert findings(place, "linger")[0].remedy == "loginctl enable-linger"
    monkeypatch.setattr(install, "lingers", lambda: True)
    assert findings(place, "linger") == []
    systemctl.knows(
        "codexd.service", LoadState="loaded", ActiveState="failed", UnitFileState="disabled", MainPID=0
    )
    assert findings(place, "systemd")[0].state == BROKEN


def test_a_shared_codex_beside_us(place: Place) -> None:
    """Codex's own server on this CODEX_HOME holds its threads: that is worth knowing before one is locked out."""
    assert findings(place, "shared Codex") == []
    control = place.codex_home / "app-server-control" / "app-server-control.sock"
    control.parent.mkdir()
    real = place.root / "real"
    control.symlink_to(real)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(real))
        server.listen()
        (shared,) = findings(place, "shared Codex")
    assert shared.state == NOTE
    assert f"listens at {control} (pid {os.getpid()})" in shared.text
    assert findings(place, "shared Codex") == []


def test_the_control_socket(place: Place) -> None:
    """Where codexd is to listen at Codex's own socket it is said whether it does, and what keeps it from that."""
    place.codex()
    control = control_socket.path_in(place.codex_home)
    config = place.root / "config" / "codexd" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("control_socket = true\n")
    assert findings(place, "control socket") == [Finding("control socket", OK, f"{control}: free")]
    process = place.start("run")
    place.wait_until_listening(process, control)
    assert findings(place, "control socket") == [
        Finding("control socket", OK, f"{control}: codexd listens, and plain `codex` attaches to it")
    ]
    control.unlink()
    assert findings(place, "control socket") == [
        Finding("control socket", NOTE, f"{control}: free", "codexd restart")
    ]
    place.end(process)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(control))
        server.listen()
        (found,) = findings(place, "control socket")
    assert (found.state, found.text.split(";")[0]) == (
        BROKEN,
        f"another server (pid {os.getpid()}) listens at Codex's control socket {control}",
    )


def test_a_control_socket_that_cannot_be(place: Place) -> None:
    """A path that is too long for a socket concerns only who wants one there."""
    home = place.home / ("x" * 80)
    home.mkdir()
    assert not [found for found in examine(place.instance(codex_home=str(home))) if "control" in found.name]
    (found,) = [
        found
        for found in examine(place.instance(codex_home=str(home), control_socket=True))
        if found.name == "control socket"
    ]
    assert (found.state, "choose a CODEX_HOME with a shorter path" in found.text) == (BROKEN, True)


def test_a_program_behind_a_shim(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shim between the shell and codexctl costs more than codexctl itself."""
    monkeypatch.setattr(sys, "argv", ["-c"])
    assert findings(place, "start-up") == []
    program = place.program("codexctl", "")
    program.write_text("#!/root/.pyenv/shims/python3\n")
    (found,) = findings(place, "start-up")
    assert found.text == f"{program} is started through a shim, which costs 85 ms"
    program.write_text("#!/usr/bin/python3\n")
    assert findings(place, "start-up") == []


def test_a_socket_that_is_gone_under_a_codexd(place: Place) -> None:
    """It is told apart from one that is free, with what makes codexd look at once."""
    place.codex()
    process = place.start("run")
    place.wait_until_listening(process)
    while not ((runner := place.instance().runner()) and runner.is_listening):
        assert process.poll() is None
    place.socket.unlink()
    (found,) = findings(place, "socket")
    assert found.state == BROKEN
    assert found.text.startswith(f"{place.socket} is gone; codexd makes it anew within half a minute")
    assert found.remedy == f"kill -HUP {process.pid}; codexd logs"
    place.end(process)


def test_the_log(place: Place) -> None:
    """Where to look is said also when there is nothing yet."""
    assert findings(place, "log")[0].text.startswith(f"{place.log} (not there yet")
    place.log.parent.mkdir(parents=True)
    place.log.touch()
    assert findings(place, "log") == [Finding("log", OK, str(place.log))]


def test_the_timeline(place: Place) -> None:
    """How much of what time is kept, and that it is whole; also while it is written; a damaged one is broken."""
    path = locks.timeline_file(place.environ, place.codex_home)
    path.parent.mkdir(parents=True)
    text = f"{path} (not there yet: codexd makes it when it starts)"
    assert findings(place, "timeline") == [Finding("timeline", OK, text)]
    store = Store(path, 10**6)
    store.begin_life(1)
    (empty,) = findings(place, "timeline")
    assert re.fullmatch(r"no events, 0\.\d MB: .*/timeline.db", empty.text)
    store.write([event(1, at=86400 * 365.0), event(2, at=86400 * 400.0)], [], {}, 2)
    (found,) = findings(place, "timeline")
    assert found.state == OK
    assert re.fullmatch(r"2 events, 0\.\d MB, 1971-01-01 \d\d:00 to 1971-02-05 \d\d:00: .*", found.text)
    store.close()
    path.write_bytes(b"nonsense" * 1000)
    (damaged,) = findings(place, "timeline")
    assert (damaged.state, damaged.text[: len(f"the timeline {path} is damaged")]) == (
        BROKEN,
        f"the timeline {path} is damaged",
    )


def test_a_timeline_that_is_off(place: Place) -> None:
    """What is left of it is named: nobody else will ever remove it."""
    config = place.root / "off.toml"
    config.write_text('timeline = "off"')
    path = locks.timeline_file(place.environ, place.codex_home)
    path.parent.mkdir(parents=True)
    (off,) = findings(place, "timeline", config=str(config))
    assert off == Finding("timeline", OK, "off: events are kept in memory only")
    path.touch()
    (off,) = findings(place, "timeline", config=str(config))
    assert off.text == f"off: events are kept in memory only; {path} is left of a time when it was on"


def test_the_observability_log(place: Place) -> None:
    """The same for what Codex says."""
    path = place.log.with_name("sse_lines.jsonl")
    assert findings(place, "observability")[0].text.startswith(f"{path} (not there yet")
    path.parent.mkdir(parents=True)
    path.touch()
    assert findings(place, "observability") == [Finding("observability", OK, str(path))]
