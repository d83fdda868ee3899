"""Memory for many prompts at once, all of them in the middle of their turn."""

import subprocess
import sys

import psutil

from bench.processes import MIB, pss_bytes, tree
from bench.results import Row
from bench.servers import Codexd
from bench.world import World, command, end
from codexd.demo.scripted_model import ScriptedModel

PROMPTS = 20


def measure(world: World, quick: bool) -> list[Row]:
    """PSS of all processes: twenty times `codex exec`, and twenty times `codexctl send` with codexd and its Codex."""
    if others := _others(world):
        print(f"memory: {others} other processes run the same Codex and share its pages", file=sys.stderr)
    rounds = [(_bare(world), _ours(world)) for _ in range(1 if quick else 3)]
    bare, ours = zip(*rounds, strict=True)
    return [
        Row(
            what=f"{PROMPTS} prompts at once: memory (PSS)",
            beside=f"{PROMPTS} x codex exec",
            unit="MiB",
            bare=bare,
            codexd=ours,
            at_most=0.6,
        )
    ]


def _others(world: World) -> int:
    """How many processes make the figures too good for whoever runs fewer Codex processes."""
    paths = (process.info["exe"] for process in psutil.process_iter(["exe"]))
    return sum(path == str(world.codex) for path in paths)


def _bare(world: World) -> float:
    # The model is in this process here: it alone can say when all turns are under way.
    with ScriptedModel() as model:
        environment = world.environment("memory-bare", model.base_url)
        argv = [str(world.codex), "exec", "--skip-git-repo-check"]
        return _mebibytes_in_mid_turn(world, model, argv, environment, daemon=[])


def _ours(world: World) -> float:
    with ScriptedModel() as model:
        with Codexd(world, "memory-codexd", model.base_url) as codexd:
            argv = [*command("codexctl"), "send"]
            return _mebibytes_in_mid_turn(world, model, argv, codexd.environment, daemon=[codexd.process.pid])


def _mebibytes_in_mid_turn(
    world: World, model: ScriptedModel, argv: list[str], environment: dict[str, str], daemon: list[int]
) -> float:
    names = [f"prompt-{number}" for number in range(PROMPTS)]
    senders = [
        world.spawn([*argv, f"hold {name}"], "memory", environment=environment, stdout=subprocess.DEVNULL)
        for name in names
    ]
    try:
        for name in names:
            model.wait_held(name, 60)
        used = pss_bytes(tree(*daemon, *(sender.pid for sender in senders)))
        for name in names:
            model.release(name)
        codes = [sender.wait(60) for sender in senders]
        if any(codes):
            raise RuntimeError(f"a prompt failed: {argv}")
    finally:
        for sender in senders:
            end(sender)
    return used / MIB
