"""Measures codexd beside bare Codex, in one run, and prints the ratios.

    python -m bench [--quick] [--json FILE] [fan-out | round-trip | burst | send | start | memory | idle |
                                             timeline | catch-up | stalled | latency | many-threads | fairness | long-lines]...

The real Codex comes from CODEX_PATH or the codex_cli_bin package; its model is the scripted one. The sides take
turns, and what is compared are medians. Only the ratios mean anything: the figures beside them are this machine's, and
a machine that does something else meanwhile spoils both. Nothing is asserted; the exit status is 0 when it ran.
"""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import psutil

from bench import (
    burst,
    catch_up,
    fairness,
    fan_out,
    idle,
    latency,
    long_lines,
    many_threads,
    memory,
    round_trip,
    send,
    stalled,
    start,
    timeline,
)
from bench.processes import MIB
from bench.results import Row, table
from bench.world import World

MEASUREMENTS: dict[str, Callable[[World, bool], list[Row]]] = {
    "fan-out": fan_out.measure,
    "round-trip": round_trip.measure,
    "burst": burst.measure,
    "send": send.measure,
    "start": start.measure,
    "memory": memory.measure,
    "idle": idle.measure,
    "timeline": timeline.measure,
    "catch-up": catch_up.measure,
    "stalled": stalled.measure,
    "latency": latency.measure,
    "fairness": fairness.measure,
    "long-lines": long_lines.measure,
    "many-threads": many_threads.measure,
}


def main() -> None:
    if not sys.platform.startswith("linux"):
        sys.exit("bench: reads Linux's /proc, and this is no Linux")
    options = _options()
    terminated: list[int] = []

    def terminate(number: int, _: object) -> None:
        terminated.append(number)
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, terminate)
    codex = find_codex()
    machine = describe_machine(codex)
    print(machine, flush=True)
    rows = []
    with World(codex) as world:
        for name in options.names or MEASUREMENTS:
            began = time.monotonic()
            rows += MEASUREMENTS[name](world, options.quick)
            print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr)
            if terminated:  # in a finalizer, say, where what the handler raises comes to nothing
                sys.exit(128 + terminated[0])
    print(f"\n{table(rows)}\n\nLoad of the machine at the end: {_load()}")
    if options.json:
        document = {"machine": machine, "rows": [row.document() for row in rows]}
        options.json.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measures codexd beside bare Codex and prints the ratios."
    )
    parser.add_argument("names", nargs="*", metavar="WHAT", help=f"{', '.join(MEASUREMENTS)}; all by default")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: for a look, not for a table")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples to FILE")
    options = parser.parse_args()
    for name in options.names:
        if name not in MEASUREMENTS:
            parser.error(f"there is no {name}; there are {', '.join(MEASUREMENTS)}")
    return options


def find_codex() -> Path:
    """The native binary."""
    if "CODEX_PATH" in os.environ:
        return Path(os.environ["CODEX_PATH"]).resolve()
    try:
        package = import_module("codex_cli_bin")
    except ImportError:
        sys.exit("bench: no Codex: set CODEX_PATH, or run make setup")
    return Path(package.bundled_codex_path())


def describe_machine(codex: Path) -> str:
    """One line that says where the figures come from."""
    version = subprocess.run([codex, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    memory_gib = psutil.virtual_memory().total / MIB / 1024
    return (
        f"{_cpu_model()}, {os.cpu_count()} CPUs, {memory_gib:.0f} GiB; Linux {platform.release()}; "
        f"Python {platform.python_version()}; {version}; load {_load()}"
    )


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


if __name__ == "__main__":
    main()
