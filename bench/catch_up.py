"""Catching up: everything that was missed, by number, from memory and from disk, beside how long it took to happen."""

import json
import time

from bench.results import Row
from bench.servers import Codexd
from bench.wires import Wire, call, request, take_turn, turn
from bench.world import World

EVENTS = 10_000


def measure(world: World, quick: bool) -> list[Row]:
    """A client that has missed a turn of many deltas follows from before it."""
    rounds = 2 if quick else 7
    with Codexd(world, "catch-up") as codexd:
        live, after = _lived(codexd.connect())
        from_memory = [_caught_up(codexd.connect(), after) for _ in range(rounds)]
    # The next one has nothing in memory.
    with Codexd(world, "catch-up") as codexd:
        from_disk = [_caught_up(codexd.connect(), after) for _ in range(rounds)]
    return [
        row
        for where, seconds in (("memory", from_memory), ("disk", from_disk))
        for row in (
            Row(
                what=f"catching up on {EVENTS:,} events, from {where}",
                beside="as they happened",
                unit="s",
                bare=[live],
                codexd=seconds,
            ),
            Row(
                what=f"the same, per event, from {where}",
                unit="µs",
                codexd=[each / EVENTS * 1e6 for each in seconds],
            ),
        )
    ]


def _lived(wire: Wire) -> tuple[float, int]:
    """How long the turn took, and the newest number before it."""
    thread: str = call(wire, "thread/start", {})["thread"]["id"]
    take_turn(wire, thread, "hello")
    after = _newest(wire)
    began = time.monotonic()
    wire.send(request(1, "turn/start", turn(thread, f"stream {EVENTS}")))
    while b'"turn/completed"' not in wire.receive():
        pass
    seconds = time.monotonic() - began
    wire.close()
    return seconds, after


def _newest(wire: Wire) -> int:
    number: int = call(wire, "codexd/status", {})["timeline"]["lastSeq"]
    return number


def _caught_up(wire: Wire, after: int) -> float:
    """Seconds from the question to the end of the turn that was missed."""
    began = time.monotonic()
    wire.send(request(1, "codexd/events/follow", {"after": after}))
    deltas = 0
    while True:
        line = wire.receive()
        if b'"item/agentMessage/delta"' in line:
            deltas += 1
        elif b'"turn/completed"' in line:
            break
        elif b'"gap"' in line and json.loads(line).get("result", {}).get("gap"):
            raise RuntimeError("there is a gap")
    seconds = time.monotonic() - began
    if deltas != EVENTS:
        raise RuntimeError(f"{deltas} of {EVENTS} deltas came")
    wire.close()
    return seconds
