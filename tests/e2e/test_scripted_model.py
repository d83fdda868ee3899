"""Every word of the scripted model's language does to the real Codex what its table says."""

import pytest

from tests.e2e.harness import World
from tests.e2e.harness_client import JsonLinesClient

pytestmark = pytest.mark.e2e


def turn(codex: JsonLinesClient, prompt: str, **params: object) -> tuple[str, str]:
    """Starts a thread and a turn: their ids."""
    thread_id = codex.start_thread()
    return thread_id, codex.start_turn(thread_id, prompt, **params)


def deltas(codex: JsonLinesClient, turn_id: str) -> list[str]:
    return [
        message["params"]["delta"]
        for message in codex.messages
        if message.get("method") == "item/agentMessage/delta" and message["params"]["turnId"] == turn_id
    ]


def test_plain_text_is_echoed(world: World) -> None:
    """What is no word of the language comes back, so that a person at the demo sees an answer."""
    codex = world.bare_codex()
    _, turn_id = turn(codex, "good morning")
    assert codex.wait_turn(turn_id)["status"] == "completed"
    assert codex.said_in(turn_id) == "You said: good morning"


def test_stream_gives_as_many_deltas_as_asked(world: World) -> None:
    """Codex passes each piece of the model's text on as a delta of its own."""
    codex = world.bare_codex()
    _, turn_id = turn(codex, "stream 7 1")
    codex.wait_turn(turn_id)
    assert deltas(codex, turn_id) == [f"{number} " for number in range(1, 8)]


def test_hold_waits_for_its_release(world: World) -> None:
    """A turn stays open until the test lets it go on."""
    codex = world.bare_codex()
    _, turn_id = turn(codex, "hold here")
    codex.wait_notification("item/agentMessage/delta", turnId=turn_id, delta="holding here")
    world.model.release("here")
    assert codex.wait_turn(turn_id)["status"] == "completed"
    assert codex.said_in(turn_id) == "holding here, released here"


def test_an_interrupted_hold_is_given_up(world: World) -> None:
    """Codex hangs up on the model when the user interrupts, and the hold ends with it."""
    codex = world.bare_codex()
    thread_id, turn_id = turn(codex, "hold there")
    world.model.wait_held("there")
    codex.call("turn/interrupt", {"threadId": thread_id, "turnId": turn_id})
    world.model.holds.wait_left("there", 30)
    assert codex.wait_turn(turn_id)["status"] == "interrupted"


def test_a_steered_turn_goes_on_with_the_new_prompt(world: World) -> None:
    """Codex cuts the model's answer short and asks again with the steering prompt."""
    codex = world.bare_codex()
    thread_id, turn_id = turn(codex, "hold back")
    world.model.wait_held("back")
    steer = {"threadId": thread_id, "expectedTurnId": turn_id, "input": [{"type": "text", "text": "go on"}]}
    assert codex.call("turn/steer", steer) == {"turnId": turn_id}
    codex.wait_turn(turn_id)
    assert codex.said_in(turn_id).endswith("You said: go on")


@pytest.mark.parametrize(("decision", "ran"), [("accept", True), ("decline", False)])
def test_run_asks_for_approval_and_quotes_the_output(world: World, decision: str, ran: bool) -> None:
    """The command runs when it is accepted, and only then."""
    codex = world.bare_codex()
    _, turn_id = turn(codex, "run printf 'a%sb' 1; touch done")
    request = codex.wait_server_request("item/commandExecution/requestApproval", turnId=turn_id)
    codex.answer(request, {"decision": decision})
    codex.wait_turn(turn_id)
    assert ("a1b" in codex.said_in(turn_id), (world.project / "done").exists()) == (ran, ran)


def test_run_free_asks_nobody(world: World) -> None:
    """A command within the sandbox needs no approval."""
    codex = world.bare_codex()
    _, turn_id = turn(codex, "run-free printf 'a%sb' 1")
    codex.wait_turn(turn_id)
    assert "a1b" in codex.said_in(turn_id)
    assert [message for message in codex.messages if "id" in message and "method" in message] == []


@pytest.mark.parametrize(("decision", "written"), [("accept", "two words\n"), ("decline", None)])
def test_patch_asks_for_approval_of_a_file_change(world: World, decision: str, written: str | None) -> None:
    """The file is written when that is accepted, and only then."""
    codex = world.bare_codex()
    _, turn_id = turn(codex, "patch notes.txt two words")
    request = codex.wait_server_request("item/fileChange/requestApproval", turnId=turn_id)
    codex.answer(request, {"decision": decision})
    codex.wait_turn(turn_id)
    notes = world.project / "notes.txt"
    assert (notes.read_text() if notes.exists() else None) == written


