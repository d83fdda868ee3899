"""Several clients on one real Codex: each gets its own, nobody gets another's."""

import base64
from typing import Any

import pytest

from tests.e2e.harness import World
from tests.e2e.harness_client import JsonLinesClient

pytestmark = pytest.mark.e2e

_BEFORE_A_FORK = {"deprecationNotice", "warning"}
"""What Codex sends in front of a fork's answer in every run; the state of MCP servers comes when it comes."""
APPROVAL = "item/commandExecution/requestApproval"


def _methods(client: JsonLinesClient, thread: str) -> list[str]:
    return [
        m["method"]
        for m in client.messages
        if m.get("params", {}).get("threadId") == thread and "method" in m
    ]


def test_each_client_gets_its_own_answer_under_its_own_id(world: World) -> None:
    """Equal ids at the same time, as integer and as string, come back to their askers in the same type."""
    world.start_daemon()
    first, second = world.client("first"), world.client("second")
    ids: list[Any] = [1001, "1001", 0, -5, 2**63 - 1, "é\n", ""]
    for client, text in ((first, "one"), (second, "two")):
        for number, id in enumerate(ids):
            path = world.root / f"{text}{number}"
            path.write_text(f"{text}{number}")
            client.start("fs/readFile", {"path": str(path)}, id=id)
    for client, text in ((first, "one"), (second, "two")):
        for number, id in enumerate(ids):
            content = client.wait_response(id)["result"]["dataBase64"]
            assert base64.b64decode(content).decode() == f"{text}{number}"


def test_an_id_in_use_twice_is_answered_twice(world: World) -> None:
    """Codex answers two requests of the same id; so does codexd, and again when the id is used anew."""
    world.start_daemon()
    client = world.client()
    for _ in range(3):
        client.start("thread/loaded/list", id="same")
    world.until(lambda: [m.get("id") for m in client.messages].count("same") == 3)
    client.start("thread/loaded/list", id="same")
    world.until(lambda: [m.get("id") for m in client.messages].count("same") == 4)


def test_a_request_with_the_id_of_a_pending_approval_is_a_request(world: World) -> None:
    """T1: three brokers took an approval with the id of a request under way for that request's answer."""
    world.start_daemon()
    client = world.client()
    thread = client.start_thread()
    turn = client.start_turn(thread, f"run touch {world.project / 'made'}")
    approval = client.wait_server_request(APPROVAL)
    assert client.call("thread/loaded/list", {}, id=approval["id"])["data"] == [thread]
    assert not (world.project / "made").exists()
    client.answer(approval, {"decision": "accept"})
    assert client.wait_turn(turn)["status"] == "completed"
    assert (world.project / "made").exists()


def test_whoever_leaves_takes_nothing_with_it_and_leaves_nothing_to_others(world: World) -> None:
    """T3, T8: A and B follow a thread, C does not. A leaves in mid-turn: B goes on, C never hears of the turn.

    A broker gave A's events to whoever was active, another deleted B's registration together with A's.
    """
    world.start_daemon()
    a, b, c = world.client("a"), world.client("b"), world.client("c")
    thread = a.start_thread()
    a.wait_turn(a.start_turn(thread, "hello"))
    b.call("thread/resume", {"threadId": thread})
    mark = b.mark()
    turn = a.start_turn(thread, "together hold here // run touch gone")
    world.model.wait_held("here")
    b.wait_notification("item/agentMessage/delta", since=mark, turnId=turn)
    a.close()
    world.model.release("here")
    b.answer(b.wait_server_request(APPROVAL), {"decision": "accept"})
    assert b.wait_turn(turn)["status"] == "completed"
    c.call("thread/loaded/list")
    assert set(_methods(c, thread)) <= {"thread/status/changed", "thread/goal/cleared", "thread/goal/updated"}


def test_events_before_the_answer_that_names_their_thread_reach_the_asker(world: World) -> None:
    """A fork's warnings come before its answer, and stand before it for the asker too; others get none of them."""
    world.start_daemon()
    asker, other = world.client("asker"), world.client("other")
    bare = world.bare_codex()  # not sooner: two that make one new CODEX_HOME at once fail now and then
    before: dict[str, list[str]] = {}
    for name, client in (("bare", bare), ("codexd", asker)):
        thread = client.start_thread()
        client.wait_turn(client.start_turn(thread, "hello"))
        mark = client.mark()
        client.call("thread/fork", {"threadId": thread}, id="fork")
        client.wait_notification("thread/started", since=mark)
        since = client.messages[mark:]
        answer = next(i for i, m in enumerate(since) if m.get("id") == "fork")
        before[name] = sorted(m["method"] for m in since[:answer] if m["method"] in _BEFORE_A_FORK)
    assert before["codexd"] == before["bare"]
    fork = next(m for m in asker.messages if m.get("id") == "fork")["result"]["thread"]["id"]
    other.call("thread/loaded/list")
    assert not [m for m in _methods(other, fork) if m in ("warning", "mcpServer/startupStatus/updated")]


def test_a_busy_thread_returns_the_running_turn(world: World) -> None:
    """`turn/start` on a busy thread starts nothing new: the answer names the turn that runs."""
    world.start_daemon()
    a, b = world.client("a"), world.client("b")
    thread = a.start_thread()
    turn = a.start_turn(thread, "hold it")
    world.model.wait_held("it")
    assert b.start_turn(thread, "and this") == turn
    world.model.release("it")
    assert a.wait_turn(turn)["status"] == "completed"


def test_an_editor_plugin_sees_what_it_would_see_on_stdio(world: World) -> None:
    """A handshake, a thread and a turn, through codexd and on the stdio of a private Codex: the same messages."""
    world.start_daemon()
    seen = []
    shared = world.client("editor")
    for client in (world.bare_codex("editor"), shared):
        thread = client.start_thread(cwd=str(world.project))
        turn = client.start_turn(thread, "stream 5")
        client.wait_turn(turn)
        seen.append([m.get("method") or ("result" if "result" in m else "error") for m in client.messages])
    bare, through_codexd = seen
    assert sorted(bare) == sorted(through_codexd)
    assert [m for m in bare if m.startswith(("turn/", "item/"))] == [
        m for m in through_codexd if m.startswith(("turn/", "item/"))
    ]
