"""What has happened can be read and followed while the real Codex says more; what must go is gone from the files."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from bench.wires import LineWire, call, initialize, request
from tests.e2e.harness import World
from tests.e2e.harness_client import JsonLinesClient
from tests.e2e.harness_terminal import CTRL_C

pytestmark = pytest.mark.e2e

STORM = 3000
Message = dict[str, Any]


def configure(world: World, line: str) -> None:
    """A setting of the codexd to come."""
    (world.config_home / "codexd").mkdir()
    (world.config_home / "codexd" / "config.toml").write_text(line + "\n")


def everything(client: JsonLinesClient, thread: str) -> list[Message]:
    """All events of a thread, read page by page."""
    events: list[Message] = []
    after = 0
    while page := client.call("codexd/events/read", {"threadId": thread, "after": after, "limit": 700}):
        assert "gap" not in page
        if not page["events"]:
            return events
        events += page["events"]
        after = events[-1]["seq"]
    raise AssertionError("an answer is never empty")


def numbered(messages: list[Message]) -> list[Message]:
    """The numbered ones among what a client was sent, as `events/read` has them, without their time."""
    return [{name: m[name] for name in ("seq", "method", "params")} for m in messages if "seq" in m]


def files_with(world: World, text: str) -> list[str]:
    """The files of codexd that hold the text, Codex's own left out."""
    files = [path for path in world.state_home.rglob("*") if path.is_file()]
    return [path.name for path in files if text.encode() in path.read_bytes()]


def test_followers_get_every_event_once_across_the_seam(world: World) -> None:
    """Slow or fast, subscribed or not, with what was before and what comes in a storm: what `events/read` tells later."""
    configure(world, "outbox_spill_bytes = 65536")
    world.start_daemon()
    starter, reader = world.client("starter"), world.client("reader")
    thread = starter.start_thread()
    starter.wait_turn(starter.start_turn(thread, "hello"))
    slow = LineWire.to_socket(world.socket_path)
    fast, both = world.client("fast"), world.client("both", codexd={"seq": True})
    try:
        initialize(slow)
        call(slow, "thread/resume", {"threadId": thread})
        turn = starter.start_turn(thread, f"stream {STORM}")
        starter.wait_notification("item/agentMessage/delta", delta=f"{STORM // 8} ")
        follow = {"threadId": thread, "after": 0}
        slow.send(request(1, "codexd/events/follow", follow))
        for client in (fast, both):
            client.start("codexd/events/follow", follow, id="follow")
        both.call("thread/resume", {"threadId": thread, "excludeTurns": True})
        assert starter.wait_turn(turn)["status"] == "completed"
        for client in (fast, both):
            client.wait_turn(turn)
        sent: list[Message] = []
        while not sent or "seq" not in sent[-1] or not _ends(sent[-1], turn):
            sent.append(json.loads(slow.receive()))
    finally:
        slow.close()
    kept = [{name: e[name] for name in ("seq", "method", "params")} for e in everything(reader, thread)]
    last = next(at for at, event in enumerate(kept) if _ends(event, turn))
    assert len(kept) > STORM
    for messages in (sent, fast.messages, _behind("follow", both.messages)):
        assert numbered(messages)[: last + 1] == kept[: last + 1]
    behind = [m for m in _behind("follow", fast.messages) if m.get("params", {}).get("threadId") == thread]
    assert [m for m in behind if "seq" not in m] == []


def _behind(id: str, messages: list[Message]) -> list[Message]:
    """What came after this answer: who wants numbers is sent what goes to everybody with numbers before it follows."""
    return messages[next(at for at, message in enumerate(messages) if message.get("id") == id) :]


def _ends(event: Message, turn: str) -> bool:
    return event.get("method") == "turn/completed" and event["params"]["turn"]["id"] == turn