@pytest.mark.parametrize("mode", ["default", "plan"])
def test_ask_puts_a_question_to_the_user(world: World, mode: str) -> None:
    """Codex asks the client, and hands the answer to the model."""
    codex = world.bare_codex()
    settings = {"mode": mode, "settings": {"model": "gpt-5.1-codex"}}
    _, turn_id = turn(codex, "ask Shall we?", collaborationMode=settings)
    request = codex.wait_server_request("item/tool/requestUserInput", turnId=turn_id)
    assert request["params"]["questions"][0]["question"] == "Shall we?"
    assert request["params"]["isBlocking"] == (mode == "plan")
    codex.answer(request, {"answers": {"answer": {"answers": ["Yes"]}}})
    codex.wait_turn(turn_id)
    assert '{"answer":{"answers":["Yes"]}}' in codex.said_in(turn_id)


def test_permissions_asks_for_a_right(world: World) -> None:
    """Codex asks for a permission on behalf of the model."""
    codex = world.bare_codex()
    _, turn_id = turn(codex, "permissions /opt")
    request = codex.wait_server_request("item/permissions/requestApproval", turnId=turn_id)
    assert request["params"]["permissions"]["fileSystem"]["write"] == ["/opt"]
    codex.answer(request, {"permissions": {"fileSystem": {"write": ["/opt"]}}, "scope": "turn"})
    codex.wait_turn(turn_id)
    assert "/opt" in codex.said_in(turn_id)


def test_elicit_asks_through_an_mcp_server(world: World) -> None:
    """A question of an MCP server reaches the client."""
    codex = world.bare_codex()
    _, turn_id = turn(codex, "elicit Really?")
    request = codex.wait_server_request("mcpServer/elicitation/request", turnId=turn_id)
    assert (request["params"]["serverName"], request["params"]["message"]) == ("scripted", "Really?")
    codex.answer(request, {"action": "accept", "content": {"answer": "yes"}})
    codex.wait_turn(turn_id)
    assert '"content": {"answer": "yes"}' in codex.said_in(turn_id)


def test_agents_starts_a_sub_agent_and_waits_for_it(world: World) -> None:
    """The parent's turn ends with what its sub-agent said."""
    codex = world.bare_codex()
    thread_id, turn_id = turn(codex, "agents run echo from the child")
    request = codex.wait_server_request("item/commandExecution/requestApproval")
    assert request["params"]["threadId"] != thread_id
    codex.answer(request, {"decision": "accept"})
    codex.wait_turn(turn_id)
    assert "from the child" in codex.said_in(turn_id)
    children = {
        request.thread_id for request in world.model.requests if request.parent_thread_id == thread_id
    }
    assert children == {request["params"]["threadId"]}


def test_call_reaches_a_tool_of_the_client(world: World) -> None:
    """A dynamic tool is called in the client that declared it."""
    codex = world.bare_codex()
    tool = {"type": "function", "name": "shout", "description": "Shouts.", "inputSchema": {"type": "object"}}
    thread_id = codex.start_thread(dynamicTools=[tool])
    turn_id = codex.start_turn(thread_id, 'call shout {"word": "hey"}')
    request = codex.wait_server_request("item/tool/call", turnId=turn_id, arguments={"word": "hey"})
    codex.answer(request, {"contentItems": [{"type": "inputText", "text": "HEY"}], "success": True})
    codex.wait_turn(turn_id)
    assert "HEY" in codex.said_in(turn_id)


def test_together_makes_several_calls_at_once(world: World) -> None:
    """Two commands of one turn are asked about at the same time."""
    codex = world.bare_codex()
    _, turn_id = turn(codex, "together run printf o%s 1 // run printf o%s 2")
    first = codex.wait_server_request("item/commandExecution/requestApproval")
    second = codex.wait(lambda message: "method" in message and message.get("id") not in (None, first["id"]))
    codex.answer(second, {"decision": "accept"})
    codex.answer(first, {"decision": "accept"})
    codex.wait_turn(turn_id)
    assert "o1" in codex.said_in(turn_id)
    assert "o2" in codex.said_in(turn_id)


@pytest.mark.parametrize("prompt", ["fail 400 too bad", "fail 500 too bad", "fail 429 too bad", "die"])
def test_a_failure_ends_the_turn_as_failed(world: World, prompt: str) -> None:
    """Codex tells of a model that fails or hangs up."""
    codex = world.bare_codex()
    _, turn_id = turn(codex, prompt)
    assert codex.wait_turn(turn_id)["status"] == "failed"


def test_twenty_prompts_at_once_are_all_answered(world: World) -> None:
    """The model is no bottleneck of the tests that use it."""
    codex = world.bare_codex()
    threads = [codex.start_thread() for _ in range(24)]
    turns = [codex.start_turn(thread_id, f"number {number}") for number, thread_id in enumerate(threads)]
    for turn_id in turns:
        codex.wait_turn(turn_id)
    assert [codex.said_in(turn_id) for turn_id in turns] == [
        f"You said: number {number}" for number in range(24)
    ]
    seen = {(request.thread_id, request.prompt) for request in world.model.requests}
    assert seen == {(thread_id, f"number {number}") for number, thread_id in enumerate(threads)}
