"""codexd in the foreground: what it takes, what it says, and how it ends."""

import fcntl
import json
import logging
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import trio

from codexd.service import locks
from codexd.service.arguments import DRAIN_SECONDS
from codexd.service.control_socket import path_in
from codexd.service.daemon import STOP_SECONDS, Ending
from codexd.service.unserved import turn_away
from tests.service.place import PATIENCE_SECONDS, Place, handed_over

SAYS_ITS_VERSION = '[ "$1" = --version ] && echo codex-cli 0.163.0 && exit'


@pytest.fixture
def heard(place: Place) -> Iterator[socket.socket]:
    """The notify socket of whoever starts codexd; its address is in the environment."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(place.root / "notify"))
        manager.settimeout(PATIENCE_SECONDS)
        place.environ["NOTIFY_SOCKET"] = str(place.root / "notify")
        yield manager


def next_said(heard: socket.socket) -> dict[str, str]:
    """The next message to the starter."""
    return dict(line.split("=", 1) for line in heard.recv(65536).decode().split("\n"))


def lines_in(path: Path) -> list[dict[str, Any]]:
    """What an observability log says; nothing when it is not there yet."""
    return [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []


def wait_until(holds: Callable[[], bool]) -> None:
    """Asks until it holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def ask_codex(place: Place, method: str, params: object, until: str | None = None) -> None:
    """A client asks Codex, and waits for the answer, or for a message of this method."""
    hello = {"id": 0, "method": "initialize", "params": {"clientInfo": {"name": "t", "version": "1"}}}
    with place.connect() as connection, connection.makefile("rb") as said:
        for message in (hello, {"id": 1, "method": method, "params": params}):
            connection.sendall(json.dumps(message).encode() + b"\n")
        for line in said:
            message = json.loads(line)
            if message.get("id") == 1 or (until is not None and message.get("method") == until):
                return
    raise AssertionError("codexd hung up")


def nothing_is_left(place: Place) -> bool:
    """No socket, no lock that is held, no process."""
    settings = place.instance().settings
    held = [locks.socket_lock(settings.socket), locks.home_lock(place.environ, settings.codex_home)]
    return not place.socket.exists() and not any(map(locks.holder, held)) and place.strays() == []


def test_from_start_to_end(place: Place, heard: socket.socket) -> None:
    """codexd says READY when Codex is ready, serves, and a SIGTERM ends it in good order: status 0, nothing left."""
    place.codex()
    process = place.start("run")
    said = next_said(heard)
    assert said == {"READY": "1", "STATUS": "serving"}
    status = place.ask("codexd/status")["result"]
    assert status["codexd"] == {
        "pid": process.pid,
        "version": "0.1.0",
        "startedAt": status["codexd"]["startedAt"],
        "socket": str(place.socket),
        "codexHome": str(place.codex_home),
        "drainingUntil": None,
    }
    assert status["codex"]["state"] == "ready"
    assert place.socket.stat().st_mode & 0o777 == 0o600
    assert place.end(process) == 0
    assert next_said(heard) == {"STOPPING": "1", "STATUS": "stopping"}
    assert nothing_is_left(place)


def test_codex_is_spawned_as_the_settings_say(place: Place, heard: socket.socket) -> None:
    """The limits, names and overrides of the settings reach the broker and Codex."""
    place.codex()
    config = place.root / "c.toml"
    config.write_text('codex_config = ["model=x"]\nmax_message_bytes = 1000\nclient_name = "mine"\n')
    place.start("run", "--config", str(config), "--cwd", str(place.root))
    next_said(heard)
    with place.connect() as connection, connection.makefile("rb") as answers:
        connection.sendall(b'{"id":7,"method":"x","params":{"y":"%s"}}\n' % (b"z" * 1000))
        assert json.loads(answers.readline())["error"]["code"] == -32053
        connection.sendall(b'{"id":8,"method":"codexd/status"}\n')
        codex = json.loads(answers.readline())["result"]["codex"]["pid"]
    assert psutil.Process(codex).cwd() == str(place.root)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_while_codex_is_asked_for_its_version(place: Place, number: signal.Signals) -> None:
    """There is no state in which a signal is not obeyed: here Codex hangs before anything is served."""
    place.program("codex", "touch $HOME/asked; exec sleep 1000")
    process = place.start("run")
    while not (place.home / "asked").exists():
        assert process.poll() is None
    assert place.end(process, number) == 0
    assert nothing_is_left(place)


