"""Plays what several clients do to one Codex: on Codex's own shared server, and through codexd. Says how they differ.

Each client's transcript is compared with that of the same client natively: of what another does it must be told as much,
and of what is another's alone as little. Where an answer stands among the rest is not compared: on a shared server that is
chance.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.conformance import wanted
from tests.conformance.codex_itself import Codex
from tests.conformance.compare import differences
from tests.conformance.noise import Noise
from tests.conformance.player import NAME, Player
from tests.conformance.runs import OFFLINE
from tests.conformance.steps import Leave, Session, Together
from tests.conformance.transcript import Transcript, transcribe
from tests.e2e.harness import World
from tests.e2e.harness_client import JsonLinesClient, Message
from tests.e2e.harness_native import NativeServer

NATIVE_RUNS = 4
"""The native server is asked so often at most: what it swaps by chance may be as in any of these."""

Seen = dict[str, Transcript]
"""What each client saw, by its name."""


class _Silence(Noise):
    """Nobody is there who is not in the script."""

    def __init__(self) -> None:
        self.threads = set()
        self.shared = False


def compared(script: Together, codex: Codex) -> str:
    """How what the clients saw through codexd differs from what they saw natively; empty when it does not."""
    through, native = _through(script, codex), [_natively(script, codex)]
    while (found := _differences(through, native)) and len(native) < NATIVE_RUNS:
        native.append(_natively(script, codex))
    return "\n".join(found)


def _differences(through: Seen, native: list[Seen]) -> list[str]:
    return [
        f"=== client {name}\n{one.text}"
        for name, seen in through.items()
        for one in differences([run[name] for run in native], seen)
        if not one.of_place
    ]


def _natively(script: Together, codex: Codex) -> Seen:
    with _world(codex) as world:
        return _play(script, codex, world, NativeServer(world).connect)


def _through(script: Together, codex: Codex) -> Seen:
    with _world(codex) as world:
        config = world.config_home / "codexd" / "config.toml"
        config.parent.mkdir()
        config.write_text(f'client_name = "{NAME}"\n')
        world.start_daemon("--cwd", str(world.project))
        return _play(script, codex, world, world.connect)


def _play(script: Together, codex: Codex, world: World, connect: Callable[[], JsonLinesClient]) -> Seen:
    names: dict[str, str] = {}
    players = {
        name: Player(world, connect(), frozenset(codex.methods), None, names) for name in script.clients
    }
    for name, player in players.items():
        player.play(Session((), {"experimentalApi": name not in script.plain}))
    there = dict(players)
    for name, step in script.steps:
        there[name].take(step)
        if isinstance(step, Leave):
            del there[name]
        for other in there.values():
            other.mark()
    for player in players.values():
        _check_names_own_requests(player)
    return {
        name: transcribe(player.recording, str(world.root), _Silence()) for name, player in players.items()
    }


def _check_names_own_requests(player: Player) -> None:
    """What names a request, names one of the client's own: not codexd's number for it, nor another's."""
    for message in player.recording.messages:
        named = _named(message)
        assert named is None or named in player.recording.asked, f"names nothing that it asked: {message}"


def _named(message: Message) -> str | None:
    params = message.get("params")
    if message.get("method") in wanted.OF_REQUESTS_OF_CODEX or not isinstance(params, dict):
        return None
    return json.dumps(params["requestId"]) if "requestId" in params else None


@contextmanager
def _world(codex: Codex) -> Iterator[World]:
    world = World(codex.path)
    world.env.update(OFFLINE)
    left: list[str] = []
    try:
        yield world
    finally:
        left = world.close()
    assert left == [], f"outlived the end of their world: {left}"
