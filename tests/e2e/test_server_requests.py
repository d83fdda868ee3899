"""What the real Codex asks: who is asked, whose answer counts, and what outlives whom."""

import os
import signal

import pytest

from tests.e2e.harness import World
from tests.e2e.harness_client import JsonLinesClient

pytestmark = pytest.mark.e2e

COMMAND = "item/commandExecution/requestApproval"


def _two_on_one_thread(world: World) -> tuple[JsonLinesClient, JsonLinesClient, str]:
    a, b = world.client("a"), world.client("b")
    thread = a.start_thread(cwd=str(world.project))
    a.wait_turn(a.start_turn(thread, "hello"))
    b.call("thread/resume", {"threadId": thread})
    return a, b, thread


def test_the_first_decision_wins_and_all_are_told(world: World) -> None:
    """T12: two deciders at once made a broker send two answers. A, B are asked, C is not and tries all the same."""
    world.start_daemon()
    a, b, thread = _two_on_one_thread(world)
    c = world.client("c")
    turn = a.start_turn(thread, f"run touch {world.project / 'made'}")
    asked = a.wait_server_request(COMMAND)
    assert b.wait_server_request(COMMAND)["id"] == asked["id"]
    c.answer(asked, {"decision": "accept"})
    c.call("thread/loaded/list")
    assert not (world.project / "made").exists()
    b.answer(asked, {"decision": "decline"})
    b.call("codexd/status")
    a.answer(asked, {"decision": "accept"})
    for client in (a, b):
        client.wait_notification("serverRequest/resolved", threadId=thread, requestId=asked["id"])
        assert client.wait_turn(turn)["status"] == "completed"
    assert not (world.project / "made").exists()
    assert not [m for m in c.messages if m.get("method") in (COMMAND, "serverRequest/resolved")]


def test_an_error_of_one_of_several_is_an_abstention(world: World) -> None:
    """A client that does not know the method must not decide for the one that does; the last error counts."""
    world.start_daemon()
    a, b, thread = _two_on_one_thread(world)
    turn = a.start_turn(thread, f"run touch {world.project / 'made'}")
    asked = b.wait_server_request(COMMAND)
    b.send({"id": asked["id"], "error": {"code": -32601, "message": "unknown method"}})
    b.call("thread/loaded/list")
    a.answer(a.wait_server_request(COMMAND), {"decision": "accept"})
    assert a.wait_turn(turn)["status"] == "completed"
    assert (world.project / "made").exists()

    mark = a.mark()
    turn = a.start_turn(thread, f"run touch {world.project / 'again'}")
    asked = a.wait_server_request(COMMAND, since=mark)
    for client in (a, b):
        client.send({"id": asked["id"], "error": {"code": -32601, "message": "unknown method"}})
    assert a.wait_turn(turn)["status"] == "completed"
    assert not (world.project / "again").exists()


def test_a_pending_approval_outlives_its_client_and_is_offered_to_the_next(world: World) -> None:
    """It can be listed with nobody attached, is offered to who attaches, each time, and can be answered unattached."""
    world.start_daemon()
    a = world.client("a")
    thread = a.start_thread(cwd=str(world.project))
    turn = a.start_turn(thread, f"run touch {world.project / 'made'}")
    asked = a.wait_server_request(COMMAND)
    a.close()
    b = world.connect()
    [listed] = b.call("codexd/approvals/list")["approvals"]
    assert (listed["id"], listed["threadId"], listed["turnId"]) == (asked["id"], thread, turn)
    b.initialize("b")
    for _ in range(2):
        before = b.mark()
        b.call("thread/resume", {"threadId": thread})
        assert b.wait_server_request(COMMAND, since=before)["id"] == asked["id"]
    b.call("thread/loaded/list")
    assert [m["id"] for m in b.messages if m.get("method") == COMMAND] == [asked["id"]] * 2
    world.connect().call("codexd/approvals/answer", {"id": asked["id"], "result": {"decision": "accept"}})
    assert b.wait_turn(turn)["status"] == "completed"
    assert (world.project / "made").exists()


def test_ids_never_repeat_over_deaths_of_codex(world: World) -> None:
    """T13: Codex counts from 0 after every restart; an old approval's answer must not decide a new one."""
    world.start_daemon()
    a = world.client("a")
    ids = []
    for round in range(3):
        thread = a.start_thread(cwd=str(world.project))
        mark = a.mark()
        a.start_turn(thread, f"run touch {world.project / str(round)}")
        ids.append(a.wait_server_request(COMMAND, since=mark)["id"])
        for old in ids[:-1]:
            a.send({"id": old, "result": {"decision": "accept"}})
        a.call("thread/loaded/list")
        assert not (world.project / str(round)).exists()
        codex = a.call("codexd/status")["codex"]["pid"]
        os.kill(codex, signal.SIGKILL)
        a.wait_notification("serverRequest/resolved", since=mark, requestId=ids[-1])
    assert len(set(ids)) == 3


@pytest.mark.parametrize(
    ("prompt", "method", "result"),
    [
        ("patch {outside}/new text", "item/fileChange/requestApproval", {"decision": "accept"}),
        ("permissions {outside}", "item/permissions/requestApproval", {"permissions": {}}),
        ("ask Really?", "item/tool/requestUserInput", {"answers": {}}),
        ("elicit Really?", "mcpServer/elicitation/request", {"action": "decline"}),
    ],
)
def test_every_kind_reaches_all_followers_and_is_resolved(
    world: World, prompt: str, method: str, result: object
) -> None:
    """File change, permissions, user input, elicitation: asked of both, decided by one, resolved for both."""
    world.start_daemon()
    a, b, thread = _two_on_one_thread(world)
    turn = a.start_turn(thread, prompt.format(outside=world.home))
    asked = b.wait_server_request(method)
    assert a.wait_server_request(method)["id"] == asked["id"]
    b.answer(asked, result)
    for client in (a, b):
        client.wait_notification("serverRequest/resolved", threadId=thread, requestId=asked["id"])
    a.wait_turn(turn)


def test_an_approval_in_one_thread_delays_nothing_in_another(world: World) -> None:
    """T24: a plan's permission request blocked `session/new` of everybody."""
    world.start_daemon()
    a, b = world.client("a"), world.client("b")
    a.start_turn(a.start_thread(cwd=str(world.project)), "run true")
    a.wait_server_request(COMMAND)
    assert b.wait_turn(b.start_turn(b.start_thread(), "hello"))["status"] == "completed"


def test_interrupting_a_turn_resolves_what_it_asked(world: World) -> None:
    """Codex takes its question back; nothing is left that could be answered."""
    world.start_daemon()
    a, b, thread = _two_on_one_thread(world)
    turn = a.start_turn(thread, "run true")
    asked = b.wait_server_request(COMMAND)
    a.call("turn/interrupt", {"threadId": thread, "turnId": turn})
    b.wait_notification("serverRequest/resolved", threadId=thread, requestId=asked["id"])
    assert b.wait_turn(turn)["status"] == "interrupted"
    assert b.call("codexd/approvals/list") == {"approvals": []}
