"""Burst: thousands of requests at once on one connection, and how many of them come to an answer."""

import json
import threading
from collections import Counter
from collections.abc import Callable

from bench.results import Row
from bench.round_trip import METHOD
from bench.servers import BareSocket, BareStdio, Codexd, Server
from bench.wires import Wire, request
from bench.world import World

REQUESTS = 3000
_QUIET_SECONDS = 3.0  # when nothing has come for so long, nothing will
_OVERLOADED = -32001

_Fates = Counter[str]


def measure(world: World, quick: bool) -> list[Row]:
    """Requests that were refused and that were never answered, in the worst of some runs."""
    servers: list[Callable[[World], Server]] = [BareSocket, BareStdio, Codexd]
    rounds = [[_burst_at(server(world)) for server in servers] for _ in range(1 if quick else 3)]
    over_socket, over_stdio, ours = (max(fates, key=_unanswered) for fates in zip(*rounds, strict=True))
    rows = []
    for beside, bare in (("--listen unix://", over_socket), ("direct stdio", over_stdio)):
        what = f"{REQUESTS:,} requests in a burst"
        rows += [
            Row(
                what=f"{what}: {fate}",
                beside=beside,
                unit="",
                bare=[bare[fate]],
                codexd=[ours[fate]],
                at_most=0,
                absolute=True,
            )
            for fate in ("refused", "never answered")
        ]
    return rows


def _unanswered(fates: _Fates) -> int:
    return fates["refused"] + fates["never answered"]


def _burst_at(server: Server) -> _Fates:
    with server:
        wire = server.connect()
        fates = _burst(wire)
        wire.close()
    return fates


def _burst(wire: Wire) -> _Fates:
    """Sends all at once, from a thread because nobody may have to read for it, and sorts what comes back."""
    requests = [request(number, METHOD, {}) for number in range(REQUESTS)]
    writer = threading.Thread(target=wire.send, args=requests)
    writer.start()
    fates: _Fates = Counter()
    waiting = set(range(REQUESTS))
    while waiting:
        try:
            message = json.loads(wire.receive(_QUIET_SECONDS))
        except TimeoutError:
            break
        if "method" not in message:
            waiting.remove(message["id"])
            fates[_fate(message)] += 1
    writer.join()
    fates["never answered"] = len(waiting)
    return fates


def _fate(answer: dict[str, dict[str, int]]) -> str:
    if "error" not in answer:
        return "answered"
    return "refused" if answer["error"]["code"] == _OVERLOADED else "failed"
