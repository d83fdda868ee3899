"""What the end-to-end tests stand on: a world that notices leftovers, a client, a terminal."""

import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.harness import World
from tests.e2e.harness_client import JsonLinesClient
from tests.e2e.harness_terminal import CTRL_C, ENTER, Terminal
from tests.e2e.harness_tmux import Tmux

pytestmark = pytest.mark.e2e


@pytest.fixture
def place(codex: Path) -> World:
    """A world that the test itself closes."""
    return World(codex)


def talking_to(world: World, program: str) -> JsonLinesClient:
    """A client on the stdio of a Python program."""
    process = world.spawn([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin
    assert process.stdout
    return JsonLinesClient(process.stdout, process.stdin)


def test_what_left_its_session_is_found_killed_and_reported(place: World) -> None:
    """A command that called setsid survives even Codex's own exit."""
    codex = place.bare_codex()
    thread_id = codex.start_thread()
    turn_id = codex.start_turn(thread_id, "run setsid sleep 654 >/dev/null 2>&1 &")
    codex.answer(codex.wait_server_request("item/commandExecution/requestApproval"), {"decision": "accept"})
    codex.wait_turn(turn_id)
    (left,) = place.close()
    assert left.endswith("sleep 654")
    assert place.living() == []
    assert not place.root.exists()


def test_what_ignores_the_order_to_end_is_reported(place: World) -> None:
    """A test that leaves it would otherwise slow every other."""
    program = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"
    process = place.spawn([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    place.grace_s = 0.2
    (left,) = place.close()
    assert program in left
    assert process.returncode == -signal.SIGKILL


def test_programs_of_a_world_know_nothing_outside_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sockets, state and settings of whoever runs the tests are out of reach."""
    monkeypatch.setenv("CODEXD_SOCKET", "/nowhere")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/nowhere")
    program = "import os, json; print(json.dumps(dict(os.environ)))"
    seen = World(world.codex)
    try:
        (environment,) = [talking_to(seen, program).wait(lambda message: True)]
        assert "CODEXD_SOCKET" not in environment
        assert environment["XDG_RUNTIME_DIR"] == str(seen.runtime_dir)
        assert environment["HOME"] == str(seen.home)
    finally:
        seen.close()


def test_the_socket_path_fits(world: World) -> None:
    """A Unix socket's path may have 107 bytes."""
    assert len(str(world.socket_path)) < 80


def test_a_client_says_what_it_waited_for(world: World) -> None:
    """And shows what came instead, whether the far side hung up or kept silent."""
    silent = talking_to(world, 'print(\'{"method":"hello"}\', flush=True); input()')
    silent.wait_notification("hello")
    with pytest.raises(TimeoutError, match=r"no goodbye.*(?s:.)*hello"):
        silent.wait_notification("goodbye", timeout=0.2)
    gone = talking_to(world, 'print(\'{"method":"hello"}\')')
    with pytest.raises(ConnectionError, match="hung up before answer to 1"):
        gone.wait_response(1)


def test_a_client_does_not_take_one_id_for_another(world: World) -> None:
    """JSON's 1, "1" and true are three ids."""
    lines = ['{"id":"1","result":"text"}', '{"id":true,"result":"truth"}', '{"id":1,"result":"number"}']
    client = talking_to(world, f"print({chr(10).join(lines)!r})")
    assert client.wait_response(1)["result"] == "number"
    assert client.wait_response("1")["result"] == "text"


# Stands in for codexd: listens where it is told, and has one answer for everything.
STAND_IN = """
import json, os, pathlib, socketserver, sys

class Client(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            request = json.loads(line)
            if "id" in request:
                result = {"codexd": {"pid": os.getpid()}, "asked": request["method"]}
                self.wfile.write(json.dumps({"id": request["id"], "result": result}).encode() + b"\\n")

class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

arguments = sys.argv[1:]
if arguments[0] == "say":
    print(sys.stdin.read(), *arguments[1:])
    sys.exit(3)
path = pathlib.Path(arguments[arguments.index("--socket") + 1])
path.parent.mkdir()
Server(str(path), Client).serve_forever()
"""


class WorldWithStandIn(World):
    def command(self, program: str) -> list[str]:
        return [sys.executable, "-c", STAND_IN]


@pytest.fixture
def stand_in(codex: Path) -> Iterator[World]:
    place = WorldWithStandIn(codex)
    yield place
    place.close()


def test_a_daemon_is_started_and_talked_to(stand_in: World) -> None:
    """On the world's socket, by as many clients as wanted, until it is stopped."""
    daemon = stand_in.start_daemon("--demo")
    one, other = stand_in.client("one"), stand_in.client("other")
    assert one.call("thread/list", id="a")["asked"] == "thread/list"
    assert other.call("codexd/status")["codexd"]["pid"] == daemon.pid
    assert stand_in.stop(daemon) == -signal.SIGTERM
    one.wait_closed()
    with pytest.raises(ConnectionError, match="hung up before"):
        other.wait_notification("anything")


def test_a_daemon_that_does_not_come_up_is_said(stand_in: World) -> None:
    """With what it wrote before it died."""
    stand_in.socket_path.parent.mkdir()
    with pytest.raises(AssertionError, match=r"(?s)codexd does not listen.*FileExistsError"):
        stand_in.start_daemon()


def test_a_program_is_run_to_its_end(stand_in: World) -> None:
    """With what it was given, what it said and how it ended; or it has taken too long."""
    done = stand_in.codexctl("say", "you", input="ciao")
    assert (done.returncode, done.stdout, done.stderr) == (3, "ciao you\n", "")
    with pytest.raises(TimeoutError, match="took over"):
        stand_in.codexd("run", "--socket", str(stand_in.socket_path), timeout=0.5)


def test_a_daemon_that_detached_itself_is_stopped_at_the_end(codex: Path) -> None:
    """Whoever started it, it is no leftover when it ends on SIGTERM."""
    place = WorldWithStandIn(codex)
    argv = [*place.command("codexd"), "run", "--socket", str(place.socket_path)]
    place.spawn(["/bin/sh", "-c", f"setsid {shlex.join(argv)} &"]).wait()
    place.wait_for_socket()
    assert place.close() == []


def shell(world: World, program: str) -> Terminal:
    """A shell command at a terminal of this world."""
    return world.terminal_for(["/bin/sh", "-c", program])


def test_a_terminal_types_shows_and_ends(world: World) -> None:
    """Escape sequences are not text; the exit code is the program's."""
    terminal = shell(world, r"""stty size; read -r line; printf '\033[1mgot\033[0m <%s>\n' "$line"; exit 7""")
    terminal.wait_text("40 120")
    since = terminal.mark()
    terminal.type("a b" + ENTER)
    terminal.wait_text("got <a b>", since=since)
    assert terminal.wait_exit() == 7
    with pytest.raises(AssertionError, match="the program ended without 'never'"):
        terminal.wait_text("never")


def test_ctrl_c_reaches_the_program_as_a_signal(world: World) -> None:
    """The terminal is the program's controlling one."""
    catch = "import signal; print('ready', flush=True); signal.sigwait([signal.SIGINT]); print('interrupted')"
    block = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT]);"
    terminal = shell(world, f"exec {shlex.join([sys.executable, '-c', block + catch])}")
    terminal.wait_text("ready")
    terminal.type(CTRL_C)
    terminal.wait_text("interrupted")
    assert terminal.wait_exit() == 0


def test_a_screen_shows_what_is_drawn_and_nothing_else(place: World) -> None:
    """What was drawn over is gone; keys and pastes arrive; the end leaves nothing, whatever the programs think of it."""
    tmux = Tmux(place)
    program = (
        r"""trap '' HUP TERM; printf 'one\033[H\033[2Jtwo\n'; read -r line; echo "<$line>"; exec sleep 654"""
    )
    screen = tmux.open(["/bin/sh", "-c", program])
    assert "one" not in screen.wait("two")
    screen.paste("a b")
    screen.wait_below("two", "a b")
    screen.press("Enter")
    screen.wait("<a b>")
    with pytest.raises(AssertionError, match=r"'never'.* are not there; the screen shows\ntwo\n"):
        screen.wait("never", timeout=0)
    tmux.close()
    assert place.close() == []


def test_a_screen_that_has_ended_is_no_trouble(place: World) -> None:
    """The server has ended with its last program; there is nothing to end."""
    tmux = Tmux(place)
    tmux.open(["/bin/true"])
    place.until(lambda: place.living() == [])
    tmux.close()
    Tmux(place).close()
    assert place.close() == []
