"""A thread that has had no turn yet, or an ephemeral one, with two clients on it, which bare Codex can't have."""

from typing import Any

import pytest

from tests.e2e.harness import World
from tests.e2e.harness_client import JsonLinesClient

pytestmark = pytest.mark.e2e

APPROVAL = "item/commandExecution/requestApproval"
EMPTY: dict[str, Any] = {"data": [], "nextCursor": None, "backwardsCursor": None}


def resumed(client: JsonLinesClient, thread: str, **params: object) -> Any:
    """Attaches, and returns the whole answer."""
    return client.call("thread/resume", {"threadId": thread, **params})


def deltas(client: JsonLinesClient, turn: str) -> list[str]:
    """What a client was told of a turn while it ran."""
    return [
        m["params"]["delta"]
        for m in client.messages
        if m.get("method") == "item/agentMessage/delta" and m["params"]["turnId"] == turn
    ]


def test_a_thread_is_shared_before_its_first_turn(world: World) -> None:
    """The second client gets what a warm resume says of a thread without turns, and then everything live.

    From the first turn on Codex answers itself. Whoever started the thread may leave.
    """
    world.start_daemon()
    starter, joiner, other = world.client("starter"), world.client("joiner"), world.client("other")
    thread = starter.start_thread(cwd=str(world.project))
    assert "no rollout found" in starter.call_error("thread/resume", {"threadId": thread})["message"]
    mark = joiner.mark()
    joined = resumed(joiner, thread, initialTurnsPage={"limit": 5})
    joiner.wait_notification("thread/goal/cleared", since=mark, threadId=thread)
    assert joined["thread"]["turns"] == []
    assert joined["thread"]["status"] == {"type": "idle"}
    assert joined["initialTurnsPage"] == EMPTY
    for method in ("thread/turns/list", "thread/items/list"):
        assert joiner.call(method, {"threadId": thread}) == EMPTY
        assert "message" in starter.call_error(method, {"threadId": thread})
    turn = joiner.start_turn(thread, f"together stream 5 // run touch {world.project / 'made'}")
    for client in (starter, joiner):
        client.wait_server_request(APPROVAL, turnId=turn)
    starter.close()
    joiner.answer(joiner.wait_server_request(APPROVAL, turnId=turn), {"decision": "accept"})
    assert joiner.wait_turn(turn)["status"] == "completed"
    assert "".join(deltas(joiner, turn)).startswith("1 2 3 4 5 ")
    warm = resumed(other, thread)
    assert len(warm["thread"]["turns"]) == 1
    assert warm.keys() == joined.keys()
    assert warm["thread"].keys() == joined["thread"].keys()
    changed = {"thread", "initialTurnsPage", "turnsBackwardsCursor", "itemsBackwardsCursor"}
    assert {n: v for n, v in warm.items() if n not in changed} == {
        n: v for n, v in joined.items() if n not in changed
    }
    assert joiner.call("thread/turns/list", {"threadId": thread})["data"] != []


def test_an_ephemeral_thread_is_shared_in_mid_turn(world: World) -> None:
    """Its turns are on no disk; what waits for a decision is offered, what happens then is heard."""
    world.start_daemon()
    starter, joiner = world.client("starter"), world.client("joiner")
    thread = starter.start_thread(ephemeral=True)
    starter.wait_turn(starter.start_turn(thread, "hello"))
    turn = starter.start_turn(thread, f"run touch {world.project / 'made'}")
    starter.wait_server_request(APPROVAL)
    joined = resumed(joiner, thread, excludeTurns=True)["thread"]
    assert (joined["ephemeral"], joined["turns"], joined["status"]) == (
        True,
        [],
        {"type": "active", "activeFlags": ["waitingOnApproval"]},
    )
    assert joiner.call("thread/turns/list", {"threadId": thread}) == EMPTY
    starter.call("thread/unsubscribe", {"threadId": thread})
    joiner.answer(joiner.wait_server_request(APPROVAL, threadId=thread), {"decision": "decline"})
    assert joiner.wait_turn(turn)["status"] == "completed"
    assert resumed(starter, thread)["thread"]["id"] == thread
    again = starter.start_turn(thread, "again")
    assert [client.wait_turn(again)["status"] for client in (starter, joiner)] == ["completed"] * 2


def test_codexctl_attaches_to_a_thread_without_a_turn(world: World) -> None:
    """And says the first thing on it."""
    world.start_daemon()
    starter = world.client("starter")
    thread = starter.start_thread(cwd=str(world.project))
    assert world.codexctl("send", "-t", thread, "hello").stdout == "You said: hello\n"
    starter.wait_notification("turn/completed", threadId=thread)
