"""A review with the real Codex: it begins under one id and ends under another."""

import os
import signal
from pathlib import Path

import pytest

from tests.e2e.harness import a_world

pytestmark = pytest.mark.e2e


def test_a_review_ends_once(each_codex: Path) -> None:
    """codexd waited for the end of the id with which it began, and three seconds later told that it was interrupted.

    In between the next turn runs, which is longer than that: what codexd makes up comes inside it.
    """
    with a_world(each_codex) as world:
        world.start_daemon()
        reviewer, follower = world.client("reviewer"), world.client("follower")
        thread = reviewer.start_thread()
        reviewer.wait_turn(reviewer.start_turn(thread, "first"))
        follower.call("thread/resume", {"threadId": thread})
        review = reviewer.call(
            "review/start", {"threadId": thread, "target": {"type": "custom", "instructions": "look at it"}}
        )["turn"]["id"]
        assert reviewer.wait_turn(review)["status"] == "completed"
        later = reviewer.start_turn(thread, "stream 10 500")
        assert {c.wait_turn(later)["status"] for c in (follower, reviewer)} == {"completed"}
        assert _ended(follower.messages) == [review, later]
        assert _ended(reviewer.messages)[1:] == [review, later]


def test_a_review_that_dies_with_codex_ends_under_the_id_of_its_answer(each_codex: Path) -> None:
    """Whoever asked for it waits for that."""
    with a_world(each_codex) as world:
        world.start_daemon()
        reviewer = world.client()
        thread = reviewer.start_thread()
        reviewer.wait_turn(reviewer.start_turn(thread, "first"))
        target = {"type": "custom", "instructions": "hold review"}
        review = reviewer.call("review/start", {"threadId": thread, "target": target})["turn"]["id"]
        world.model.wait_held("review")
        os.kill(reviewer.call("codexd/status")["codex"]["pid"], signal.SIGKILL)
        assert reviewer.wait_turn(review)["status"] == "failed"


def _ended(messages: list[dict[str, object]]) -> list[object]:
    ends = [message["params"] for message in messages if message.get("method") == "turn/completed"]
    return [params["turn"]["id"] for params in ends]  # type: ignore[index]
