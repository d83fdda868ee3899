"""A client that does not read costs little, harms nobody, and gets everything when it reads again."""

import json
from typing import Any

import psutil
import pytest

from bench.wires import LineWire, WebSocketWire, Wire, call, initialize, request
from tests.e2e.harness import World
from tests.e2e.harness_client import JsonLinesClient

pytestmark = pytest.mark.e2e

DELTAS = 6000
"""More than four times what the sockets and the outboxes of this test take."""
GROWTH_BYTES = 24 * 1024 * 1024

Message = dict[str, Any]


def read_turn(wire: Wire, turn: str) -> list[Message]:
    """Everything up to the end of the turn."""
    messages: list[Message] = []
    while not messages or not ends(messages[-1], turn):
        messages.append(json.loads(wire.receive()))
    return messages


def ends(message: Message, turn: str) -> bool:
    """Whether it says that the turn has ended."""
    return message.get("method") == "turn/completed" and message["params"]["turn"]["id"] == turn


def of_turn(messages: list[Message]) -> list[Message]:
    """From the start of the turn on."""
    start = next(at for at, message in enumerate(messages) if message.get("method") == "turn/started")
    return [message for message in messages[start:] if "id" not in message]


def test_who_does_not_read_gets_everything_when_it_reads_again(world: World) -> None:
    """In lines and in frames: the same messages in the same order, once, as for one who read all the while."""
    (world.config_home / "codexd").mkdir()
    (world.config_home / "codexd" / "config.toml").write_text("outbox_spill_bytes = 65536\n")
    daemon = psutil.Process(world.start_daemon().pid)
    reader = world.client("reader")
    thread = reader.start_thread()
    reader.wait_turn(reader.start_turn(thread, "hello"))
    slow: list[Wire] = [LineWire.to_socket(world.socket_path), WebSocketWire(world.socket_path)]
    try:
        for wire in slow:
            initialize(wire)
            call(wire, "thread/resume", {"threadId": thread})
        before, mark = daemon.memory_full_info().uss, reader.mark()
        turn = reader.start_turn(thread, f"stream {DELTAS}")
        assert reader.wait_turn(turn)["status"] == "completed"
        assert daemon.memory_full_info().uss - before < GROWTH_BYTES
        clients = reader.call("codexd/clients/list")["clients"]
        assert [client["name"] for client in clients if client["outboxBytes"]] == ["bench", "bench"]
        wanted = of_turn(reader.messages[mark:])
        wanted = wanted[: wanted.index(next(m for m in wanted if ends(m, turn))) + 1]
        assert len(wanted) > DELTAS
        for wire in slow:
            assert of_turn(read_turn(wire, turn)) == wanted
    finally:
        for wire in slow:
            wire.close()


def test_large_answers_reach_who_has_not_read_them_yet(world: World) -> None:
    """Two of 80 MB were one too many for a client that had not read the first: it was cut off, and bare Codex serves it."""
    world.start_daemon()
    size, path = 60_000_000, world.root / "large"
    with path.open("wb") as file:
        file.truncate(size)
    wire = LineWire.to_socket(world.socket_path)
    try:
        initialize(wire)
        wire.send(*(request(number, "fs/readFile", {"path": str(path)}) for number in (1, 2)))
        watcher = world.client("watcher")
        world.until(lambda: _queued(watcher) > 2 * size)
        answers: list[bytes] = []
        while len(answers) < 2:
            if (message := wire.receive()).startswith(b'{"id":'):
                answers.append(message)
        assert [len(answer) > size / 3 * 4 for answer in answers] == [True, True]
        assert call(wire, "thread/loaded/list", {}) == {"data": [], "nextCursor": None}
    finally:
        wire.close()


def _queued(client: JsonLinesClient) -> int:
    queued: list[int] = [one["outboxBytes"] for one in client.call("codexd/clients/list")["clients"]]
    return max(queued)
