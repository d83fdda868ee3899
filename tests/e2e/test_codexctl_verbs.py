"""`codexctl`'s other verbs through codexd to the real Codex, each as text and as JSON."""

import json
from typing import Any

import psutil
import pytest

from tests.e2e.harness import World
from tests.e2e.harness_client import JsonLinesClient

pytestmark = pytest.mark.e2e


def as_json(world: World, *arguments: str) -> Any:
    """The JSON that a verb prints; it must succeed and say nothing else."""
    done = world.codexctl(*arguments, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def send(world: World, prompt: str) -> str:
    """The id of a new thread that this was said on."""
    events = [json.loads(line) for line in world.codexctl("send", "--json", prompt).stdout.splitlines()]
    assert events[-1]["params"]["turn"]["status"] == "completed"
    thread: str = events[-1]["params"]["threadId"]
    return thread


def listed(world: World, *arguments: str) -> list[str]:
    return [thread["id"] for thread in as_json(world, "threads", *arguments)["threads"]]


def test_threads_are_listed_page_by_page(world: World) -> None:
    """The latest first; a cursor goes on, `--all` has them all, a directory its own."""
    world.start_daemon()
    threads = [send(world, f"number {number}") for number in range(3)][::-1]
    assert listed(world) == threads
    page = as_json(world, "threads", "--limit", "2")
    assert [thread["id"] for thread in page["threads"]] == threads[:2]
    assert listed(world, "--limit", "2", "--cursor", page["nextCursor"]) == threads[2:]
    assert listed(world, "--all") == threads
    assert listed(world, "-C", "/") == []
    shown = world.codexctl("threads").stdout.splitlines()
    assert [line.split()[0] for line in shown] == ["ID", *threads]
    assert "number 2" in shown[1]
    assert str(world.project) in shown[1]


def test_a_thread_can_be_shown_put_away_and_brought_back(world: World) -> None:
    """Renamed, archived, forked, deleted: Codex's own results as JSON, a sentence for people."""
    world.start_daemon()
    thread = send(world, "hello")
    shown = world.codexctl("threads", "show", thread)
    assert shown.stdout.endswith("\n\n> hello\nYou said: hello\n")
    assert world.codexctl("threads", "rename", thread, "a new name").stderr == f"{thread} renamed\n"
    assert as_json(world, "threads", "show", thread)["thread"]["name"] == "a new name"
    assert as_json(world, "threads", "archive", thread) == {}
    assert (listed(world), listed(world, "--archived")) == ([], [thread])
    assert as_json(world, "threads", "unarchive", thread[:20])["thread"]["id"] == thread
    assert listed(world) == [thread]
    fork = world.codexctl("threads", "fork", thread).stdout.strip()
    assert as_json(world, "threads", "show", fork)["thread"]["forkedFromId"] == thread
    assert world.codexctl("send", "-t", fork, "go on").stdout == "You said: go on\n"
    refused = world.codexctl("threads", "delete", thread)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "forked history still references it" in refused.stderr
    assert as_json(world, "threads", "delete", fork) == {}
    assert world.codexctl("threads", "delete", thread).stderr == f"{thread} deleted\n"
    assert listed(world) == []


def asked(world: World, prompt: str) -> tuple[JsonLinesClient, str, str, int]:
    """A client whose turn asks for something: the client, thread and turn, the number that `approvals` has."""
    client = world.client("asker")
    thread = client.start_thread(cwd=str(world.project))
    client.wait_notification("mcpServer/startupStatus/updated", status="ready")
    turn = client.start_turn(thread, prompt)
    request = client.wait(lambda message: "id" in message and "method" in message, what="a question")
    (approval,) = as_json(world, "approvals")["approvals"]
    assert (approval["id"], approval["threadId"], approval["method"]) == (
        request["id"],
        thread,
        request["method"],
    )
    return client, thread, turn, approval["id"]


def said(client: JsonLinesClient, turn: str) -> str:
    """What the model says of the answer when the turn has completed."""
    ended = client.wait_turn(turn)
    assert ended["status"] == "completed"
    text: str = ended["items"][-1]["text"]
    return text


def test_a_command_is_approved_for_the_session(world: World) -> None:
    """Though Codex does not offer that; the same command is not asked for again."""
    world.start_daemon()
    target = world.project / "made"
    client, thread, turn, number = asked(world, f"run touch {target}")
    shown = world.codexctl("approvals", "show", str(number)).stdout
    assert f"touch {target}" in shown
    assert "  n  no, and go on" in shown
    answer = as_json(world, "approvals", "accept", str(number), "--for-session")
    assert answer == {"id": number, "result": {"decision": "acceptForSession"}}
    said(client, turn)
    assert target.exists()
    assert as_json(world, "approvals") == {"approvals": []}
    again = world.codexctl("approvals", "accept", str(number))
    assert (again.returncode, again.stdout) == (1, "")
    assert "nothing with the id" in again.stderr
    mark = client.mark()
    client.wait_turn(client.start_turn(thread, f"run touch {target}"))
    assert not [message for message in client.messages[mark:] if "id" in message and "method" in message]


def test_a_file_change_is_declined(world: World) -> None:
    """The file is not made, and the model is told."""
    world.start_daemon()
    target = world.project / "new.txt"
    client, thread, turn, number = asked(world, f"patch {target} some text")
    shown = world.codexctl("approvals", "show", str(number)).stdout
    assert f"thread: {thread}\n" in shown
    assert "Codex wants to change files\n" in shown
    assert as_json(world, "approvals", "show", str(number))["params"]["turnId"] == turn
    assert world.codexctl("approvals", "decline", str(number)).returncode == 0
    assert "rejected by user" in said(client, turn)
    assert not target.exists()


def test_rights_are_granted(world: World) -> None:
    """Those that were asked for, for this turn."""
    world.start_daemon()
    client, _, turn, number = asked(world, f"permissions {world.root}/there")
    assert f"write {world.root}/there" in world.codexctl("approvals").stdout
    world.codexctl("approvals", "accept", str(number))
    answer = said(client, turn)
    assert f'"write":["{world.root}/there"]' in answer
    assert '"scope":"turn"' in answer


@pytest.mark.parametrize(
    ("prompt", "argv", "answer"),
    [
        ("ask shall I", ["accept", "--answer", "2"], '"answers":["No"]'),
        ("ask shall I", ["accept", "--answer", "rather not"], '"answers":["rather not"]'),
        ("elicit what", ["accept", "--answer", "that"], '"content": {"answer": "that"}'),
        ("elicit what", ["decline"], '"action": "decline"'),
    ],
)
def test_questions_are_answered(world: World, prompt: str, argv: list[str], answer: str) -> None:
    """Codex's and an MCP server's, by number, in own words, or not at all."""
    world.start_daemon()
    client, _, turn, number = asked(world, prompt)
    verb, *options = argv
    done = world.codexctl("approvals", verb, str(number), *options)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith(f"{number} {'declined' if verb == 'decline' else 'answered'}: ")
    assert answer in said(client, turn)


def test_a_turn_is_interrupted(world: World) -> None:
    """By the directory or the thread, also an ephemeral one; where nothing runs, that is said."""
    world.start_daemon()
    client = world.client()
    thread = client.start_thread(cwd=str(world.project))
    client.wait_turn(client.start_turn(thread, "hello"))
    idle = world.codexctl("interrupt")
    assert (idle.returncode, idle.stderr) == (1, f"codexctl: no turn runs on {thread}\n")
    turn = client.start_turn(thread, "hold here")
    assert as_json(world, "interrupt") == {"threadId": thread, "turnId": turn}
    assert client.wait_turn(turn)["status"] == "interrupted"
    passing = client.call("thread/start", {"ephemeral": True})["thread"]["id"]
    turn = client.start_turn(passing, "hold here")
    assert world.codexctl("interrupt", passing).stderr == f"the turn on {passing} was interrupted\n"
    assert client.wait_turn(turn)["status"] == "interrupted"


def test_codexd_says_who_is_there(world: World) -> None:
    """Status and clients, as text and as JSON."""
    daemon = world.start_daemon()
    client = world.client("editor")
    thread = client.start_thread()
    status = as_json(world, "status")
    assert status["codexd"]["pid"] == daemon.pid
    assert status["codexd"]["socket"] == str(world.socket_path)
    assert {"version", "startedAt"} <= status["codexd"].keys()
    assert psutil.pid_exists(status["codex"]["pid"])
    assert (status["codex"]["state"], status["codex"]["restarts"]) == ("ready", 0)
    assert (status["threads"], status["pendingApprovals"]) == (1, 0)
    lines = world.codexctl("status").stdout.splitlines()
    assert lines[0].startswith(f"codexd {status['codexd']['version']}, pid {daemon.pid}, up ")
    assert f" ready, pid {status['codex']['pid']}, up " in lines[1]
    found = {one["name"]: one for one in as_json(world, "clients")["clients"]}
    assert found["editor"]["threads"] == [thread]
    assert "editor" in world.codexctl("clients").stdout


def test_any_request_can_be_made(world: World) -> None:
    """Of Codex and of codexd; an error is exit 1."""
    world.start_daemon()
    assert as_json(world, "rpc", "thread/loaded/list")["data"] == []
    assert as_json(world, "rpc", "codexd/status", "{}")["codex"]["state"] == "ready"
    piped = world.codexctl("rpc", "fs/getMetadata", "-", input=json.dumps({"path": str(world.project)}))
    assert json.loads(piped.stdout)["isDirectory"] is True
    unknown = world.codexctl("rpc", "no/such/method", "--json")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert json.loads(unknown.stderr)["code"] == -32600


def test_codexd_answers_while_codex_does_not(world: World) -> None:
    """Status, clients and approvals need no Codex."""
    world.start_daemon()
    send(world, "hello")
    codex = psutil.Process(as_json(world, "status")["codex"]["pid"])
    codex.suspend()
    try:
        assert as_json(world, "status")["codex"]["state"] == "ready"
        assert as_json(world, "approvals") == {"approvals": []}
        assert len(as_json(world, "clients")["clients"]) == 1
        assert as_json(world, "rpc", "codexd/status")["codex"]["pid"] == codex.pid
    finally:
        codex.resume()
