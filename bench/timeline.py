"""What it costs to keep all events, and to log all that Codex says: fan-out with and without, side by side."""

from contextlib import ExitStack

from bench.fan_out import Audience, microseconds_per_message, turns_of
from bench.results import Row
from bench.servers import Codexd
from bench.world import World

DELTAS = 4000
CLIENTS = (200, 1)
_WHOLE, _UNKEPT, _UNLOGGED, _NEITHER = (), ("timeline",), ("log",), ("timeline", "log")


def measure(world: World, quick: bool) -> list[Row]:
    """CPU of codexd and Codex, and wall, for a turn of many deltas at once; for many clients, and for one."""
    rows = []
    for clients in CLIENTS:
        with ExitStack() as stack:
            servers = {
                without: stack.enter_context(Codexd(world, "-".join(["kept", *without]), without=without))
                for without in (_WHOLE, _UNKEPT, _UNLOGGED, _NEITHER)
            }
            audiences = [Audience(server, clients) for server in servers.values()]
            turns_of(audiences, f"stream {DELTAS}", DELTAS, 1)
            taken = turns_of(audiences, f"stream {DELTAS}", DELTAS, 2 if quick else 9)
            for audience in audiences:
                audience.leave()
        whole, unkept, unlogged, neither = taken
        for what, ours, beside, less in (
            ("the timeline", whole, "codexd without it", unkept),
            ("the observability log", whole, "codexd without it", unlogged),
            ("both", whole, "codexd without them", neither),
        ):
            said = f"a turn of {DELTAS:,} deltas, {clients} clients, with {what}"
            budget = 1.1 if clients > 1 and what == "the timeline" else None
            rows += [
                Row(
                    what=f"{said}: CPU per delivered message",
                    beside=beside,
                    unit="µs",
                    bare=list(map(microseconds_per_message, less)),
                    codexd=list(map(microseconds_per_message, ours)),
                    at_most=budget,
                ),
                Row(
                    what=f"{said}: wall",
                    beside=beside,
                    unit="s",
                    bare=[turn.wall for turn in less],
                    codexd=[turn.wall for turn in ours],
                ),
            ]
    return rows
