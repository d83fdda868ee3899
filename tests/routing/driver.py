"""A router at the test's hand: clients that say what the test says, and a Codex that does the same.

Lines are written as Python sees them, `id=1, method="x"`, in that order, and come out as the bytes that the router
must produce: compact, members in order. So a test compares whole effects.
"""

import json
import math
from typing import Any

from codexd.protocol import messages
from codexd.protocol.bulk import LongLine
from codexd.protocol.gates import Gate, Gates
from codexd.protocol.learnt import Learnt
from codexd.protocol.messages import Notification, Request, Response
from codexd.protocol.request_ids import EACH, RequestIds
from codexd.routing.effects import (
    ClientId,
    Effect,
    ForgetThread,
    Log,
    Numbered,
    ReadEvents,
    Replay,
    StartCodex,
    ToClients,
    ToCodex,
    ViewChanged,
)
from codexd.routing.events import Event, Gap, TimelineStatistics
from codexd.routing.flow import Flow
from codexd.routing.from_clients import WouldTrust
from codexd.routing.requests import Call, Purpose
from codexd.routing.rights import Peer
from codexd.routing.router import Identity, Router

START = 1_700_000_000.0
FIRST_SERVER_REQUEST = int(START * 1_000_000) + 1
"""codexd's id for the first thing that Codex asks."""
IDENTITY = Identity(
    pid=77,
    version="0.1.0",
    socket="/run/s",
    codex_home="/home/u/.codex",
    started_at=START,
    thread_unload_delay=0,
    codex_silence=0,
)
GREETING = {
    "userAgent": "codexd/0.163.0 (Debian 12.0.0; x86_64) xterm (codexd; 0.1.0)",
    "codexHome": "/home/u/.codex",
    "platformFamily": "unix",
    "platformOs": "linux",
}
INTRODUCTION: dict[str, Any] = {
    "clientInfo": {"name": "codexd", "title": "codexd", "version": "0.1.0"},
    "capabilities": {"experimentalApi": True, "requiredHumanApproval": True, "requestAttestation": False},
}
GATES = Gates(
    methods=frozenset({"process/spawn", "thread/settings/update", "mock/experimentalMethod"}),
    members={"thread/start": (Gate(("dynamicTools",), "set"), Gate(("experimentalRawEvents",), "true"))},
    policies=frozenset({"thread/start", "turn/start"}),
)
"""What the schema of the Codex of these tests says of what is experimental: a little of what the real one does."""
REQUEST_IDS = RequestIds(
    asked={
        "thread/sample/cancel": (("requestId",),),
        "new/find/cancel": (("requestId",),),
        "new/hurry": (("requestId",), ("all", EACH, "requestId")),
    },
    told={"new/find/found": (("requestId",), ("others", EACH))},
    cancels={
        "thread/sample/cancel": frozenset({"thread/sample"}),
        "new/find/cancel": frozenset({"new/find"}),
    },
)
"""And of ids of requests in params: some that no Codex has yet."""
LEARNT = Learnt(GATES, REQUEST_IDS)
REMOTE_STATUS = {"method": "remoteControl/status/changed", "params": {"status": "disabled"}}
OVERLOADED = {"code": -32001, "message": "Server overloaded; retry later."}


def line(**members: Any) -> bytes:
    """One message as both sides write it."""
    return json.dumps(members, separators=(",", ":"), ensure_ascii=False).encode()


def to(*clients: ClientId, **members: Any) -> ToClients:
    """The effect that sends a message to these clients."""
    return ToClients(clients, line(**members))


def codex(**members: Any) -> ToCodex:
    """The effect that sends a message to Codex."""
    return ToCodex(line(**members))


def request(raw_id: Any = 1, method: str = "x", params: Any = None) -> Request:
    """A request as a client sent it."""
    read = messages.parse(line(id=raw_id, method=method, params={} if params is None else params))
    assert isinstance(read, Request)
    return read


def notification(method: str, params: Any) -> Notification:
    """A notification of Codex."""
    read = messages.parse_codex(line(method=method, params=params))
    assert isinstance(read, Notification)
    return read


