"""What it costs to keep all events, and to log all that Codex says: the same turn with and without, side by side."""

from collections.abc import Sequence
from contextlib import ExitStack

from bench.fan_out import Audience, Turn, turns_of
from bench.results import Row
from bench.servers import Codexd
from bench.world import World

DELTAS = 4000
_PARTS = {"the timeline": ("timeline",), "the observability log": ("log",), "both": ("timeline", "log")}


def measure(world: World, quick: bool) -> list[Row]:
    """CPU of codexd alone, whose Codex does the same on every side: for many clients, and for one."""
    rounds = 2 if quick else 9
    whole, *without = _turns(world, 200, rounds)
    rows = []
    for part, less in zip(_PARTS, without, strict=True):
        what = f"a turn of {DELTAS:,} deltas, 200 clients, with {part}"
        budget = 1.1 if part == "the timeline" else None
        rows += [
            Row(
                what=f"{what}: codexd's CPU per delivered message",
                beside="codexd without",
                unit="µs",
                bare=list(map(_own_per_message, less)),
                codexd=list(map(_own_per_message, whole)),
                at_most=budget,
            ),
            Row(
                what=f"{what}: wall",
                beside="codexd without",
                unit="s",
                bare=[turn.wall for turn in less],
                codexd=[turn.wall for turn in whole],
            ),
        ]
    whole, *without = _turns(world, 1, rounds)
    rows += [
        Row(
            what=f"a turn of {DELTAS:,} deltas, one client, with {part}: codexd's CPU per event",
            beside="codexd without",
            unit="µs",
            bare=list(map(_own_per_delta, less)),
            codexd=list(map(_own_per_delta, whole)),
        )
        for part, less in zip(_PARTS, without, strict=True)
    ]
    return rows


def _turns(world: World, clients: int, rounds: int) -> Sequence[Sequence[Turn]]:
    """Of codexd as it is, and without each of the parts; they take turns. The first turn of each is not counted."""
    with ExitStack() as stack:
        audiences = []
        for without in ((), *_PARTS.values()):
            side = "-".join(["kept", str(clients), *without])
            audiences.append(Audience(stack.enter_context(Codexd(world, side, without=without)), clients))
        turns_of(audiences, f"stream {DELTAS}", DELTAS, 1)
        taken = turns_of(audiences, f"stream {DELTAS}", DELTAS, rounds)
        for audience in audiences:
            audience.leave()
    return taken


def _own_per_message(turn: Turn) -> float:
    return turn.own / turn.delivered * 1e6


def _own_per_delta(turn: Turn) -> float:
    return turn.own / DELTAS * 1e6
