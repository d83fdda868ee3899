"""`codexctl send` against `codex exec`: one prompt, whole processes, from the shell's point of view."""

import subprocess
import time
from pathlib import Path

from bench.results import Row
from bench.servers import Codexd
from bench.world import World, command

_SAID = b"You said: hello"


def measure(world: World, quick: bool) -> list[Row]:
    """A new thread, and a turn on a thread that is warm."""
    codex_exec = [str(world.codex), "exec", "--skip-git-repo-check", "hello"]
    send = [*command("codexctl"), "send"]
    with Codexd(world) as codexd:
        bare_environment = world.environment("bare")
        new, warm = world.directory("send/new"), world.directory("send/warm")
        _milliseconds([*send, "hello"], codexd.environment, warm)
        rounds = [
            (
                _milliseconds(codex_exec, bare_environment, new),
                _milliseconds([*send, "hello"], codexd.environment, new),
                _milliseconds([*send, "-c", "hello"], codexd.environment, warm),
            )
            for _ in range(5 if quick else 20)
        ]
    execs, news, warms = (list(side)[1:] for side in zip(*rounds, strict=True))
    return [
        Row(
            what="codexctl send, new thread",
            beside="codex exec",
            unit="ms",
            bare=execs,
            codexd=news,
            at_most=0.75,
        ),
        Row(
            what="codexctl send -c, warm thread",
            beside="codex exec",
            unit="ms",
            bare=execs,
            codexd=warms,
            at_most=0.5,
        ),
    ]


def _milliseconds(argv: list[str], environment: dict[str, str], cwd: Path) -> float:
    """Milliseconds from the start of the process to its end."""
    start = time.perf_counter()
    done = subprocess.run(argv, env=environment, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True)
    spent = time.perf_counter() - start
    if done.returncode != 0 or _SAID not in done.stdout:
        raise RuntimeError(f"{argv} exited with {done.returncode}: {done.stderr.decode(errors='replace')}")
    return spent * 1e3