def response(raw_id: Any, result: Any) -> Response:
    """An answer."""
    read = messages.parse(line(id=raw_id, result=result))
    assert isinstance(read, Response)
    return read


def call(owner: ClientId | None = 1, raw_id: Any = 1, method: str = "x", **more: Any) -> Call:
    """A call of a client, or of codexd's own when it has no owner."""
    if owner is None:
        more.setdefault("purpose", Purpose.MARKER)
    return Call(owner, request(raw_id, method), **more)


def unlogged(effects: list[Effect]) -> list[Effect]:
    """The effects without those for the log and for the timeline; an event counts as the lines that it is sent as."""
    return [told for effect in effects for told in _told(effect)]


def _told(effect: Effect) -> list[Effect]:
    if isinstance(effect, Log | ViewChanged | Replay | ReadEvents | ForgetThread):
        return []
    if not isinstance(effect, Numbered):
        return [effect]
    sent = ((effect.clients, effect.event.line), (effect.with_number, effect.event.numbered()))
    return [ToClients(clients, text) for clients, text in sent if clients]


class Kept:
    """A timeline that keeps everything, but for what a test says is missing."""

    def __init__(self) -> None:
        self.next_seq = 1
        self.missing: list[Gap] = []

    def gap(self, after: int, upto: int, thread: str | None) -> Gap | None:
        """The first of them that touches these numbers."""
        return next((gap for gap in self.missing if gap.from_ <= upto and gap.to > after), None)

    def statistics(self) -> TimelineStatistics:
        """It is well."""
        return TimelineStatistics(0, 0, 0, 0, "on")


def user_agent(name: str, version: str = "1") -> dict[str, Any]:
    """Codex's answer to `initialize` as this client gets it."""
    return GREETING | {"userAgent": f"codexd/0.163.0 (Debian 12.0.0; x86_64) xterm ({name}; {version})"}


