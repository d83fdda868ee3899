"""What Codex runs does not drive Codex: with the real sandbox, whose commands may use the network."""

import json
import shlex
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from codexd.routing.rights import OBSERVABLE
from tests.e2e.harness import World, a_world
from tests.e2e.harness_client import PATIENCE_S, JsonLinesClient

# Asks codexd for its status and prints all that comes.
ASK = """
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(60)
s.connect(sys.argv[1])
s.sendall(sys.argv[2].encode().decode("unicode_escape").encode())
said = b""
while chunk := s.recv(65536):
    said += chunk
print(said.decode())
"""

# The same from a process that has left: its own session, an orphan, without the mark. What comes stands in a file.
LEAVE = """
import os, sys
if os.fork():
    os._exit(0)
os.setsid()
leader = os.getpid()
if os.fork():
    os._exit(0)
while os.getppid() == leader:
    pass
answer = os.open(sys.argv[2] + ".part", os.O_WRONLY | os.O_CREAT, 0o600)
os.dup2(answer, 1)
os.dup2(answer, 2)
if os.fork() == 0:
    os.execve(sys.executable, [sys.executable, "-c", sys.argv[1], *sys.argv[3:]], {"PATH": os.environ["PATH"]})
os.wait()
os.rename(sys.argv[2] + ".part", sys.argv[2])
"""

STATUS = json.dumps({"id": 1, "method": "codexd/status"}) + "\\n"


pytestmark = pytest.mark.e2e


@pytest.fixture
def world(newest_codex: Path) -> Iterator[World]:
    """Its sandbox lets commands write in the project and use the network."""
    with a_world(newest_codex) as place:
        file = place.codex_home / "config.toml"
        file.write_text(
            file.read_text()
            .replace("[sandbox_workspace_write]\n", "[sandbox_workspace_write]\nnetwork_access = true\n")
            .replace('sandbox_mode = "read-only"', 'sandbox_mode = "workspace-write"')
        )
        yield place


def run_inside(client: JsonLinesClient, world: World, command: str, **thread: object) -> str:
    """What a command of Codex prints."""
    thread_id = client.call("thread/start", {"cwd": str(world.project), **thread})["thread"]["id"]
    turn = client.start_turn(thread_id, f"run-free {command}")
    client.wait_turn(turn)
    said = client.said_in(turn)
    if "bwrap:" in said or "No permissions to create new namespace" in said:
        pytest.skip(f"no sandbox on this machine: {said[-200:]}")
    return said


def python(program: str, *arguments: object) -> str:
    return shlex.join([sys.executable, "-c", program, *map(str, arguments)])


def set_inside(world: World, value: str) -> None:
    directory = world.config_home / "codexd"
    directory.mkdir()
    (directory / "config.toml").write_text(f'inside = "{value}"\n')


def test_a_command_in_the_sandbox_is_refused_before_its_first_message(world: World) -> None:
    """It approved its own escalation. Now it is told in one line why not, and nobody sees it connected."""
    world.start_daemon()
    client = world.client()
    said = run_inside(client, world, python(ASK, world.socket_path, STATUS))
    assert '"code":-32051' in said
    assert "the setting inside" in said
    assert "codexHome" not in said
    assert "refused a client that Codex runs" in world.log.read_text()
    assert len(client.call("codexd/clients/list")["clients"]) == 1


def test_a_command_that_left_codexs_process_tree_is_refused(world: World) -> None:
    """A daemon of its own making, without the mark, in the sandbox or outside of it: it is codexd's adopted child."""
    world.start_daemon()
    client = world.client()
    for sandbox in ("workspace-write", "danger-full-access"):
        answer = world.project / f"answer-{sandbox}"
        leave = python(LEAVE, ASK, answer, world.socket_path, STATUS)
        # When the command ends, the sandbox ends with all that is in it.
        wait = f"while ! [ -e {answer} ]; do sleep 0.05; done; cat {answer}"
        assert '"code":-32051' in run_inside(client, world, f"{leave}; {wait}", sandbox=sandbox)


def test_a_command_without_a_sandbox_is_refused(world: World) -> None:
    """Whether the sandbox was switched off or a human approved: a decision is still not the command's to make."""
    world.start_daemon()
    client = world.client()
    said = run_inside(client, world, python(ASK, world.socket_path, STATUS), sandbox="danger-full-access")
    assert "it descends from codexd" in said


