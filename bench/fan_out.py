"""Fan-out: one turn of many deltas, followed by many clients.

All deltas at once, as fast as Codex takes them, and at the pace of a model that is typed along with, where a burst
is one delta and nothing can be joined.
"""

import os
import select
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.processes import cpu_seconds
from bench.results import Row
from bench.servers import BareSocket, Codexd, Server
from bench.wires import PATIENCE_SECONDS, READ_BYTES, Wire, call, request, take_turn, turn
from bench.world import World

DELTAS = 2000
PACED_DELTAS = 400
PACE_MS = 5
# Clients that wake up for every single message would take the server's core from it and be what is measured.
_READ_PAUSE_SECONDS = 0.005
_DELTA = b'"method":"item/agentMessage/delta"'
_NOTIFICATION = b'"method":"'
_END = b'"method":"turn/completed"'
_MARKERS = (_DELTA, _NOTIFICATION, _END)
_LONGEST = max(map(len, _MARKERS))


def measure(world: World, quick: bool) -> list[Row]:
    """Wall, CPU of the server's processes, and CPU per delivered message.

    For two sizes of audience, and for one that speaks WebSocket to codexd, too, as it has to speak to bare Codex.
    """
    rounds = 1 if quick else 3
    rows = []
    for clients, frames in ((100, False), (200, False), (200, True)):
        with BareSocket(world) as bare, Codexd(world, frames=frames) as codexd:
            audiences = Audience(bare, clients), Audience(codexd, clients)
            who = f"{clients} clients{' of WebSocket' if frames else ''}"
            rows += _at_once(audiences, who, rounds)
            if clients == 200:
                rows += _paced(audiences, who, rounds)
            for audience in audiences:
                audience.leave()
    return rows


@dataclass(frozen=True, slots=True)
class Turn:
    """Seconds; `cpu` is the whole server's, `own` its first process's."""

    wall: float
    cpu: float
    own: float
    delivered: int


def _at_once(audiences: "_Audiences", who: str, rounds: int) -> list[Row]:
    bare, ours = turns_of(audiences, f"stream {DELTAS}", DELTAS, rounds)
    what = f"a turn of {DELTAS:,} deltas, {who}"
    figures: list[tuple[str, str, Callable[[Turn], float]]] = [
        ("wall", "s", lambda turn: turn.wall),
        ("CPU", "s", lambda turn: turn.cpu),
        ("CPU per delivered message", "µs", microseconds_per_message),
    ]
    return [
        Row(
            what=f"{what}: {name}",
            beside="--listen unix://",
            unit=unit,
            bare=[figure(turn) for turn in bare],
            codexd=[figure(turn) for turn in ours],
            at_most=0.1,
        )
        for name, unit, figure in figures
    ]


def _paced(audiences: "_Audiences", who: str, rounds: int) -> list[Row]:
    bare, ours = turns_of(audiences, f"stream {PACED_DELTAS} {PACE_MS}", PACED_DELTAS, rounds)
    return [
        Row(
            what=f"{1000 // PACE_MS} deltas a second, {who}: CPU per delivered message",
            beside="--listen unix://",
            unit="µs",
            bare=[microseconds_per_message(turn) for turn in bare],
            codexd=[microseconds_per_message(turn) for turn in ours],
        )
    ]


def turns_of(
    audiences: "Sequence[Audience]", prompt: str, deltas: int, rounds: int
) -> list[tuple[Turn, ...]]:
    """Each audience's turns, taken in turns."""
    taken = [[audience.follow_a_turn(prompt, deltas) for audience in audiences] for _ in range(rounds)]
    return list(zip(*taken, strict=True))


def microseconds_per_message(turn: Turn) -> float:
    return turn.cpu / turn.delivered * 1e6


class Audience:
    """Clients of one server that are all subscribed to one thread."""

    def __init__(self, server: Server, clients: int) -> None:
        self._server = server
        self._starter = server.connect()
        self._thread: str = call(self._starter, "thread/start", {})["thread"]["id"]
        # Without a first turn nobody else can resume a thread.
        take_turn(self._starter, self._thread, "hello")
        self._wires: list[Wire] = [self._starter]
        for _ in range(clients - 1):
            wire = server.connect()
            call(wire, "thread/resume", {"threadId": self._thread, "excludeTurns": True})
            self._wires.append(wire)

    def follow_a_turn(self, prompt: str, deltas: int) -> Turn:
        """A turn from the request to the last client's last message."""
        pids, own = self._server.pids, [self._server.process.pid]
        cpu, own_cpu, start = cpu_seconds(pids), cpu_seconds(own), time.monotonic()
        self._starter.send(request(1, "turn/start", turn(self._thread, prompt)))
        delivered = _read_to_the_end([wire.fileno() for wire in self._wires], deltas)
        wall = time.monotonic() - start
        return Turn(wall, cpu_seconds(pids) - cpu, cpu_seconds(own) - own_cpu, delivered)

    def leave(self) -> None:
        for wire in self._wires:
            wire.close()


_Audiences = tuple[Audience, Audience]


class _Follower:
    """Counts what one client gets, without taking it apart: the same work on either wire, and little of it."""

    def __init__(self) -> None:
        self._tail = b""
        self._counts = dict.fromkeys(_MARKERS, 0)

    def take(self, chunk: bytes) -> None:
        data = self._tail + chunk
        for marker in _MARKERS:
            self._counts[marker] += data.count(marker) - self._tail.count(marker)
        self._tail = data[1 - _LONGEST :]

    @property
    def ended(self) -> bool:
        return self._counts[_END] > 0

    @property
    def notifications(self) -> int:
        return self._counts[_NOTIFICATION]

    @property
    def deltas(self) -> int:
        return self._counts[_DELTA]


def _read_to_the_end(descriptors: Sequence[int], deltas: int) -> int:
    """Reads until every client has seen the turn's end; returns how many notifications all got together."""
    followers = {descriptor: _Follower() for descriptor in descriptors}
    left = len(followers)
    with select.epoll() as poll:
        for descriptor in descriptors:
            poll.register(descriptor, select.EPOLLIN)
        while left:
            ready = poll.poll(PATIENCE_SECONDS)
            if not ready:
                raise TimeoutError(f"{left} clients never saw the turn's end")
            for descriptor, _ in ready:
                chunk = os.read(descriptor, READ_BYTES)
                if not chunk:
                    raise ConnectionError("a client was cut off")
                followers[descriptor].take(chunk)
                if followers[descriptor].ended:
                    poll.unregister(descriptor)
                    left -= 1
            time.sleep(_READ_PAUSE_SECONDS if left else 0)
    if any(follower.deltas != deltas for follower in followers.values()):
        raise RuntimeError("a client missed deltas")
    return sum(follower.notifications for follower in followers.values())
