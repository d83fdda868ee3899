"""How late the others hear what is said while some clients never read, beside nobody who does not read."""

import json
import statistics
import subprocess
import sys
from contextlib import ExitStack
from typing import NamedTuple

from bench.results import Row
from bench.servers import Codexd
from bench.wires import call, take_turn
from bench.world import CHECKOUT, World

_TIMED = 8
_BUDGET = 1.2


class _Case(NamedTuple):
    reading: int
    stalled: int
    deltas: int
    pace_ms: int


_CASES = (_Case(20, 1, 2000, 2), _Case(500, 500, 1500, 10))
"""Enough deltas for a client that never reads to have its socket full, then its queue, and to be left behind."""


def measure(world: World, quick: bool) -> list[Row]:
    """The 99th of a hundred, from the model's saying to a client's hearing it, Codex's time included."""
    rows = []
    for case in _CASES:
        with Codexd(world, "nobody-stalled") as alone, Codexd(world, "stalled") as beside:
            sides = [_Side(world, alone, case, 0), _Side(world, beside, case, case.stalled)]
            figures = [[side.p99() for side in sides] for _ in range(2 if quick else 5)]
            for side in sides:
                side.leave()
        without, with_stalled = zip(*figures, strict=True)
        who = (
            "one client that never reads" if case.stalled == 1 else f"{case.stalled} clients that never read"
        )
        rows.append(
            Row(
                what=f"{case.reading} clients beside {who}: p99 of their delay",
                beside="none that does not read",
                unit="ms",
                bare=without,
                codexd=with_stalled,
                at_most=_BUDGET,
            )
        )
    return rows


class _Side:
    """One codexd with its clients."""

    def __init__(self, world: World, codexd: Codexd, case: _Case, stalled: int) -> None:
        self._codexd = codexd
        self._stalled = stalled
        self._prompt = f"clock {case.deltas} {case.pace_ms}"
        self._talker = codexd.connect()
        self._thread: str = call(self._talker, "thread/start", {})["thread"]["id"]
        take_turn(self._talker, self._thread, "hello")
        self._timed = self._listeners(world, str(_TIMED))
        self._seldom = self._listeners(world, str(case.reading - _TIMED), "--seldom")

    def _listeners(self, world: World, *how: str) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-m", "bench.listeners", str(self._codexd.path), self._thread, *how]
        process = world.spawn(argv, "listeners", cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdout
        process.stdout.readline()
        return process

    def p99(self) -> float:
        """Of one turn, in milliseconds. Who never reads is a new client in every turn."""
        with ExitStack() as leaving:
            for _ in range(self._stalled):
                wire = self._codexd.connect()
                leaving.callback(wire.close)
                call(wire, "thread/resume", {"threadId": self._thread, "excludeTurns": True})
            take_turn(self._talker, self._thread, self._prompt)
            assert self._timed.stdout
            delays = json.loads(self._timed.stdout.readline())
        p99: float = statistics.quantiles(delays, n=100)[98]
        return p99 / 1e6

    def leave(self) -> None:
        self._talker.close()
        for process in (self._timed, self._seldom):
            assert process.stdin
            process.stdin.close()
            process.wait()
