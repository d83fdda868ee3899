"""The daemon with nothing to do: what it holds, and whether it sleeps."""

import time

from bench.processes import MIB, resident_bytes, thread_sleeps, wake_ups
from bench.results import Row
from bench.servers import Codexd
from bench.wires import call, take_turn
from bench.world import World

CLIENTS = 10
# A worker thread that has nothing more to do is woken once, ten seconds later, to end: that is no idling yet.
_SETTLE_SECONDS = 12.0
# codexd looks every 30 seconds whether its socket and its locks are still there, in a thread: four wake-ups.
_OF_A_LOOK = 4


def measure(world: World, quick: bool) -> list[Row]:
    """Resident memory and wake-ups of codexd alone, after a turn, with some clients that stay connected."""
    seconds = 3 if quick else 15
    with Codexd(world) as codexd:
        wires = [codexd.connect() for _ in range(CLIENTS)]
        thread = call(wires[0], "thread/start", {})["thread"]["id"]
        take_turn(wires[0], thread, "hello")
        time.sleep(_SETTLE_SECONDS)
        before = thread_sleeps(codexd.process.pid)
        time.sleep(seconds)
        woken = wake_ups(before, thread_sleeps(codexd.process.pid))
        held = resident_bytes([codexd.process.pid]) / MIB
        for wire in wires:
            wire.close()
    return [
        Row(what="daemon idle: resident memory", unit="MiB", codexd=[held], at_most=40, absolute=True),
        Row(
            what=f"daemon idle: wake-ups in {seconds} s",
            unit="",
            codexd=[woken],
            at_most=_OF_A_LOOK,
            absolute=True,
        ),
    ]
