"""What it costs to keep all events, and to log all that Codex says: the same turn with and without, side by side."""

from collections.abc import Sequence
from contextlib import ExitStack

from bench.fan_out import Audience, Turn, turns_of
from bench.results import Row
from bench.servers import Codexd
from bench.world import World

DELTAS = 4000
PACED_DELTAS = 400
PACE_MS = 5
_PARTS = {"the timeline": ("timeline",), "the observability log": ("log",), "both": ("timeline", "log")}


def measure(world: World, quick: bool) -> list[Row]:
    """CPU of codexd alone, whose Codex does the same on every side, for 200 clients; for one, a bit of it each event."""
    at_once, paced = (f"stream {DELTAS}", DELTAS), (f"stream {PACED_DELTAS} {PACE_MS}", PACED_DELTAS)
    rows = []
    for clients, who in ((200, "200 clients"), (1, "one client")):
        with ExitStack() as stack:
            audiences = [
                Audience(
                    stack.enter_context(Codexd(world, _side(clients, without), without=without)), clients
                )
                for without in ((), *_PARTS.values())
            ]
            turns_of(audiences, *at_once, 1)
            what = f"{DELTAS:,} deltas at once, {who}"
            rows += _rows(what, turns_of(audiences, *at_once, 2 if quick else 9), DELTAS)
            what = f"{1000 // PACE_MS} deltas a second, {who}"
            rows += _rows(what, turns_of(audiences, *paced, 1 if quick else 3), PACED_DELTAS)
            for audience in audiences:
                audience.leave()
    return rows


def _side(clients: int, without: tuple[str, ...]) -> str:
    return "-".join(["kept", str(clients), *without])


def _rows(what: str, turns: Sequence[Sequence[Turn]], deltas: int) -> list[Row]:
    whole, *without = turns
    return [
        Row(
            what=f"{what}, with {part}: codexd's CPU per event",
            beside="codexd without",
            unit="µs",
            bare=[turn.own / deltas * 1e6 for turn in less],
            codexd=[turn.own / deltas * 1e6 for turn in whole],
            at_most=1.1 if part == "the timeline" else None,
        )
        for part, less in zip(_PARTS, without, strict=True)
    ]
