"""The real Codex ends in every way at every point: nobody hangs, nothing is told twice, everything goes on."""

import os
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.e2e.harness import World, a_world
from tests.e2e.harness_children import sleepers, start_command, start_escaped, start_job
from tests.e2e.harness_client import JsonLinesClient, Message

pytestmark = pytest.mark.e2e

APPROVAL = "item/commandExecution/requestApproval"
ENDS = ["thread/status/changed", "error", "turn/completed"]
SILENCE_S = 3
WAYS = {
    signal.SIGKILL: "Codex was killed by SIGKILL",
    signal.SIGSEGV: "Codex was killed by SIGSEGV",
    signal.SIGTERM: "Codex exited with status 0",
    signal.SIGSTOP: f"Codex has not answered for {SILENCE_S} s",
}


def codex_of(client: JsonLinesClient) -> dict[str, Any]:
    """What `codexd/status` says of Codex."""
    status: dict[str, Any] = client.call("codexd/status")["codex"]
    return status


def durable_thread(world: World, client: JsonLinesClient, **params: object) -> str:
    """A thread that has had a turn."""
    thread = client.start_thread(cwd=str(world.project), **params)
    client.wait_turn(client.start_turn(thread, "hello"))
    return thread


def ends_in(client: JsonLinesClient, thread: str, since: int) -> list[Message]:
    """What says that something of this thread has ended, from the status of a dead thread on; with what was asked."""
    of_thread = [m for m in client.messages[since:] if m.get("params", {}).get("threadId") == thread]
    died = next(n for n, m in enumerate(of_thread) if m["params"].get("status") == {"type": "systemError"})
    resolved = [m for m in of_thread[:died] if m["method"] == "serverRequest/resolved"]
    return resolved + of_thread[died:]


def watched(client: JsonLinesClient, file: Path, since: int) -> None:
    """The client is told of a change."""
    file.write_text("changed")
    client.wait_notification("fs/changed", since=since, watchId="w")


def end(world: World, codex: int, way: signal.Signals) -> None:
    """Sends the signal; the first SIGSEGV only takes Codex's own handler away, which is for overflown stacks."""
    os.kill(codex, way)
    try:
        while way is signal.SIGSEGV and psutil.Process(codex).status() != psutil.STATUS_ZOMBIE:
            os.kill(codex, way)
    except (psutil.NoSuchProcess, ProcessLookupError):
        return


def dies_in_the_middle_of_everything(world: World, way: signal.Signals) -> None:
    """Five threads: one streams, one waits for an approval, one runs a command, one is at rest, one had no turn yet."""
    (world.config_home / "codexd").mkdir()
    config = world.config_home / "codexd" / "config.toml"
    config.write_text(f"codex_silence_seconds = {SILENCE_S if way == signal.SIGSTOP else 30}\n")
    world.start_daemon()
    a, b = world.client("a"), world.client("b", codexd={})
    streaming, asking, resting = (durable_thread(world, a) for _ in range(3))
    running = durable_thread(world, a, sandbox="danger-full-access")
    for thread in (streaming, asking, running):
        b.call("thread/resume", {"threadId": thread, "excludeTurns": True})
    new = a.start_thread(cwd=str(world.project))
    watched_file = world.project / "watched"
    watched_file.write_text("")
    a.call("fs/watch", {"watchId": "w", "path": str(watched_file)})
    turns = {streaming: a.start_turn(streaming, "hold x"), asking: a.start_turn(asking, "run true")}
    turns[running] = a.start_turn(running, "run-free sleep 1002")
    world.model.wait_held("x")
    asked = b.wait_server_request(APPROVAL, threadId=asking)
    start_command(a, "slow")
    if way == signal.SIGTERM:  # ended in good order, Codex takes with it what would prove whose that one is
        start_job(world, a)
    else:
        start_escaped(world, a)
    world.until(lambda: len(sleepers(world)) == 3)
    mark, heard_by_b, old = a.mark(), b.mark(), codex_of(b)["pid"]
    end(world, old, way)

    reason = WAYS[way]
    for client, since in ((a, mark), (b, heard_by_b)):
        for thread, turn in turns.items():
            ended = client.wait_turn(turn)
            assert (ended["status"], ended["error"]["message"]) == ("failed", reason)
            said = [
                m for m in ends_in(client, thread, since) if m["method"] in (*ENDS, "serverRequest/resolved")
            ]
            assert [m["method"] for m in said][: 3 + (thread == asking)] == (
                ["serverRequest/resolved"] * (thread == asking) + ENDS
            )
            assert thread != asking or said[0]["params"]["requestId"] == asked["id"]
    slow = a.wait_response("slow")["error"]
    assert (slow["code"], slow["data"]) == (-32050, {"reason": "codexExited", "safeToRetry": False})
    assert b.wait_notification("codexd/codex/exited", pid=old)["params"]["reason"] == reason

    again = {thread: a.start_turn(thread, "still there?") for thread in (*turns, resting)}
    for thread, turn in again.items():
        assert a.wait_turn(turn)["status"] == "completed", thread
    assert b.wait_turn(again[streaming])["status"] == "completed"
    lost = a.call_error("turn/start", {"threadId": new, "input": [{"type": "text", "text": "x"}]})
    assert (lost["code"], lost["data"]["reason"]) == (-32600, "threadLost")
    watched(a, watched_file, a.mark())
    assert (sleepers(world), psutil.pid_exists(old)) == ([], False), world.log.read_text()
    now = codex_of(b)
    assert (now["pid"] != old, now["restarts"], now["state"]) == (True, 1, "ready")
    for client in (a, b):
        completed = [
            m["params"]["turn"]["id"] for m in client.messages if m.get("method") == "turn/completed"
        ]
        answered = [m["id"] for m in client.messages if "id" in m and "method" not in m]
        assert (len(set(completed)), len(set(answered))) == (len(completed), len(answered))


