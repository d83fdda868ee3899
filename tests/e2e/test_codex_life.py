"""Deaths and ends of the real Codex and of codexd: what clients hear, what goes on, and what is left behind."""

import os
import signal
from typing import Any

import psutil
import pytest

from tests.e2e.harness import World
from tests.e2e.harness_children import sleepers, start_command, start_escaped, start_job
from tests.e2e.harness_client import PATIENCE_S, JsonLinesClient
from tests.ends import wait_for_ends

pytestmark = pytest.mark.e2e


def _codex(client: JsonLinesClient) -> dict[str, Any]:
    status: dict[str, Any] = client.call("codexd/status")["codex"]
    return status


def test_a_death_in_mid_turn_is_an_event_and_the_thread_goes_on(world: World) -> None:
    """T4: everything under way is answered, the turn ends for all followers, in order; the next turn just works."""
    world.start_daemon()
    a, b = world.client("a"), world.client("b", codexd={})
    thread = a.start_thread(cwd=str(world.project))
    a.wait_turn(a.start_turn(thread, "hello"))
    b.call("thread/resume", {"threadId": thread})
    turn = a.start_turn(thread, "together hold x // run true")
    world.model.wait_held("x")
    a.start("command/exec", {"command": ["sleep", "1000"], "timeoutMs": 1_000_000}, id="slow")
    a.call("thread/loaded/list")
    old = _codex(a)["pid"]
    os.kill(old, signal.SIGKILL)
    a.wait_turn(turn)
    slow = a.wait_response("slow")["error"]
    assert (slow["code"], slow["data"]) == (-32050, {"reason": "codexExited", "safeToRetry": False})
    said = [m for m in a.messages if m.get("params", {}).get("threadId") == thread]
    died = next(at for at, m in enumerate(said) if m["params"].get("status") == {"type": "systemError"})
    ended = said[died : died + 3]
    assert [m["method"] for m in ended] == ["thread/status/changed", "error", "turn/completed"]
    assert ended[2]["params"]["turn"]["status"] == "failed"
    assert b.wait_turn(turn)["status"] == "failed"
    assert "SIGKILL" in b.wait_notification("codexd/codex/exited", pid=old)["params"]["reason"]
    b.wait_notification("codexd/codex/ready")
    again = a.start_turn(thread, "still there?")
    assert a.wait_turn(again)["status"] == "completed"
    assert b.wait_turn(again)["status"] == "completed"
    now = _codex(a)
    assert (now["pid"] != old, now["restarts"], now["state"]) == (True, 1, "ready")


def test_a_thread_without_a_turn_is_lost_and_said_to_be(world: World) -> None:
    """Nothing can resume it, and its owner is told so instead of hanging."""
    world.start_daemon()
    client = world.client()
    thread = client.start_thread()
    os.kill(_codex(client)["pid"], signal.SIGKILL)
    client.wait_notification("thread/status/changed", threadId=thread, status={"type": "systemError"})
    asked = {"turn/start": {"input": [{"type": "text", "text": "x"}]}, "thread/resume": {}}
    words = {
        "turn/start": f"thread not found: {thread}",
        "thread/resume": f"no rollout found for thread id {thread}",
    }
    for method, params in asked.items():
        error = client.call_error(method, {"threadId": thread, **params})
        assert (error["code"], error["data"]["reason"]) == (-32600, "threadLost")
        assert error["message"].startswith(words[method])


def test_five_deaths_in_a_minute_leave_it_down_and_everybody_is_told(world: World) -> None:
    """Then only somebody's wish brings it back; codexd/* and the reason are there all the while."""
    world.start_daemon()
    client = world.client(codexd={})
    for _ in range(5):
        mark = client.mark()
        os.kill(_codex(client)["pid"], signal.SIGKILL)
        client.wait_notification("codexd/codex/exited", since=mark)
        if client.call("codexd/status")["codex"]["state"] != "exited":
            client.wait_notification("codexd/codex/ready", since=mark)
    assert _codex(client)["state"] == "exited"
    assert "5 times" in client.wait_notification("warning")["params"]["message"]
    assert client.call_error("thread/loaded/list")["data"]["reason"] == "codexDown"
    newcomer = world.connect()
    assert newcomer.call_error("initialize", {"clientInfo": {"name": "n", "version": "1"}})["code"] == -32050
    mark = client.mark()
    assert newcomer.call("codexd/codex/start") == {}
    client.wait_notification("codexd/codex/ready", since=mark)
    assert client.call("thread/loaded/list") == {"data": [], "nextCursor": None}


def _start_children(world: World, client: JsonLinesClient) -> psutil.Process:
    """A running command, an MCP server, and a process that called setsid; returns Codex."""
    thread = client.start_thread(cwd=str(world.project))
    client.wait_turn(client.start_turn(thread, "run-free true"))
    start_command(client, "slow")
    start_escaped(world, client)
    codex = psutil.Process(_codex(client)["pid"])
    world.until(lambda: len(sleepers(world)) == 2)
    return codex


def test_sigterm_with_clients_and_children_ends_everything(world: World) -> None:
    """T5: a broker that waited for its clients never exited. Clients hear why, and no process is left."""
    daemon = world.start_daemon()
    client, idle = world.client("a"), world.client("idle")
    _start_children(world, client)
    turn_thread = client.start_thread(cwd=str(world.project))
    turn = client.start_turn(turn_thread, "hold y")
    world.model.wait_held("y")
    daemon.send_signal(signal.SIGTERM)
    daemon.send_signal(signal.SIGTERM)  # the first one waits for the turn
    assert daemon.wait(PATIENCE_S) == 0
    assert client.wait_turn(turn)["status"] == "failed"
    client.wait_closed()
    idle.wait_closed()
    assert world.living() == []
    assert not world.socket_path.exists()


def test_a_killed_codex_leaves_no_process_behind(world: World) -> None:
    """What it ran is swept before the next one starts, setsid or not."""
    world.start_daemon()
    client = world.client(codexd={})
    codex = _start_children(world, client)
    mark = client.mark()
    codex.kill()
    client.wait_notification("codexd/codex/ready", since=mark)
    assert sleepers(world) == []


def test_a_killed_codexd_leaves_nothing_to_the_next_one(world: World) -> None:
    """Codex ends with its stdin; a job that it left is ended by the next codexd, which also recovers the socket."""
    daemon = world.start_daemon()
    client = world.client()
    start_job(world, client)
    codex = psutil.Process(_codex(client)["pid"])
    daemon.kill()
    daemon.wait()
    client.wait_closed()
    assert wait_for_ends([codex], 30) == []
    world.start_daemon()
    assert world.client().call("thread/loaded/list") == {"data": [], "nextCursor": None}
    assert sleepers(world) == []