def test_a_stop_while_codex_does_not_answer(place: Place) -> None:
    """A Codex that never answers, and ignores what it is told, is no reason to stay; nor are clients (T5)."""
    place.program("codex", f"{SAYS_ITS_VERSION}; trap '' TERM; while :; do sleep 1000; done")
    process = place.start("run")
    place.wait_until_listening(process)
    with place.connect() as client:
        client.sendall(b'{"id":1,"method":"initialize","params":{"clientInfo":{"name":"a","version":"1"}}}\n')
        assert place.end(process) == 0
    assert nothing_is_left(place)


def test_a_stop_before_the_event_loop(place: Place) -> None:
    """While modules are still being imported a SIGTERM ends codexd just as well."""
    (place.bin / "trio.py").write_text("import sys; print('here', flush=True); sys.stdin.read()")
    script = (
        "import sys; from codexd.service.main import main; sys.path.insert(0, sys.argv[1]); main(['run'])"
    )
    process = place.start(args=[sys.executable, "-c", script, place.bin], stdin=subprocess.PIPE)
    place.wait_for_line(process.stdout, "here")
    assert place.end(process) == 0


def test_a_missing_codex_ends_it_at_once(place: Place, heard: socket.socket) -> None:
    """Without a Codex there is nothing to serve: one sentence, exit code 3, no READY, no socket."""
    done = place.run("run", "--codex", "/nowhere/codex")
    sentence = "no Codex found: there is no file /nowhere/codex (from --codex)"
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith(f"codexd: {sentence}")
    assert done.stderr.count("\n") == 1
    assert next_said(heard)["STATUS"].startswith(sentence)
    assert nothing_is_left(place)


def test_an_old_codex_ends_it_at_once(place: Place) -> None:
    """A Codex that is too old is refused with what to do about it."""
    place.codex("0.150.0")
    done = place.run("run")
    assert done.returncode == 3
    assert "is too old: codexd needs 0.151 or newer; update it" in done.stderr


def test_a_codex_that_dies_is_no_end(place: Place, heard: socket.socket) -> None:
    """When Codex cannot stay alive codexd does: it says so to its starter and to every client that asks."""
    place.codex(start=[["die", {"status": 1}]])
    place.start("run")
    said = next_said(heard)
    assert said["READY"] == "1"
    assert said["STATUS"].startswith("serving; Codex was not available at the start: ")
    assert place.ask("codexd/status")["result"]["codex"]["state"] != "ready"


def test_a_second_codexd_says_who_runs(place: Place, heard: socket.socket) -> None:
    """One codexd per CODEX_HOME and one per socket; the second says who it is that runs, and disturbs nobody (T9)."""
    place.codex()
    first = place.start("run")
    next_said(heard)
    complaint = f"codexd already runs for {place.codex_home}: pid {first.pid}, socket {place.socket}\n"
    for arguments in ((), ("--socket", str(place.root / "other.sock"))):
        second = place.run("run", *arguments)
        assert (second.returncode, second.stderr) == (3, f"codexd: {complaint}")
    other = place.home / "other"
    other.mkdir()
    third = place.run("run", "--codex-home", str(other), "--socket", str(place.socket))
    assert (third.returncode, third.stderr) == (3, f"codexd: {complaint}")
    assert place.ask("codexd/status")["result"]["codexd"]["pid"] == first.pid
    assert not (place.root / "other.sock").exists()


def test_two_homes_are_two_codexds(place: Place) -> None:
    """Another CODEX_HOME has its own socket, and neither knows of the other."""
    place.codex()
    other = place.home / "other"
    other.mkdir()
    one, two = place.start("run"), place.start("run", "--codex-home", str(other))
    place.wait_until_listening(one)
    path = place.instance(codex_home=str(other)).settings.socket
    place.wait_until_listening(two, path)
    pids = [place.ask("codexd/status", each)["result"]["codexd"]["pid"] for each in (place.socket, path)]
    assert pids == [one.pid, two.pid]
    assert place.end(two) == 0
    assert place.socket.exists()
    assert not path.exists()


