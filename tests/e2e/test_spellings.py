"""A thread id in every spelling that the real Codex takes."""

import uuid
from pathlib import Path

import pytest

from tests.e2e.harness import a_world
from tests.e2e.harness_client import JsonLinesClient

pytestmark = pytest.mark.e2e


def test_who_leaves_in_another_spelling_leaves_the_others_their_events(each_codex: Path) -> None:
    """Codex takes capitals, no dashes, braces and a URN: it ended codexd's own subscription, and everybody's events."""
    with a_world(each_codex) as world:
        world.start_daemon()
        stays, leaves = world.client("stays"), world.client("leaves")
        thread = stays.start_thread()
        stays.wait_turn(stays.start_turn(thread, "first"))
        for spelling in (thread.upper(), uuid.UUID(thread).hex, "{" + thread + "}", "urn:uuid:" + thread):
            assert leaves.call("thread/resume", {"threadId": spelling})["thread"]["id"] == thread
            assert _leave(leaves, spelling) == {"status": "unsubscribed"}
            assert _leave(leaves, spelling) == {"status": "notSubscribed"}
            assert stays.wait_turn(stays.start_turn(spelling, "go on"))["status"] == "completed"
            read = leaves.call("codexd/events/read", {"threadId": spelling, "after": 0})
            assert {
                event["params"]["threadId"] for event in read["events"] if "threadId" in event["params"]
            } == {thread}
            assert leaves.call("codexd/threads/release", {"threadId": spelling})["status"] == "inUse"


def test_who_leaves_what_nobody_has_hears_what_codex_says(each_codex: Path) -> None:
    """Codex is asked in another way than with the unsubscribe itself; the answers are the same."""
    with a_world(each_codex) as world:
        world.start_daemon()
        client = world.client()
        assert _leave(client, str(uuid.UUID(int=7)).upper()) == {"status": "notLoaded"}
        bare = world.bare_codex()
        for params in ({}, {"threadId": "nonsense"}, {"threadId": None}):
            through = client.call_error("thread/unsubscribe", params)
            assert through == bare.call_error("thread/unsubscribe", params)


def _leave(client: JsonLinesClient, thread: str) -> object:
    return client.call("thread/unsubscribe", {"threadId": thread})