def test_what_retention_has_deleted_is_a_gap(world: World) -> None:
    """Whoever comes with an old cursor is told what is missing, and gets the rest."""
    configure(world, "timeline_bytes = 262144")
    world.start_daemon()
    client = world.client()
    thread = client.start_thread()
    client.wait_turn(client.start_turn(thread, "hello"))
    [oldest] = client.call("codexd/events/read", {"after": 0, "limit": 1})["events"]

    def gap() -> Any:
        return client.call("codexd/events/read", {"after": oldest["seq"], "limit": 1}).get("gap")

    def more() -> bool:
        client.wait_turn(client.start_turn(thread, f"stream {STORM}"))
        return bool(gap())

    world.until(more)
    assert gap()["from"] == oldest["seq"] + 1
    assert client.call("codexd/events/follow", {"after": oldest["seq"]})["gap"]["from"] == oldest["seq"] + 1


def test_deleted_and_ephemeral_threads_are_in_no_file(world: World) -> None:
    """Their events are gone from the file, or never came there; whoever follows is told of them while they happen.

    A sub-agent of an ephemeral thread is ephemeral, too, which Codex says in the answer to `thread/read` alone.
    """
    world.start_daemon()
    client, follower = world.client(), world.client("follower")
    follower.call("codexd/events/follow", {"after": 0})
    ephemeral = client.start_thread(ephemeral=True)
    client.wait_turn(client.start_turn(ephemeral, "agents fleeting-4711"))
    assert follower.wait_notification("turn/completed", threadId=ephemeral)["seq"] > 0
    thread = client.start_thread()
    client.wait_turn(client.start_turn(thread, "lasting-4711"))
    world.until(lambda: files_with(world, "lasting-4711") != [])
    assert files_with(world, "fleeting-4711") == []
    assert "You said: fleeting-4711" in json.dumps(follower.messages)
    client.call("thread/delete", {"threadId": thread})
    world.until(lambda: files_with(world, "lasting-4711") == [])
    left = client.call("codexd/events/read", {"threadId": thread, "after": 0})["events"]
    assert [event["method"] for event in left] == ["thread/deleted"]
    files = [path for path in world.state_home.rglob("*") if path.is_file()]
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in files} == {
        path.name: 0o600 for path in files
    }


def test_without_its_file_codexd_serves_on_and_says_so(world: World) -> None:
    """One that is replaced while codexd runs, of which everybody is told, and one that is damaged when it starts."""
    daemon = world.start_daemon()
    client = world.client()
    client.start_thread()
    terminal = world.terminal("codexctl", "events", "-f", "--after", "0", "--no-start")
    terminal.wait_text("thread started")
    [path] = world.state_home.rglob("timeline.db")
    path.unlink()
    path.touch()
    assert _serves(client) == ("degraded", "was replaced or emptied")
    warning = client.wait_notification("warning", threadId=None)["params"]["message"]
    assert warning.startswith("events may be missing: ")
    terminal.wait_text(f"codexctl: {warning[:60]}")
    terminal.type(CTRL_C)
    assert terminal.wait_exit() == 130
    doctor = world.codexd("doctor")
    assert doctor.returncode == 1
    assert "was replaced or emptied, or has lost its log" in doctor.stdout
    world.stop(daemon)
    _damage(path)
    world.start_daemon()
    assert _serves(world.client()) == ("degraded", "is damaged")


def _serves(client: JsonLinesClient) -> tuple[str, str]:
    """Takes a turn and reads what has happened; the state of the timeline, and the part of its reason that is known."""
    thread = client.start_thread()
    assert client.wait_turn(client.start_turn(thread, "hello"))["status"] == "completed"
    events = client.call("codexd/events/read", {"threadId": thread, "after": 0})["events"]
    assert "turn/completed" in [event["method"] for event in events]
    found = client.call("codexd/status")["timeline"]
    known = ("was replaced or emptied", "is damaged")
    return found["state"], next(part for part in known if part in found["problem"])


def _damage(path: Path) -> None:
    path.write_bytes(b"no database at all " * 1000)