def test_a_kill_leaves_nothing_that_is_in_the_way(place: Place) -> None:
    """After kill -9 the socket is stale and the locks are free: the next codexd starts as if nothing had been."""
    place.codex()
    first = place.start("run")
    place.wait_until_listening(first)
    place.end(first, signal.SIGKILL)
    assert place.socket.exists()
    second = place.start("run")
    place.wait_until_listening(second)
    assert place.ask("codexd/status")["result"]["codexd"]["pid"] == second.pid
    assert place.end(second) == 0
    assert nothing_is_left(place)


def test_the_second_signal_does_not_wait(place: Place, heard: socket.socket) -> None:
    """Who says stop twice means it."""
    place.codex(ignore=["SIGTERM", "EOF"])
    process = place.start("run")
    next_said(heard)
    process.send_signal(signal.SIGTERM)
    assert next_said(heard)["STOPPING"] == "1"
    process.send_signal(signal.SIGTERM)
    place.wait_for_line(process.stderr, "told to stop again: not waiting any longer")
    process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0
    assert nothing_is_left(place)


def test_sighup_opens_the_log_again(place: Place, heard: socket.socket) -> None:
    """logrotate moves the file and says HUP; the service manager is told that this was a reload."""
    place.codex()
    logs = place.root / "logs"
    process = place.start("run", "--log-dir", str(logs))
    next_said(heard)
    wait_until(lambda: lines_in(logs / "sse_lines.jsonl") != [])
    (logs / "codexd.log").rename(logs / "moved")
    (logs / "sse_lines.jsonl").rename(logs / "moved_lines")
    process.send_signal(signal.SIGHUP)
    assert next_said(heard)["RELOADING"] == "1"
    assert next_said(heard) == {"READY": "1"}
    assert "the log goes on" in (logs / "codexd.log").read_text()
    ask_codex(place, "echo", {})
    assert place.end(process) == 0
    assert [line["method"] for line in lines_in(logs / "moved_lines")] == ["initialize"]
    assert [line["method"] for line in lines_in(logs / "sse_lines.jsonl")] == ["echo"]


@pytest.mark.parametrize("wanted", [False, True])
def test_what_codex_says_is_in_the_observability_log(
    place: Place, heard: socket.socket, wanted: bool
) -> None:
    """Its content only when that is wanted, and then without secrets."""
    place.codex()
    config = place.root / "c.toml"
    config.write_text(f"log_content = {json.dumps(wanted)}\n")
    process = place.start("run", "--config", str(config))
    next_said(heard)
    asked = {"method": "x/ask", "params": {"why": "because", "password": "PLANTED"}}
    ask_codex(place, "fake/ask", asked, until="x/ask")
    assert place.end(process) == 0
    path = place.log.with_name("sse_lines.jsonl")
    assert [(line["kind"], line["method"]) for line in lines_in(path)] == [
        ("response", "initialize"),
        ("request", "x/ask"),
    ]
    assert lines_in(path)[1].get("params") == (
        {"why": "because", "password": "[redacted]"} if wanted else None
    )
    assert b"PLANTED" not in path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600


def test_sighup_before_ready_says_nothing_to_the_starter(place: Place, heard: socket.socket) -> None:
    """A reload is not READY: whoever waits for codexd to come up would be told too early."""
    place.program("codex", f"{SAYS_ITS_VERSION}; touch $HOME/begun; exec sleep 1000")
    process = place.start("run")
    while not (place.home / "begun").exists():
        assert process.poll() is None
    process.send_signal(signal.SIGHUP)
    place.wait_for_line(process.stderr, "the log goes on")
    assert place.end(process) == 0
    assert next_said(heard) == {"STOPPING": "1", "STATUS": "stopping"}


def test_it_ends_with_its_terminal(place: Place, heard: socket.socket) -> None:
    """A codexd in the foreground of a terminal that is closed would be one that nobody sees any more."""
    place.codex()
    outside, inside = pty.openpty()
    process = place.start(
        "run", stdin=inside, stdout=inside, stderr=inside, start_new_session=True, preexec_fn=take_terminal
    )
    os.close(inside)
    next_said(heard)
    os.close(outside)
    assert next_said(heard)["STOPPING"] == "1"
    assert process.wait(PATIENCE_SECONDS) == 0
    assert nothing_is_left(place)