class Driver:
    """A router and the world around it. Every verb returns what the router wants done, the log left out.

    `version`: the Codex's. `login`: which one lies in its home. `events` and `timeline`: all that was numbered, and what else the timeline and its readers were told.

    What is in service is not bounded by time, so that the window alone decides (`test_flow` has both).

    Codex's numbers for requests count from 1; its `initialize` is the first.
    """

    def __init__(
        self,
        identity: Identity = IDENTITY,
        would_trust: WouldTrust = lambda directory, may_write: False,
    ) -> None:
        self.now = START
        self.outboxes: dict[ClientId, int] = {}
        self.writers: dict[str, int] = {}
        self.kept = Kept()
        self.events: list[Event] = []
        self.timeline: list[Effect] = []
        self.login = ""
        self.router = Router(
            identity,
            lambda client: self.outboxes.get(client, 0),
            self.writers.get,
            self.kept,
            would_trust,
            lambda: self.login,
        )
        self.router._state.flow = Flow(in_service=math.inf)
        self.incarnation = 0
        self.version = "0.163.0"
        self.logged: list[Log] = []
        self._clients = 0
        self._numbers: dict[ClientId, int] = {}

    def keep(self, effects: list[Effect]) -> list[Effect]:
        """Takes note of what concerns the driver itself."""
        for effect in effects:
            if isinstance(effect, StartCodex):
                self.incarnation = effect.incarnation
            elif isinstance(effect, Log):
                self.logged.append(effect)
            elif isinstance(effect, Numbered):
                self.events.append(effect.event)
            elif isinstance(effect, ViewChanged | Replay | ReadEvents | ForgetThread):
                self.timeline.append(effect)
        return unlogged(effects)

    def start(self) -> list[Effect]:
        """The first Codex is asked for."""
        return self.keep(self.router.start(self.now))

    def spawned(self, pid: int = 4000) -> list[Effect]:
        """It is there, and its schema is known."""
        effects = self.keep(
            self.router.codex_spawned(
                self.incarnation, pid + self.incarnation, self.now, ("/codex", "1-2-3-4")
            )
        )
        return effects + self.learnt(LEARNT)

    def learnt(self, learnt: Learnt | str) -> list[Effect]:
        """What its schema says."""
        return self.keep(self.router.codex_learnt(self.incarnation, learnt, self.now))

    def greets(self, number: int) -> list[Effect]:
        """It answers codexd's `initialize`."""
        agent = GREETING["userAgent"].replace("0.163.0", self.version)
        return self.says(id=number, result=GREETING | {"userAgent": agent})

    def ready(self) -> "Driver":
        """A Codex that has started and said all that it says by itself."""
        self.start()
        self.spawned()
        self.greets(1)
        self.says(**REMOTE_STATUS)
        return self

    def connect(self, pid: int | None = None, inside: str | None = None, cwd: str | None = None) -> ClientId:
        """A new connection, which has said nothing yet."""
        self._clients += 1
        assert self.keep(self.router.connect(self._clients, Peer(pid, inside, cwd), self.now)) == []
        return self._clients

    def client(
        self, name: str = "test", inside: str | None = None, cwd: str | None = None, **capabilities: Any
    ) -> ClientId:
        """A new client that has initialized."""
        client = self.connect(None, inside, cwd)
        info = {"name": name, "version": "1"}
        capabilities = {"experimentalApi": True} | capabilities
        self.sends(
            client, id=0, method="initialize", params={"clientInfo": info, "capabilities": capabilities}
        )
        return client

    def clients(self, count: int) -> tuple[ClientId, ...]:
        """Some clients that have initialized."""
        return tuple(self.client() for _ in range(count))

    def sends(self, client: ClientId, **members: Any) -> list[Effect]:
        """A client sends a message."""
        return self.sends_bytes(client, line(**members))

    def sends_bytes(self, client: ClientId, text: bytes | LongLine) -> list[Effect]:
        """A client sends a line."""
        return self.keep(self.router.receive(client, text, self.now))

    def leaves(self, client: ClientId) -> list[Effect]:
        """A client is gone."""
        return self.keep(self.router.disconnect(client, self.now))

    def says(self, **members: Any) -> list[Effect]:
        """Codex sends a message."""
        return self.says_bytes(line(**members))

    def says_bytes(self, text: bytes) -> list[Effect]:
        """Codex sends a line."""
        return self.keep(self.router.codex_receive(self.incarnation, text, self.now))

    def dies(self, reason: str = "Codex was killed by SIGKILL") -> list[Effect]:
        """Codex is gone."""
        return self.keep(self.router.codex_exited(self.incarnation, reason, self.now))

    def wait(self, seconds: float) -> list[Effect]:
        """Time passes; the router is called when it wants to be."""
        end, effects = self.now + seconds, []
        while (deadline := self.router.deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            effects += self.keep(self.router.tick(self.now))
            assert self.router.deadline() != deadline, "what was due is done"
        self.now = end
        return effects

    def stops(self) -> list[Effect]:
        """codexd is to end."""
        return self.keep(self.router.stop(self.now))

    def status(self) -> dict[str, Any]:
        """What `codexd/status` says."""
        decoded: dict[str, Any] = json.loads(messages.encode(self.router.status()))
        return decoded

    def asked(self, effects: list[Effect]) -> list[tuple[int, str, Any]]:
        """What Codex is asked by these effects: number, method, params."""
        lines = [json.loads(effect.line) for effect in effects if isinstance(effect, ToCodex)]
        return [(asked["id"], asked["method"], asked["params"]) for asked in lines if "method" in asked]

    def thread(self, *subscribers: ClientId, thread: str = "T", turn: str | None = None) -> None:
        """A thread that these clients have resumed, with a turn under way if there is one to be."""
        for client in subscribers:
            ((number, _, _),) = self.asked(
                self.sends(client, id=f"resume {thread}", method="thread/resume", params={"threadId": thread})
            )
            self.says(id=number, result={"thread": {"id": thread}})
            self.says(method="thread/goal/cleared", params={"threadId": thread})
        if turn is not None:
            self.says(method="turn/started", params={"threadId": thread, "turn": {"id": turn}})

    def died_and_back(self) -> list[Effect]:
        """Codex dies and the next one answers; what the router does when it is ready."""
        self.dies()
        self.wait(0)
        ((number, _, _),) = self.asked(self.spawned())
        return self.greets(number)
