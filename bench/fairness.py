"""An honest client beside twenty that flood: how long its requests take, and how much the flood gets done."""

import json
import os
import statistics
import subprocess
import sys
import time

from bench.processes import cpu_seconds
from bench.results import Row
from bench.servers import BareSocket, Codexd
from bench.wires import Wire, call, request
from bench.world import CHECKOUT, World

CLIENTS = 20
DEPTH = 40
METHODS = ("model/list", "thread/list", "skills/list")
ASKED = "thread/loaded/list"
"""What the honest client asks: it costs Codex nothing, so its time is what the flood takes from it."""
_LATENCY_BUDGET = 2.0
_THROUGHPUT_BUDGET = 1 / 0.9
_WARM_SECONDS = 1.0
_HONEST_PAUSE = 0.005


def measure(world: World, quick: bool) -> list[Row]:
    """The honest client asks one request at a time, something that Codex answers at once.

    Where the CPU is all in use, the flood's throughput is what one answer costs: with two cores it is nearly always.
    """
    rows = []
    for method in METHODS:
        bare: list[_Figures] = []
        ours: list[_Figures] = []
        for _ in range(1 if quick else 3):
            bare.append(_flood(world, BareSocket(world, "bare-flood"), method, quick))
            ours.append(_flood(world, Codexd(world, "flood"), method, quick))
        rows += _rows(method, bare, ours)
    return rows


class _Figures:
    """Of one flood. Latencies in milliseconds, of the honest client; `cpu` in seconds per answer; the rest per second."""

    def __init__(
        self, latencies: list[float], answered: float, refused: float, honest_refused: int, cpu: float
    ) -> None:
        percentiles = statistics.quantiles(latencies, n=100)
        self.p50, self.p99 = percentiles[49], percentiles[98]
        self.answered, self.refused, self.honest_refused = answered, refused, honest_refused
        self.cpu = cpu


def _rows(method: str, bare: list[_Figures], ours: list[_Figures]) -> list[Row]:
    what = f"{CLIENTS} clients with {DEPTH} `{method}` open each"
    beside = "--listen unix://"
    return [
        Row(
            what=f"{what}: p50 of an honest client",
            beside=beside,
            unit="ms",
            bare=[figures.p50 for figures in bare],
            codexd=[figures.p50 for figures in ours],
        ),
        Row(
            what=f"{what}: p99 of an honest client",
            beside=beside,
            unit="ms",
            bare=[figures.p99 for figures in bare],
            codexd=[figures.p99 for figures in ours],
            at_most=_LATENCY_BUDGET,
        ),
        Row(
            what=f"{what}: time of one of the flood's answers",
            beside=beside,
            unit="ms",
            bare=[1000 / figures.answered for figures in bare],
            codexd=[1000 / figures.answered for figures in ours],
            at_most=_THROUGHPUT_BUDGET,
        ),
        Row(
            what=f"{what}: CPU of all processes for one of the flood's answers",
            beside=beside,
            unit="µs",
            bare=[1_000_000 * figures.cpu for figures in bare],
            codexd=[1_000_000 * figures.cpu for figures in ours],
        ),
        Row(
            what=f"{what}: refused of the flood, a second",
            beside=beside,
            unit="",
            bare=[figures.refused for figures in bare],
            codexd=[figures.refused for figures in ours],
            at_most=0,
            absolute=True,
        ),
        Row(
            what=f"{what}: refused of the honest client",
            beside=beside,
            unit="",
            bare=[figures.honest_refused for figures in bare],
            codexd=[figures.honest_refused for figures in ours],
            at_most=0,
            absolute=True,
        ),
    ]


def _flood(world: World, server: BareSocket | Codexd, method: str, quick: bool) -> _Figures:
    framing = "lines" if isinstance(server, Codexd) else "frames"
    with server:
        argv = [
            sys.executable,
            "-m",
            "bench.flooders",
            str(server.path),
            framing,
            str(CLIENTS),
            str(DEPTH),
            method,
        ]
        # In a directory like the bare server's: codexd has Codex look for skills where the client stands.
        flood = world.spawn(
            argv,
            "flooders",
            environment=os.environ | {"PYTHONPATH": str(CHECKOUT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert flood.stdin
        assert flood.stdout
        flood.stdout.readline()
        honest = server.connect()
        call(honest, ASKED, {})
        _say(flood)
        time.sleep(_WARM_SECONDS)
        _say(flood)
        flood.stdout.readline()
        pids = [*server.pids, flood.pid, os.getpid()]
        began, cpu = time.monotonic(), cpu_seconds(pids)
        latencies, refused = _ask(honest, ASKED, 4.0 if quick else 10.0)
        seconds, cpu = time.monotonic() - began, cpu_seconds(pids) - cpu
        _say(flood)
        answered, flood_refused = map(int, flood.stdout.readline().split())
        honest.close()
        flood.stdin.close()
        flood.wait()
    return _Figures(latencies, answered / seconds, flood_refused / seconds, refused, cpu / max(answered, 1))


def _say(flood: subprocess.Popen[bytes]) -> None:
    assert flood.stdin
    flood.stdin.write(b"\n")
    flood.stdin.flush()


def _ask(wire: Wire, method: str, seconds: float) -> tuple[list[float], int]:
    """Asks again and again, one at a time; a refusal counts as its answer, which is how the bare one looks fast."""
    latencies, refused, number = [], 0, 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        number += 1
        began = time.monotonic()
        wire.send(request(number, method, {}))
        while True:
            message = wire.receive()
            if message.startswith((b'{"id"', b'{"error"')):
                break
        if message.startswith(b'{"error"'):
            assert json.loads(message)["error"]["code"] == -32001, message
            refused += 1
        else:
            latencies.append(1000 * (time.monotonic() - began))
        time.sleep(_HONEST_PAUSE)
    return latencies, refused
