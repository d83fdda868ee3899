"""When Codex lets go of a thread that nobody follows, and who may have it then."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from codexd.protocol.writer_lock import holder, ways_out
from tests.e2e.harness import World
from tests.e2e.harness_client import JsonLinesClient

pytestmark = pytest.mark.e2e

_WAIT_FOR_LOCK = "import fcntl, sys; f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_EX); sys.stdin.read()"
APPROVAL = "item/commandExecution/requestApproval"


def delay(world: World, seconds: float) -> None:
    """How long the next codexd keeps a thread that nobody follows."""
    (world.config_home / "codexd").mkdir()
    (world.config_home / "codexd" / "config.toml").write_text(f"thread_unload_delay_seconds = {seconds}\n")


def loaded(client: JsonLinesClient) -> list[str]:
    """The threads that Codex has in memory."""
    threads: list[str] = client.call("thread/loaded/list")["data"]
    return threads


def resumed(client: JsonLinesClient, thread: str) -> Any:
    """Attaches, and returns the thread."""
    return client.call("thread/resume", {"threadId": thread, "excludeTurns": True})["thread"]


def test_the_last_one_to_leave_lets_the_thread_go_and_another_codex_may_have_it(world: World) -> None:
    """Followers come and go; when the last one leaves, Codex unloads the thread and frees its writer lock.

    What CODEX_HOME's own config says of the delay does not count. One who comes back at once has it again.
    """
    config = world.codex_home / "config.toml"
    config.write_text("thread_unload_delay_secs = 3600\n" + config.read_text())
    delay(world, 0)
    world.start_daemon()
    a, b, watching = world.client("a"), world.client("b"), world.client("watching")
    thread = a.start_thread()
    a.wait_turn(a.start_turn(thread, "hello"))
    resumed(b, thread)
    assert a.call("thread/unsubscribe", {"threadId": thread}) == {"status": "unsubscribed"}
    assert a.call("thread/unsubscribe", {"threadId": thread}) == {"status": "notSubscribed"}
    mark = a.mark()
    b.wait_turn(b.start_turn(thread, "only for b"))
    a.call("thread/loaded/list")
    assert not [m for m in a.messages[mark:] if m.get("method", "").startswith(("turn/", "item/"))]
    other = world.bare_codex("another Codex")
    refused = other.call_error("thread/resume", {"threadId": thread})
    assert "already has an active writer" in refused["message"]
    for _ in range(3):
        b.start("thread/unsubscribe", {"threadId": thread})
        assert resumed(b, thread)["id"] == thread
    mark = watching.mark()
    b.close()
    watching.wait_notification("thread/closed", since=mark, threadId=thread)
    assert resumed(other, thread)["preview"] == "hello"


def test_a_thread_without_followers_stays_as_long_as_something_happens_in_it(world: World) -> None:
    """Its turn goes on, what it asks waits, and only then it goes; a new one waits for its first turn."""
    delay(world, 0)
    world.start_daemon()
    a, watching = world.client("a"), world.client("watching")
    fresh = a.start_thread()
    thread = a.start_thread()
    a.start_turn(thread, f"run touch {world.project / 'made'}")
    asked = a.wait_server_request(APPROVAL, threadId=thread)
    a.call("thread/unsubscribe", {"threadId": thread})
    assert set(loaded(watching)) == {fresh, thread}
    watching.call("codexd/approvals/answer", {"id": asked["id"], "result": {"decision": "accept"}})
    watching.wait_notification("thread/closed", threadId=thread)
    assert (world.project / "made").exists()
    assert loaded(watching) == [fresh]
    a.close()
    watching.wait_notification("thread/closed", threadId=fresh)


def test_send_lets_its_thread_go_and_finds_it_warm_soon_after(world: World) -> None:
    """Within the delay the thread is still in memory; a follower who comes then stops the clock."""
    world.start_daemon()
    watching = world.client("watching")
    assert world.codexctl("send", "one").returncode == 0
    (thread,) = loaded(watching)
    assert watching.call("codexd/clients/list")["clients"][0]["threads"] == []
    assert world.codexctl("send", "-c", "two").stdout == "You said: two\n"
    assert loaded(watching) == [thread]
    assert not [m for m in watching.messages if m.get("method") == "thread/closed"]
    assert resumed(watching, thread)["status"] == {"type": "idle"}


def test_a_thread_is_released_for_another_codex_at_once(world: World) -> None:
    """Not while somebody follows it. Then `released` means that another Codex can take it; that one's pid is said."""
    world.start_daemon()
    a = world.client("a")
    thread = a.start_thread()
    a.wait_turn(a.start_turn(thread, "hello"))
    kept = world.codexctl("threads", "release", thread)
    assert (kept.returncode, kept.stdout) == (1, "")
    assert kept.stderr == f"codexctl: {thread} is in use: a client follows it\n"
    a.close()
    released = world.codexctl("threads", "release", thread)
    assert (released.returncode, released.stdout, released.stderr) == (0, "", f"{thread} released\n")
    other = world.bare_codex("another Codex")
    assert resumed(other, thread)["preview"] == "hello"
    writer = holder(str(world.codex_home), thread)
    assert writer in [process.pid for process in world.living()]
    taken = f"codexctl: thread {thread} already has an active writer: {ways_out(thread, writer)}\n"
    for verb in (("send", "-t", thread, "more"), ("attach", thread), ("threads", "archive", thread)):
        refused = world.codexctl(*verb)
        assert (refused.returncode, refused.stdout, refused.stderr) == (1, "", taken)
    elsewhere = f"{thread} is not codexd's to release: process {writer} has it\n"
    assert world.codexctl("threads", "release", thread).stderr == elsewhere
    forked = world.codexctl("threads", "fork", thread)
    assert (forked.returncode, len(forked.stdout)) == (0, 37)
    other.close()
    assert world.codexctl("send", "-t", thread, "more").stdout == "You said: more\n"


def test_a_thread_that_another_codex_took_while_ours_was_dead(world: World) -> None:
    """Its followers are told who has it, because codexd can't bring it back."""
    world.start_daemon()
    a = world.client("a")
    thread = a.start_thread()
    a.wait_turn(a.start_turn(thread, "hello"))
    lock = world.codex_home / "thread-writer-locks" / f"{thread}.lock"
    heir = world.spawn([sys.executable, "-c", _WAIT_FOR_LOCK, str(lock)], stdin=subprocess.PIPE)
    world.until(lambda: f"-> FLOCK  ADVISORY  WRITE {heir.pid} " in Path("/proc/locks").read_text())
    mark = a.mark()
    os.kill(a.call("codexd/status")["codex"]["pid"], signal.SIGKILL)
    said = a.wait_notification("warning", since=mark, threadId=thread)["params"]["message"]
    assert said == (
        f"thread {thread} could not be resumed after Codex died: "
        f"thread {thread} already has an active writer: {ways_out(thread, heir.pid)}"
    )


def test_sub_agents_go_with_their_parent(world: World) -> None:
    """Codex alone would keep them for ever: it unloads a parent and leaves its sub-agents' threads in memory."""
    delay(world, 0)
    world.start_daemon()
    a, watching = world.client("a"), world.client("watching")
    thread = a.start_thread()
    a.wait_turn(a.start_turn(thread, "agents hello"))
    family = loaded(watching)
    assert (len(family), thread in family) == (2, True)
    a.close()
    for member in family:
        watching.wait_notification("thread/closed", threadId=member)
    assert loaded(watching) == []