def take_terminal() -> None:
    """Makes stdin the controlling terminal."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_a_socket_of_the_service_manager_is_taken_over(place: Place, heard: socket.socket) -> None:
    """Clients that came before codexd did are served; the socket is not ours to remove."""
    place.codex()
    place.socket.parent.mkdir()
    with place.listener() as listener:
        with place.connect() as early:
            early.sendall(b'{"id":1,"method":"codexd/status","params":{}}\n')
            process = place.start("run", **handed_over(place.command("run"), listener.fileno()))
            next_said(heard)
            with early.makefile("rb") as answers:
                assert json.loads(answers.readline())["result"]["codexd"]["socket"] == str(place.socket)
            assert locks.holder(locks.socket_lock(place.socket)) is not None
        assert place.end(process) == 0
        assert place.socket.exists()


def remove(place: Place, what: str) -> None:
    """Takes something away that a codexd stands on."""
    lock = place.instance().home_lock()
    paths = {
        "socket": [place.socket],
        "runtime directory": [place.socket.parent],
        "state directory": [lock.parent.parent],
        "locks": [lock, place.instance().name_file(), locks.socket_lock(place.socket)],
        "all but the CODEX_HOME": [place.socket.parent, lock.parent.parent, place.instance().name_file()],
    }
    for path in paths[what]:
        while path.is_dir():  # Codex may be writing its schema there
            shutil.rmtree(path, ignore_errors=True)
        path.unlink(missing_ok=True)


@pytest.mark.parametrize(
    "what", ["socket", "runtime directory", "state directory", "locks", "all but the CODEX_HOME"]
)
def test_what_it_stands_on_is_made_anew(place: Place, heard: socket.socket, what: str) -> None:
    """A SIGHUP has codexd look; who is connected notices nothing, and nothing is left at the end."""
    place.codex()
    process = place.start("run")
    next_said(heard)
    with place.connect() as client, client.makefile("rb") as answers:
        remove(place, what)
        process.send_signal(signal.SIGHUP)
        place.wait_for_line(process.stderr, "was gone, and has been made anew")
        wait_until(lambda: place.socket.exists() and place.instance().runner() is not None)
        assert place.ask("codexd/status")["result"]["codexd"]["pid"] == process.pid
        client.sendall(b'{"id":1,"method":"codexd/status","params":{}}\n')
        assert json.loads(answers.readline())["result"]["codexd"]["pid"] == process.pid
    runner = place.instance().runner()
    assert runner is not None
    assert (runner.pid, runner.is_listening) == (process.pid, True)
    assert place.end(process) == 0
    assert nothing_is_left(place)


@pytest.mark.parametrize("what", ["state directory", "locks", "all but the CODEX_HOME"])
def test_a_second_codexd_is_refused_whatever_is_removed(
    place: Place, heard: socket.socket, what: str
) -> None:
    """Before anybody has noticed the loss, and from another environment: its sweep would end the first one's Codex."""
    place.codex()
    first = place.start("run")
    next_said(heard)
    codex = place.ask("codexd/status")["result"]["codex"]["pid"]
    remove(place, what)
    elsewhere = {name: str(place.root / "elsewhere") for name in ("XDG_STATE_HOME", "XDG_RUNTIME_DIR")}
    (place.root / "elsewhere").mkdir(0o700)
    for env in ({}, elsewhere):
        second = place.run("run", env=env)
        assert second.returncode == 3
        assert f"{first.pid}" in second.stderr
    assert psutil.Process(codex).is_running()
    assert place.end(first) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows the open files of others")
def test_a_second_one_is_impossible_when_all_of_it_is_removed(place: Place, heard: socket.socket) -> None:
    """Regression: with the CODEX_HOME and every lock gone at once, it served. Now the first one has all of it again."""
    place.codex()
    first = place.start("run")
    next_said(heard)
    codex = place.ask("codexd/status")["result"]["codex"]["pid"]
    remove(place, "all but the CODEX_HOME")
    place.codex_home.rename(place.home / "old")
    second = place.run("run")
    assert second.returncode == 3
    assert (
        f"codexd already runs for {place.codex_home}: pid {first.pid}, socket {place.socket}" in second.stderr
    )
    place.wait_until_listening(first)
    assert place.ask("codexd/status")["result"]["codex"]["pid"] == codex
    assert place.end(first) == 0


