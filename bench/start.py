"""How soon a client of its own Codex has the first answer: `codexd-codex app-server` against `codex app-server`."""

import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

from bench.results import Row
from bench.servers import Codexd
from bench.world import World, command, end

_INITIALIZE = b'{"id":1,"method":"initialize","params":{"clientInfo":{"name":"bench","version":"1"}}}\n'


def measure(world: World, quick: bool) -> list[Row]:
    """From the start of the process to its first line, beside Codex's own and beside what Python takes to start."""
    app_server = ["app-server", "--listen", "stdio://"]
    with Codexd(world) as codexd:
        bare = world.environment("bare")
        rounds = [
            (
                _milliseconds(world, [str(world.codex), *app_server], bare),
                _milliseconds(world, [*command("codexd-codex"), *app_server], codexd.environment),
                _milliseconds(world, [sys.executable, "-c", "print()"], codexd.environment),
            )
            for _ in range(5 if quick else 40)
        ]
    codexes, stand_ins, pythons = (list(side)[1:] for side in zip(*rounds, strict=True))
    python = statistics.median(pythons)
    return [
        Row(
            what="codexd-codex, first answer",
            beside="codex app-server",
            unit="ms",
            bare=codexes,
            codexd=stand_ins,
        ),
        Row(
            what="the same, less Python's own start",
            unit="ms",
            codexd=[start - python for start in stand_ins],
            at_most=20,
            absolute=True,
        ),
    ]


def _milliseconds(world: World, argv: Sequence[str], environment: dict[str, str]) -> float:
    start = time.perf_counter()
    process = world.spawn(
        argv, "start", environment=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin
    assert process.stdout
    process.stdin.write(_INITIALIZE)
    process.stdin.flush()
    line = process.stdout.readline()
    spent = time.perf_counter() - start
    end(process)
    if not line:
        raise RuntimeError(f"{argv} said nothing")
    return spent * 1e3