def test_a_command_that_speaks_websocket_gets_a_403(world: World) -> None:
    """`codex --remote` in a command is no way around."""
    world.start_daemon()
    said = run_inside(
        world.client(), world, python(ASK, world.socket_path, "GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    )
    assert "HTTP/1.1 403 Forbidden" in said
    assert 'inside = "observe"' in said


def test_our_programs_say_it_in_words_in_the_sandbox(world: World) -> None:
    """codexctl and the stand-in for Codex name the setting, and end with the exit code for unavailable."""
    world.start_daemon()
    client = world.client()
    for program in (
        ["codexctl", "approvals"],
        ["codexctl", "send", "hello"],
        ["codexctl", "status"],
        ["codexd", "status"],
        ["codexd-codex", "app-server"],
    ):
        command = shlex.join([*world.command(program[0]), *program[1:]])
        # Whoever counts the lines that are run cannot write them down in the sandbox.
        said = run_inside(client, world, f"env -u COVERAGE_PROCESS_CONFIG {command} </dev/null; echo exit $?")
        assert 'the setting inside = "observe"' in said, program
        assert "exit 3" in said, program
        assert "Traceback" not in said


def test_without_network_codexctl_says_that_it_is_in_the_sandbox(world: World) -> None:
    """`Operation not permitted` tells nobody what is wrong."""
    world.start_daemon("--codex-config", "sandbox_workspace_write.network_access=false")
    command = shlex.join([*world.command("codexctl"), "status"])
    said = run_inside(world.client(), world, f"{command}; echo exit $?")
    assert "this is a command in Codex's sandbox, which codexd does not serve: cannot connect" in said
    assert "exit 3" in said


def test_codexd_is_not_started_in_the_sandbox(world: World) -> None:
    """It was born in the command's pid namespace, served everybody, and died with the command."""
    world.start_daemon("--codex-config", f'sandbox_workspace_write.writable_roots=["{world.root}"]')
    client = world.client()
    elsewhere = world.root / "elsewhere"
    home = (
        f"env CODEX_HOME={world.root}/other XDG_RUNTIME_DIR={elsewhere}/run XDG_STATE_HOME={elsewhere}/state"
    )
    (world.root / "other").mkdir()
    (elsewhere / "run").mkdir(0o700, parents=True)
    for program in (["codexctl", "send", "hello"], ["codexd", "start"], ["codexd", "run"]):
        command = shlex.join([*world.command(program[0]), *program[1:]])
        said = run_inside(client, world, f"{home} {command}; echo exit $?")
        assert "start it from a shell of your own: codexd start" in said, said
        assert "exit 3" in said, program
    assert not list(elsewhere.rglob("codexd.sock"))


def test_codexd_is_not_restarted_from_the_sandbox(world: World) -> None:
    """What would start it anew ends with the command. codexd goes on."""
    world.start_daemon("--codex-config", f'sandbox_workspace_write.writable_roots=["{world.root}"]')
    client = world.client()
    said = run_inside(client, world, f"{shlex.join(world.command('codexd'))} restart; echo exit $?")
    assert "this is a command in Codex's sandbox, from which codexd cannot be restarted" in said
    assert "exit 3" in said
    assert client.call("codexd/status")["codex"]["state"] == "ready"


def test_a_nested_codexd_serves_the_commands_that_started_it(world: World) -> None:
    """A codexd of another CODEX_HOME, started by a command without a sandbox, judges only what it runs itself."""
    world.start_daemon()
    client = world.client()
    other = world.root / "other"
    copy = f"cp -r {world.codex_home} {other}; mkdir -m 700 {world.root}/r2"
    places = f"env CODEX_HOME={other} XDG_RUNTIME_DIR={world.root}/r2 XDG_STATE_HOME={world.root}/s2"
    ctl, daemon = (shlex.join(world.command(name)) for name in ("codexctl", "codexd"))
    steps = f"{copy}; {places} {ctl} send -s read-only hello; echo exit $?; {places} {daemon} stop"
    said = run_inside(client, world, f"( {steps} ) 2>&1", sandbox="danger-full-access")
    assert "You said: hello" in said
    assert "exit 0" in said


def test_an_observer_may_read_and_nothing_else(world: World) -> None:
    """With inside = "observe": it sees approvals and events, is never asked, and decides nothing."""
    set_inside(world, "observe")
    world.start_daemon()
    client = world.client()
    calls = [
        {"id": 1, "method": "initialize", "params": {"clientInfo": {"name": "agent", "version": "1"}}},
        {"id": 2, "method": "codexd/approvals/list"},
        {"id": 3, "method": "thread/loaded/list", "params": {}},
        {"id": 4, "method": "codexd/approvals/answer", "params": {"id": 1, "result": {}}},
        {"id": 5, "method": "command/exec", "params": {"command": ["id"]}},
        {"id": 6, "method": "turn/start", "params": {}},
    ]
    asking = """
import json, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
calls = json.loads(sys.argv[2])
s.sendall(b"".join(json.dumps(c).encode() + b"\\n" for c in calls))
answers = {}
for line in s.makefile():
    m = json.loads(line)
    if "method" not in m:
        answers[m["id"]] = m.get("error", {}).get("code", "ok")
    if len(answers) == len(calls):
        break
print("ANSWERS", sorted(answers.items()))
"""
    said = run_inside(client, world, python(asking, world.socket_path, json.dumps(calls)))
    assert "[(1, 'ok'), (2, 'ok'), (3, 'ok'), (4, -32051), (5, -32051), (6, -32051)]" in said


def test_with_inside_all_a_command_is_a_client_like_others(world: World) -> None:
    """Who wants an agent to drive codexd can have that."""
    set_inside(world, "all")
    world.start_daemon()
    command = shlex.join([*world.command("codexctl"), "status"])
    assert "exit 0" in run_inside(world.client(), world, f"{command}; echo exit $?")


def test_every_method_of_an_observer_exists(world: World) -> None:
    """A name that no Codex knows would be a right that nobody can use."""
    world.start_daemon()
    client = world.client()
    for method in OBSERVABLE:
        client.start(method, {}, id=method)
        answer = client.wait_response(method, timeout=PATIENCE_S)
        assert "unknown variant" not in json.dumps(answer), method


def test_ordinary_clients_are_outside(world: World) -> None:
    """The tests themselves, a shell's child, an orphan of a shell: none of them is taken for Codex's."""
    world.start_daemon()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(world.socket_path))
        connection.sendall(b'{"id":1,"method":"codexd/status"}\n')
        assert b"codexHome" in connection.recv(65536)
    shell = world.spawn(["/bin/sh", "-c", shlex.join([*world.command("codexctl"), "status"]) + "; exit $?"])
    assert shell.wait(PATIENCE_S) == 0
