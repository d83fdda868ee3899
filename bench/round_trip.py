"""Round trip: one cheap request at a time, on an otherwise quiet server."""

import statistics
import time

from bench.results import Row
from bench.servers import BareSocket, BareStdio, Codexd, Relay
from bench.wires import Wire, request
from bench.world import World

METHOD = "thread/loaded/list"
_BLOCK = 200


def measure(world: World, quick: bool) -> list[Row]:
    """The median of one request, beside direct stdio, a bare relay, and Codex's own Unix socket."""
    with BareStdio(world) as stdio, Relay(world) as relay, BareSocket(world) as bare, Codexd(world) as codexd:
        wires = [server.connect() for server in (stdio, relay, bare, codexd)]
        for wire in wires:
            _block(wire)
        blocks = [[_block(wire) for wire in wires] for _ in range(5 if quick else 20)]
        for wire in wires:
            wire.close()
    directly, relayed, over_socket, ours = (list(side) for side in zip(*blocks, strict=True))
    what = "one cheap request, p50"
    return [
        Row(what=what, beside="direct stdio", unit="µs", bare=directly, codexd=ours, at_most=2.2),
        Row(what=what, beside="a bare relay in trio", unit="µs", bare=relayed, codexd=ours, at_most=1.25),
        Row(what=what, beside="--listen unix://", unit="µs", bare=over_socket, codexd=ours),
    ]


def _block(wire: Wire) -> float:
    """The median of some requests in a row, in microseconds."""
    return statistics.median(_round_trip(wire, number) for number in range(_BLOCK)) * 1e6


def _round_trip(wire: Wire, number: int) -> float:
    message = request(number, METHOD, {})
    start = time.perf_counter()
    wire.send(message)
    while b'"method":' in wire.receive():
        pass
    return time.perf_counter() - start
