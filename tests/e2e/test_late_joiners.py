"""Whoever resumes a thread in the middle of a turn is told what is open, whole and once; bare Codex tells the rest only.

What the answer to `thread/resume` holds of a running turn, in `thread.turns` and, with `initialTurnsPage`, in the page
(0.163 and 0.169): what is finished, and commands and file changes that are open, without their output; never a message
that is open. `thread/turns/list` and `thread/items/list` hold what is finished alone.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.harness import World, a_world
from tests.e2e.harness_client import JsonLinesClient, Message

pytestmark = pytest.mark.e2e

APPROVAL = "item/commandExecution/requestApproval"
DELTA = "item/agentMessage/delta"
STREAM = 600
JOINERS = 8


@pytest.fixture(scope="module")
def world(each_codex: Path) -> Iterator[World]:
    """A world with each Codex in turn, the same for all tests."""
    with a_world(each_codex) as place:
        place.start_daemon()
        yield place


def told(client: JsonLinesClient, turn: str, since: int = 0, without: tuple[str, ...] = ()) -> list[Message]:
    """What a client was told of the turn and its items, those of these items left out."""
    found = []
    for message in client.messages[since:]:
        params = message.get("params", {})
        of = params.get("turnId") or params.get("turn", {}).get("id")
        is_event = message.get("method", "").startswith(("turn/", "item/")) and "id" not in message
        if is_event and of == turn and item_of(message) not in without:
            found.append(message)
    return found


def item_of(message: Message) -> str | None:
    """The id of the item that a notification is about."""
    params = message["params"]
    found: str | None = params.get("itemId") or params.get("item", {}).get("id")
    return found


def items(client: JsonLinesClient, turn: str, kind: str) -> list[str]:
    """The items of one kind that were started in a turn."""
    started = [m["params"]["item"] for m in told(client, turn) if m["method"] == "item/started"]
    return [item["id"] for item in started if item["type"] == kind]


def wait_item_completed(client: JsonLinesClient, turn: str, kind: str) -> Message:
    """Waits until such an item is finished; the item."""
    message = client.wait(
        lambda m: (
            m.get("method") == "item/completed"
            and m["params"]["turnId"] == turn
            and m["params"]["item"]["type"] == kind
        )
    )
    item: Message = message["params"]["item"]
    return item


def test_a_message_that_streams_is_whole_for_whoever_joins_at_any_time(world: World) -> None:
    """Behind the answer to the resume, and not before: the same events in the same order as for who was there."""
    starter = world.client("starter")
    joiners = [world.client(f"joiner {number}") for number in range(JOINERS)]
    thread = starter.start_thread()
    starter.wait_turn(starter.start_turn(thread, "hello"))
    turn = starter.start_turn(thread, f"stream {STREAM} 1 end")
    for number, joiner in enumerate(joiners):
        at = f"{1 + number * STREAM // JOINERS} "
        starter.wait_notification(DELTA, delta=at)
        joiner.start("thread/resume", {"threadId": thread, "excludeTurns": number % 2 == 0}, id="join")
    for joiner in joiners:
        joiner.wait(lambda message: message.get("id") == "join")
    world.model.release("end")
    assert starter.wait_turn(turn)["status"] == "completed"
    wanted = told(starter, turn, without=tuple(items(starter, turn, "userMessage")))
    assert [m["params"]["delta"] for m in wanted if m["method"] == DELTA] == [
        f"{n} " for n in range(1, STREAM + 1)
    ]
    for joiner in joiners:
        assert joiner.wait_turn(turn)["status"] == "completed"
        answer = next(at for at, m in enumerate(joiner.messages) if m.get("id") == "join")
        assert told(joiner, turn, since=answer) == wanted
        assert told(joiner, turn) == wanted


def test_a_joiner_gets_what_is_open_and_asked_and_nothing_that_is_finished_or_decided(world: World) -> None:
    """An approval that waits, then the command's output so far, then the message alone: each joiner its time's."""
    starter = world.client("starter")
    asked, decided, late = (world.client(name) for name in ("asked", "decided", "late"))
    thread = starter.start_thread(cwd=str(world.project))
    starter.wait_turn(starter.start_turn(thread, "hello"))
    # What a command says at once is no delta; so it goes on talking.
    command = "while [ ! -e go ]; do echo one; sleep 0.05; done; echo two"
    turn = starter.start_turn(thread, f"together run {command} // hold open")
    question = starter.wait_server_request(APPROVAL)
    world.model.wait_held("open")
    asked.call("thread/resume", {"threadId": thread})
    starter.answer(asked.wait_server_request(APPROVAL), {"decision": "accept"})
    starter.wait_notification("item/commandExecution/outputDelta", turnId=turn)
    decided.call("thread/resume", {"threadId": thread})
    (world.project / "go").touch()
    done = wait_item_completed(starter, turn, "commandExecution")
    history = late.call("thread/resume", {"threadId": thread})["thread"]["turns"][-1]["items"]
    world.model.release("open")
    for client in (starter, asked, decided, late):
        assert client.wait_turn(turn)["status"] == "completed"
    run, said = done["id"], items(starter, turn, "userMessage")
    assert [item["aggregatedOutput"] for item in history if item["id"] == run] == [done["aggregatedOutput"]]
    assert told(asked, turn) == told(decided, turn) == told(starter, turn, without=tuple(said))
    assert told(late, turn) == told(starter, turn, without=(*said, run))
    for client, questions in ((asked, [question["id"]]), (decided, []), (late, [])):
        assert [m["id"] for m in client.messages if m.get("method") == APPROVAL] == questions


def test_who_joins_a_thread_joins_its_sub_agents_in_mid_turn(world: World) -> None:
    """What the sub-agent is saying is whole, too."""
    starter, joiner = world.client("starter"), world.client("joiner")
    thread = starter.start_thread(cwd=str(world.project))
    turn = starter.start_turn(thread, "agents hold child")
    world.model.wait_held("child")
    first = starter.wait_notification(DELTA, delta="holding child")["params"]
    joiner.call("thread/resume", {"threadId": thread})
    world.model.release("child")
    for client in (starter, joiner):
        assert client.wait_turn(turn)["status"] == "completed"
    child = first["turnId"]
    assert first["threadId"] != thread
    assert told(joiner, child) == told(starter, child, without=tuple(items(starter, child, "userMessage")))
