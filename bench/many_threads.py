"""What a CODEX_HOME with 4,000 threads costs: naming one of them, and listing all."""

import os
import re
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

from bench.results import Row
from bench.servers import BareStdio, Codexd
from bench.wires import call
from bench.world import World, command

_SIDE = "many"
_APART_MS = 70_000
"""So that eight digits of an id, which are 65 s, name one."""
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z")


def measure(world: World, quick: bool) -> list[Row]:
    """Whole processes of codexctl; beside them the same for a whole id, and a bare Codex that lists from the files."""
    count = 400 if quick else 4000
    ids = _write_threads(world, count)
    show = [*command("codexctl"), "threads", "show", "--json"]
    everything = [*command("codexctl"), "threads", "--all", "--json"]
    with Codexd(world, _SIDE) as codexd:
        rounds = [
            (
                _milliseconds([*show, wanted], codexd.environment),
                _milliseconds([*show, wanted[:8]], codexd.environment),
                _milliseconds(everything, codexd.environment),
            )
            for wanted in (ids[count * number // 10] for number in range(5 if quick else 10))
        ]
    whole, beginnings, listings = (list(side)[1:] for side in zip(*rounds, strict=True))
    bare = _listed_by_codex(world)
    return [
        Row(
            what=f"threads show, 8 digits of an id among {count} threads",
            beside="the whole id",
            unit="ms",
            bare=whole,
            codexd=beginnings,
            at_most=1.5,
        ),
        Row(
            what=f"threads --all, {count} threads",
            beside="thread/list of bare Codex",
            unit="ms",
            bare=[bare],
            codexd=listings,
            at_most=0.2,
        ),
    ]


def _write_threads(world: World, count: int) -> list[str]:
    """Makes copies of a thread, a little more than a minute apart, of which Codex learns when it makes its database; returns their ids."""
    environment = world.environment(_SIDE)
    project = world.directory(f"{_SIDE}/project")
    argv = [str(world.codex), "exec", "--skip-git-repo-check", "hello"]
    subprocess.run(
        argv, env=environment, cwd=project, stdin=subprocess.DEVNULL, capture_output=True, check=True
    )
    home = Path(environment["CODEX_HOME"])
    (rollout,) = (home / "sessions").rglob("rollout-*.jsonl")
    original = uuid.UUID(rollout.stem[-36:])
    text = rollout.read_text().replace('"source":"exec"', '"source":"vscode"')  # else lists leave it out
    ids = []
    for number in range(1, count + 1):
        at_ms = (original.int >> 80) - number * _APART_MS
        ids.append(str(uuid.UUID(int=at_ms << 80 | original.int & ((1 << 80) - 1))))
        _write_rollout(home, text.replace(str(original), ids[-1]), ids[-1], at_ms)
    for database in home.glob("state_*.sqlite*"):
        database.unlink()
    return ids


def _write_rollout(home: Path, text: str, thread: str, at_ms: int) -> None:
    at = time.gmtime(at_ms / 1000)
    directory = home / "sessions" / time.strftime("%Y/%m/%d", at)
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"rollout-{time.strftime('%Y-%m-%dT%H-%M-%S', at)}-{thread}.jsonl"
    stamp = f"{time.strftime('%Y-%m-%dT%H:%M:%S', at)}.{at_ms % 1000:03}Z"
    path.write_text(_STAMP.sub(stamp, text))
    os.utime(path, (at_ms / 1000, at_ms / 1000))


def _listed_by_codex(world: World) -> float:
    """Milliseconds for all pages as Codex lists them by default."""
    with BareStdio(world, _SIDE) as server:
        wire = server.connect()
        start = time.perf_counter()
        cursor: Any = None
        while True:
            answer = call(wire, "thread/list", {"limit": 100, "modelProviders": [], "cursor": cursor})
            cursor = answer["nextCursor"]
            if cursor is None:
                return (time.perf_counter() - start) * 1e3


def _milliseconds(argv: list[str], environment: dict[str, str]) -> float:
    start = time.perf_counter()
    subprocess.run(argv, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    return (time.perf_counter() - start) * 1e3
