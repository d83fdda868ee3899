"""Bursts, floods and big lines against the real Codex: everything is answered, and nobody waits for somebody else."""

import json
import socket
from typing import Any

import pytest

from tests.e2e.harness import World
from tests.e2e.harness_client import JsonLinesClient

pytestmark = pytest.mark.e2e


def test_a_burst_of_3000_requests_is_answered_and_delays_nobody(world: World) -> None:
    """Bare Codex loses 705 of them. A second client's request waits for a handful, not for all (T25: no "busy")."""
    world.start_daemon()
    a, b = world.client("a"), world.client("b")
    lines = [json.dumps({"id": f"b{n}", "method": "thread/loaded/list", "params": {}}) for n in range(3000)]
    mark = a.mark()
    a.send_bytes(("\n".join(lines) + "\n").encode())
    a.wait(lambda m: "result" in m, since=mark)
    b.call("thread/loaded/list")
    answered_before = len(a.messages) - mark
    for number in range(3000):
        assert "result" in a.wait_response(f"b{number}")
    assert answered_before < 1500


def test_300_commands_at_once_are_all_answered(world: World) -> None:
    """Slow requests hold no place of the window, which has 96: a counting window lost 16 to 65 of 1,000.

    Without a sandbox, which would cost more than all the rest.
    """
    slow = {"command": ["sleep", "1"], "sandboxPolicy": {"type": "dangerFullAccess"}}
    world.start_daemon()
    client = world.client()
    for number in range(300):
        client.start("command/exec", slow, id=f"c{number}")
    for number in range(300):
        assert client.wait_response(f"c{number}")["result"]["exitCode"] == 0


def test_200_requests_that_are_never_answered_harm_nobody(world: World) -> None:
    """Sleeping commands stand for requests without an answer; the same client and another one go on."""
    world.start_daemon()
    a, b = world.client("a"), world.client("b")
    never = {
        "command": ["sleep", "1000"],
        "timeoutMs": 1_000_000,
        "sandboxPolicy": {"type": "dangerFullAccess"},
    }
    for number in range(200):
        a.start("command/exec", never, id=f"long{number}")
    assert b.call("thread/loaded/list") == {"data": [], "nextCursor": None}
    assert a.call("thread/loaded/list") == {"data": [], "nextCursor": None}
    assert b.call("codexd/status")["inFlight"] >= 200


def test_what_a_client_runs_ends_with_it(world: World) -> None:
    """As with a connection of Codex's own: its commands are killed when it leaves; equal handles do not meet."""
    world.start_daemon()
    a, b = world.client("a"), world.client("b")
    for client in (a, b):
        client.start(
            "command/exec", {"command": ["sleep", "1000"], "processId": "p", "timeoutMs": 1_000_000}, id="run"
        )
        client.start("command/exec", {"command": ["sleep", "1001"], "timeoutMs": 1_000_000}, id="nameless")
    duplicate = a.call_error("command/exec", {"command": ["true"], "processId": "p"})
    assert duplicate["message"] == 'duplicate active command/exec process id: "p"'
    assert b.call("command/exec/terminate", {"processId": "p"}) == {}
    assert "result" in b.wait_response("run")
    a.close()
    world.until(lambda: len(world.named("sleep")) == 1)


def test_a_client_that_never_reads_is_cut_off_with_a_reason_and_delays_nobody(world: World) -> None:
    """T10: it is bounded; when it reads again it finds what fitted, and why the rest did not.

    Without a timeline, where events could be read again: they would not count, unless many come at once.
    """
    (world.config_home / "codexd").mkdir()
    (world.config_home / "codexd" / "config.toml").write_text(
        'max_outbox_bytes = 1048576\nstalled_seconds = 0\ntimeline = "off"\n'
    )
    world.start_daemon()
    # The one that watches is not to be the slow one itself.
    a = world.client("a", optOutNotificationMethods=["item/agentMessage/delta"])
    thread = a.start_thread()
    a.wait_turn(a.start_turn(thread, "hello"))
    stuck = world.connect_raw()
    for id, method, params in (
        (1, "initialize", {"clientInfo": {"name": "stuck", "version": "1"}}),
        (2, "thread/resume", {"threadId": thread}),
    ):
        stuck.sendall(json.dumps({"id": id, "method": method, "params": params}).encode() + b"\n")
    world.until(lambda: [thread] in [c["threads"] for c in _clients(a) if c["name"] == "stuck"])
    assert a.wait_turn(a.start_turn(thread, "stream 20000"))["status"] == "completed"
    received = b"".join(iter(lambda: _read(stuck), b""))
    stuck.close()
    lines = received.splitlines()
    assert all(json.loads(line) for line in lines[:-1])
    last = json.loads(lines[-1])
    assert (last["id"], last["error"]["code"]) == (None, -32052)
    world.until(lambda: len(_clients(a)) == 1)


def _clients(client: JsonLinesClient) -> list[dict[str, Any]]:
    clients: list[dict[str, Any]] = client.call("codexd/clients/list")["clients"]
    return clients


def _read(connection: socket.socket) -> bytes:
    return connection.recv(1 << 20)


@pytest.mark.parametrize("size", [70_000, 1_000_000, 100_000_000])
def test_large_lines_travel_both_ways(world: World, size: int) -> None:
    """T7: 64 KiB limits of line readers broke four brokers. A 100 MB line is served, and so is its answer."""
    world.start_daemon()
    client = world.client()
    path = world.root / "large"
    content = "QUJD" * (size // 4)
    client.call("fs/writeFile", {"path": str(path), "dataBase64": content})
    assert path.stat().st_size == size // 4 * 3
    assert client.call("fs/readFile", {"path": str(path)})["dataBase64"] == content


def test_a_line_beyond_the_limit_is_refused_and_skipped(world: World) -> None:
    """The error names the request where its id can be known; the connection goes on behind the line's end."""
    (world.config_home / "codexd").mkdir()
    (world.config_home / "codexd" / "config.toml").write_text("max_message_bytes = 1048576\n")
    world.start_daemon()
    client = world.client()
    client.send_bytes(
        b'{"id":"big","method":"fs/writeFile","params":{"path":"/x","dataBase64":"'
        + b"QUJD" * 500_000
        + b'"}}\n'
    )
    assert client.wait_response("big")["error"]["code"] == -32053
    assert client.call("thread/loaded/list") == {"data": [], "nextCursor": None}