def test_who_has_taken_over_is_the_one(place: Place, heard: socket.socket) -> None:
    """Of a CODEX_HOME that was replaced, before codexd had looked: codexd ends."""
    place.codex()
    first = place.start("run")
    next_said(heard)
    place.codex_home.rename(place.home / "old")
    place.codex_home.mkdir(0o700)
    taken = os.open(place.codex_home, os.O_RDONLY)
    fcntl.flock(taken, fcntl.LOCK_EX)
    first.send_signal(signal.SIGHUP)
    place.wait_for_line(first.stderr, "another codexd has it now; this one ends")
    first.communicate(timeout=PATIENCE_SECONDS)
    assert first.returncode == 0
    os.close(taken)


def test_no_codex_is_started_for_a_home_that_was_replaced(place: Place, heard: socket.socket) -> None:
    """It may be another codexd's by now; once the new directory is locked, Codex is started for it."""
    place.codex()
    process = place.start("run")
    next_said(heard)
    place.codex_home.rename(place.home / "old")
    place.codex_home.mkdir(0o700)
    psutil.Process(place.ask("codexd/status")["result"]["codex"]["pid"]).kill()
    place.wait_for_line(process.stderr, f"the CODEX_HOME {place.codex_home} has been replaced")
    wait_until(lambda: place.ask("codexd/status")["result"]["codex"]["state"] == "ready")
    assert (place.codex_home / "codexd.lock").exists()
    assert place.end(process) == 0


def test_a_log_whose_directory_is_gone_goes_on(place: Place, heard: socket.socket) -> None:
    """The log file is in the state directory: what is said after its loss is in a new one."""
    place.codex()
    process = place.start("run", "--log-dir", str(place.root / "state" / "log"))
    next_said(heard)
    remove(place, "state directory")
    process.send_signal(signal.SIGHUP)
    log = place.root / "state" / "log" / "codexd.log"
    wait_until(lambda: log.exists() and "the log goes on" in log.read_text())
    assert place.end(process) == 0


def test_a_socket_of_the_service_manager_that_is_gone_is_made_anew(
    place: Place, heard: socket.socket
) -> None:
    """By codexd, because systemd does not notice; what is to be done is in the log."""
    place.codex()
    place.socket.parent.mkdir(0o700)
    with place.listener() as listener:
        process = place.start("run", **handed_over(place.command("run"), listener.fileno()))
        next_said(heard)
        place.socket.unlink()
        process.send_signal(signal.SIGHUP)
        place.wait_for_line(process.stderr, "only systemd can make its own anew")
        assert place.ask("codexd/status")["result"]["codexd"]["pid"] == process.pid
        assert place.end(process) == 0
        assert not place.socket.exists()


@pytest.mark.parametrize("how", ["flag", "setting"])
def test_codexs_own_socket_is_served_too(place: Place, heard: socket.socket, how: str) -> None:
    """The same codexd answers on both, whoever made the first one; at the end the second is gone."""
    place.codex()
    control = path_in(place.codex_home)
    if how == "flag":
        process = place.start("run", "--control-socket")
    else:
        config = place.root / "config" / "codexd" / "config.toml"
        config.parent.mkdir(parents=True)
        config.write_text("control_socket = true\n")
        place.socket.parent.mkdir(0o700)
        with place.listener() as listener:
            process = place.start(**handed_over(place.command("run"), listener.fileno()))
    assert next_said(heard)["READY"] == "1"
    for path in (place.socket, control):
        assert place.ask("codexd/status", path)["result"]["codexd"]["pid"] == process.pid
    assert place.end(process) == 0
    assert not os.path.lexists(control)


def test_codexs_own_socket_is_not_taken_from_a_server_that_answers(place: Place) -> None:
    """codexd does not come up half: it ends with the sentence, and leaves nothing."""
    place.codex()
    control = path_in(place.codex_home)
    control.parent.mkdir(0o700)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(control))
        server.listen()
        done = place.run("run", "--control-socket")
    assert done.returncode == 3
    assert done.stderr.startswith(
        f"codexd: another server (pid {os.getpid()}) listens at Codex's control socket {control}; "
    )
    assert control.is_socket()
    assert nothing_is_left(place)


