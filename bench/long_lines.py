"""How late others are answered while codexd checks lines of 126 MiB, by what the lines are made of.

The lines go no further than codexd: their client has not said `initialize`. Codex would need half a minute and 13 GiB for
the one of numbers.
"""

import statistics
import threading
import time

from bench.results import Row
from bench.servers import Codexd
from bench.wires import LineWire, call
from bench.world import World

_MIB = 1024 * 1024
_BYTES = 126 * _MIB
_BUDGET_MS = 50
_PAUSE_SECONDS = 0.002
_KINDS = {
    "numbers": (b"[", b"1,", b"1]"),
    "arrays": (b"[", b"[],", b"1]"),
    "objects": (b"[", b'{"a":1},', b"1]"),
    "strings": (b"[", b'"ab",', b"1]"),
    "one string": (b'"', b"a", b'"'),
    "escapes": (b'"', b"\\n", b'"'),
}


def measure(world: World, quick: bool) -> list[Row]:
    """p99 and the worst of `codexd/status`, asked again and again by another client."""
    rows = []
    with Codexd(world, "long-lines") as codexd:
        for kind in _KINDS:
            sides = [_asked_beside(codexd, _line(kind)) for _ in range(1 if quick else 3)]
            figures = {
                "p99": [statistics.quantiles(side, n=100, method="inclusive")[98] for side in sides],
                "worst": [max(side) for side in sides],
            }
            rows += [
                Row(
                    what=f"codexd/status beside a line of 126 MiB of {kind}: {which}",
                    unit="ms",
                    codexd=samples,
                    at_most=_BUDGET_MS,
                    absolute=True,
                )
                for which, samples in figures.items()
            ]
    return rows


def _line(kind: str) -> bytes:
    begin, unit, end = _KINDS[kind]
    value = begin + unit * (_BYTES // len(unit)) + end
    return b'{"id":1,"method":"x","params":{"value":%b}}' % value


def _asked_beside(codexd: Codexd, line: bytes) -> list[float]:
    other = codexd.connect()
    sender = LineWire.to_socket(codexd.path)
    sending = threading.Thread(target=_send, args=(sender, line))
    sending.start()
    latencies = []
    while sending.is_alive():
        began = time.monotonic()
        call(other, "codexd/status", {})
        latencies.append(1000 * (time.monotonic() - began))
        time.sleep(_PAUSE_SECONDS)
    sender.close()
    other.close()
    return latencies


def _send(wire: LineWire, line: bytes) -> None:
    """Until the answer is there."""
    wire.send(line)
    wire.receive()
