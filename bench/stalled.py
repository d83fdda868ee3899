"""What a client that never reads costs codexd in memory, while the others are told of a long turn."""

from bench.processes import MIB, resident_bytes
from bench.results import Row
from bench.servers import Codexd
from bench.wires import call, take_turn
from bench.world import World

DELTAS = 45_000
MANY = 100
_KIB = 1024
_BUDGET_MIB = 24


def measure(world: World, quick: bool) -> list[Row]:
    """Resident memory of codexd alone, before and after the turn; one that reads is always there."""
    rounds = 1 if quick else 3
    grown = {
        stalled: [_growth(world, f"stalled-{stalled}-{n}", stalled) for n in range(rounds)]
        for stalled in (0, 1, MANY)
    }
    each = [(many - none) / MANY for many, none in zip(grown[MANY], grown[0], strict=True)]
    return [
        Row(
            what=f"{DELTAS:,} deltas pass one client that never reads: growth",
            beside="none that does not read",
            unit="MiB",
            bare=[size / MIB for size in grown[0]],
            codexd=[size / MIB for size in grown[1]],
            at_most=_BUDGET_MIB,
            absolute=True,
        ),
        Row(
            what=f"{DELTAS:,} deltas pass {MANY} clients that never read: growth",
            beside="none that does not read",
            unit="MiB",
            bare=[size / MIB for size in grown[0]],
            codexd=[size / MIB for size in grown[MANY]],
        ),
        Row(what="the same: for each of them", unit="KiB", codexd=[size / _KIB for size in each]),
    ]


def _growth(world: World, side: str, stalled: int) -> int:
    with Codexd(world, side) as codexd:
        reader = codexd.connect()
        thread: str = call(reader, "thread/start", {})["thread"]["id"]
        take_turn(reader, thread, "hello")
        silent = [codexd.connect() for _ in range(stalled)]
        for wire in silent:
            call(wire, "thread/resume", {"threadId": thread, "excludeTurns": True})
        before = resident_bytes([codexd.process.pid])
        take_turn(reader, thread, f"stream {DELTAS}")
        grown = resident_bytes([codexd.process.pid]) - before
        for wire in silent:
            wire.close()
        reader.close()
    return grown