def test_killed_in_the_middle_of_everything(each_codex: Path) -> None:
    """With both Codexes: every turn ends in order for all its followers, and every thread, watch and request goes on."""
    with a_world(each_codex) as world:
        dies_in_the_middle_of_everything(world, signal.SIGKILL)


@pytest.mark.parametrize("way", [signal.SIGSEGV, signal.SIGTERM, signal.SIGSTOP])
def test_however_it_ends(world: World, way: signal.Signals) -> None:
    """Crashed, ended in good order by somebody else, or halted: to clients it is all the same."""
    dies_in_the_middle_of_everything(world, way)


def test_before_and_after_each_reply(world: World) -> None:
    """Killed as soon as a request is sent, answered, begun, heard of: one answer, one end, and the next turn works."""
    world.start_daemon()
    client = world.client(codexd={})
    thread = durable_thread(world, client)
    params = {"threadId": thread, "input": [{"type": "text", "text": "stream 500 2"}]}
    for last in ("sent", "answered", "turn/started", "item/agentMessage/delta"):
        mark, old = client.mark(), codex_of(client)["pid"]
        read = client.start("thread/read", {"threadId": thread})
        request = client.start("turn/start", params)
        if last == "answered":
            client.wait_response(request)
        elif last != "sent":
            client.wait_notification(last, since=mark, threadId=thread)
        os.kill(old, signal.SIGKILL)
        client.wait_notification("codexd/codex/exited", since=mark, pid=old)
        for number, safe in ((read, True), (request, False)):
            answer = client.wait_response(number)
            assert "result" in answer or answer["error"]["data"] == {
                "reason": "codexExited",
                "safeToRetry": safe,
            }
        again = client.start_turn(thread, "and now?")
        assert client.wait_turn(again)["status"] == "completed"
        said = client.messages[mark:]
        begun = [m["params"]["turn"]["id"] for m in said if m.get("method") == "turn/started"]
        ended = [m["params"]["turn"]["id"] for m in said if m.get("method") == "turn/completed"]
        assert (sorted(ended), len(begun), begun[-1:]) == (sorted({*begun, *ended}), len(set(begun)), [again])
        assert [len([m for m in said if m.get("id") == n]) for n in (read, request)] == [1, 1]
    assert codex_of(client)["restarts"] == 4


def test_with_fifty_clients(world: World) -> None:
    """All of them follow one turn and wait for an answer: each is told once, and each goes on."""
    world.start_daemon()
    clients = [world.client(f"client {n}") for n in range(50)]
    thread = durable_thread(world, clients[0])
    for client in clients[1:]:
        client.start("thread/resume", {"threadId": thread, "excludeTurns": True}, id="resume")
    for client in clients[1:]:
        client.wait_response("resume")
    turn = clients[0].start_turn(thread, "hold x")
    world.model.wait_held("x")
    for client in clients:
        start_command(client, "slow")
    world.until(lambda: bool(sleepers(world)))
    os.kill(codex_of(clients[0])["pid"], signal.SIGKILL)
    for client in clients:
        assert client.wait_turn(turn)["status"] == "failed"
        assert client.wait_response("slow")["error"]["data"]["reason"] == "codexExited"
        client.start("thread/loaded/list", id="after")
    again = clients[-1].start_turn(thread, "still there?")
    for client in clients:
        assert client.wait_response("after")["result"]["data"] in ([], [thread])
        assert client.wait_turn(again)["status"] == "completed"
        told = [m["method"] for m in client.messages if m.get("params", {}).get("turn", {}).get("id") == turn]
        assert told == ["turn/started", "turn/completed"]
