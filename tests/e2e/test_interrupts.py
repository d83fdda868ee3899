"""Interrupts of turns that are over, with the real Codex: 0.163 never answers them, and they kept their thread in memory."""

from pathlib import Path

import pytest

from tests.e2e.harness import a_world

pytestmark = pytest.mark.e2e


def test_a_turn_that_is_interrupted_twice_holds_nothing(each_codex: Path) -> None:
    """The second interrupt is answered in Codex's words, whether it comes behind the end of the turn or before."""
    with a_world(each_codex) as world:
        world.start_daemon()
        client = world.client()
        thread = client.start_thread()
        turn = client.start_turn(thread, "hold it")
        world.model.wait_held("it")
        interrupt = {"threadId": thread, "turnId": turn}
        both = [client.start("turn/interrupt", interrupt) for _ in range(2)]
        assert client.wait_turn(turn)["status"] == "interrupted"
        refusal = {"code": -32600, "message": "no active turn to interrupt"}
        first, second = (client.wait_response(each) for each in both)
        assert first["result"] == {}
        assert second.get("result") == {} or second["error"] == refusal
        assert client.call_error("turn/interrupt", interrupt) == refusal
        assert client.call("codexd/status")["inFlight"] == 0
        client.call("thread/unsubscribe", {"threadId": thread})
        assert client.call("codexd/threads/release", {"threadId": thread}) == {"status": "released"}