def test_clients_of_the_service_manager_are_told_why_nobody_serves_them(place: Place) -> None:
    """Left unanswered, a client on systemd's socket makes it start codexd again and again until it gives up for good."""
    place.socket.parent.mkdir()
    with place.listener() as listener:
        for arguments, code in ((["--codex=/nowhere"], 3), (["--cwd=/nowhere"], 2)):
            with place.connect() as client, client.makefile("rb") as answers:
                client.sendall(b'{"id":1,"method":"initialize"}\n')
                process = place.start(
                    "run", **handed_over(place.command("run", *arguments), listener.fileno())
                )
                _, err = process.communicate(timeout=PATIENCE_SECONDS)
                assert process.returncode == code
                answer = json.loads(answers.readline())
                assert answer["id"] is None
                assert answer["error"]["code"] == -32050
                assert err == f"codexd: {answer['error']['message']}\n"


def test_turning_away_a_client_that_speaks_websocket(place: Place) -> None:
    """It is told in HTTP, which is what it waits for."""
    place.socket.parent.mkdir()
    with place.listener() as listener, place.connect() as client, client.makefile("rb") as answers:
        client.sendall(b"GET /rpc HTTP/1.1\r\n\r\n")
        turn_away(listener, "no Codex")
        assert answers.read() == (
            b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n"
            b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 9\r\n\r\nno Codex\n"
        )


def test_turning_away_a_client_that_has_left(place: Place) -> None:
    """A client that did not wait is no trouble."""
    place.socket.parent.mkdir()
    with place.listener() as listener:
        place.connect().close()
        turn_away(listener, "no")
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_the_demo_brings_its_own_model(place: Place, heard: socket.socket) -> None:
    """--demo has a CODEX_HOME of its own with the scripted model in it, and says how to talk to it."""
    place.codex()
    process = place.start("run", "--demo")
    next_said(heard)
    home = place.root / "state" / "codexd" / "demo-codex-home"
    line = place.wait_for_line(process.stderr, "talk to it with")
    path = place.instance(codex_home=str(home)).settings.socket
    assert line.endswith(f"CODEX_HOME={home} CODEXD_SOCKET={path} codexctl send hello\n")
    assert 'model_provider = "scripted"' in (home / "config.toml").read_text()
    assert place.end(process) == 0


class Asked:
    """Who is asked to stop: the waits that were given, and when there is nothing left to shorten."""

    def __init__(self, takes: int) -> None:
        self.drains: list[float] = []
        self._takes = takes

    def __call__(self, drain: float) -> bool:
        self.drains.append(drain)
        return len(self.drains) <= self._takes


async def test_the_first_request_to_stop_asks(autojump_clock: trio.testing.MockClock) -> None:
    """Asked once, it is given its time, and the turns theirs, and no more."""
    asked = Asked(1)
    ending = Ending(asked)
    with ending.scope:
        ending.request(3.0)
        await trio.sleep_forever()
    assert asked.drains == [3.0]
    assert trio.current_time() == 3.0 + STOP_SECONDS


async def test_the_second_request_to_stop_waits_for_no_turn(autojump_clock: trio.testing.MockClock) -> None:
    """What codexd itself has to do at its end is still waited for."""
    asked = Asked(2)
    ending = Ending(asked)
    with ending.scope:
        ending.request()
        await trio.sleep(1)
        ending.request()
        await trio.sleep_forever()
    assert asked.drains == [DRAIN_SECONDS, 0.0]
    assert trio.current_time() == 1 + STOP_SECONDS


async def test_once_no_turn_is_waited_for_a_request_to_stop_cuts_off(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Who asks then does not want to wait at all."""
    asked = Asked(1)
    ending = Ending(asked)
    with ending.scope:
        ending.request()
        ending.request()
        await trio.sleep_forever()
    assert trio.current_time() == 0
    assert caplog.record_tuples == [
        ("codexd.service.daemon", logging.WARNING, "told to stop again: not waiting any longer")
    ]
