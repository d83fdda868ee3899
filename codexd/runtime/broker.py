"""The broker: feeds what happens to the core, and carries out what the core wants done.

It is the only holder of a `Router` and decides nothing itself. Everything that comes in one burst, from a client or
from Codex, is fed to the core first; what that wants done is then carried out in one go, so that a burst costs each
recipient one system call.
"""

import logging
import math
import os
import socket
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from typing import NoReturn

import trio

from codexd.protocol import writer_lock
from codexd.protocol.bulk import Bulk, LongLine
from codexd.protocol.framing import TooLong
from codexd.protocol.learnt import Learnt
from codexd.routing.effects import (
    ClientId,
    Effect,
    ForgetThread,
    Log,
    Numbered,
    Observed,
    PauseReading,
    ReadEvents,
    Replay,
    ResumeReading,
    StartCodex,
    Stop,
    StopCodex,
    ToClients,
    ToCodex,
    ViewChanged,
)
from codexd.routing.from_clients import WouldTrust
from codexd.routing.rights import Peer
from codexd.routing.router import Identity, Router
from codexd.runtime.accept import Doors
from codexd.runtime.awaited import Awaited
from codexd.runtime.budget import LineBudget, OutboxBudget
from codexd.runtime.delivery import Delivery
from codexd.runtime.lag import Lag
from codexd.runtime.limits import Limits
from codexd.runtime.lines import LINES
from codexd.runtime.login_file import LoginFile
from codexd.runtime.machine import Machine
from codexd.runtime.outbox import Outbox
from codexd.runtime.peer import admitted
from codexd.runtime.provenance import met
from codexd.runtime.session import Session
from codexd.runtime.supervisor import Supervisor
from codexd.runtime.timeline import Timeline
from codexd.runtime.turning_away import MAX_AT_ONCE, turn_away
from codexd.runtime.wall_clock import WallClock
from codexd.runtime.watch import may_matter

logger = logging.getLogger(__name__)


class Broker:
    """Serves clients on sockets with one Codex, which lives on this machine, and keeps what happens in the timeline.

    `clock` tells the time as seconds since the epoch.
    `observe` is given all that Codex sends, burst by burst, if the identity says that it is wanted.
    `mark` is what this Codex, and what it runs, has in its environment as `CODEXD_MARK`.
    `on_stop` is called when a client asks codexd to end (`codexd/stop`), with the seconds to wait for running turns;
    it is to call `stop`, which is what happens without it.
    `would_trust` says whether a thread makes Codex trust its directory.
    """

    def __init__(
        self,
        identity: Identity,
        machine: Machine,
        timeline: Timeline,
        limits: Limits,
        clock: Callable[[], float] = time.time,
        observe: Callable[[Sequence[Observed]], None] = lambda burst: None,
        mark: str = "",
        on_stop: Callable[[float], object] | None = None,
        would_trust: WouldTrust = lambda directory, may_write: False,
    ) -> None:
        self._limits = limits
        self._observe = observe
        writer_of = partial(writer_lock.holder, identity.codex_home)
        self._timeline = timeline
        login = LoginFile(identity.codex_home).login
        self._router = Router(identity, self._outbox_bytes, writer_of, timeline, would_trust, login)
        self._machine = machine
        self._supervisor = Supervisor(machine, self)
        self._sessions: dict[ClientId, Session] = {}
        self._outboxes: dict[ClientId, Outbox] = {}
        self._on_frames: set[ClientId] = set()
        self._lag = Lag(timeline)
        self._delivery = Delivery(self._outboxes, self._on_frames, self._lag, self._read_events)
        timeline.in_use = self._oldest_needed
        timeline.on_degraded = self._timeline_degraded
        self._client_ids = count(1)
        self._mark = mark
        self._last_refused: Peer | None = None
        self._being_refused = 0
        self._budget = LineBudget(limits.max_buffered_bytes)
        self._outbox_budget = OutboxBudget(limits.max_outboxes_bytes)
        self._clock = WallClock(clock)
        self._alarm = trio.CancelScope()
        self._stopping = trio.Event()
        self._on_stop = on_stop or self.stop
        self._drain_seconds = 0.0
        self._draining: trio.CancelScope | None = None
        self._awaited = Awaited()
        self._doors: Doors | None = None

    async def run(
        self,
        listeners: Sequence[socket.socket],
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serves until `stop` has been carried out; started once it accepts and Codex is being started.

        The listeners stay the caller's to close. Whatever ends it, no process that Codex started is left.
        """
        self._machine.prepare()
        self._clock.start()
        async with trio.open_nursery() as keeping:
            keeping.start_soon(self._timeline.run)
            async with trio.open_nursery() as timekeeping:
                timekeeping.start_soon(self._keep_time)
                await self._serve(listeners, task_status)
                timekeeping.cancel_scope.cancel()
            self._timeline.close()

    async def _serve(self, listeners: Sequence[socket.socket], task_status: trio.TaskStatus[None]) -> None:
        async with trio.open_nursery() as clients:
            async with trio.open_nursery() as codex:
                codex.start_soon(self._supervisor.run)
                async with trio.open_nursery() as doors:
                    self._doors = Doors(partial(self._welcome, clients))
                    for listener in listeners:
                        self._doors.open(listener)
                    doors.start_soon(self._doors.run)
                    self._carry_out(self._router.start(self._clock.now()))
                    task_status.started()
                    await self._stopping.wait()
                    await self._drain()
                    self._doors = None
                    doors.cancel_scope.cancel()
                self._carry_out(self._router.stop(self._clock.now()))
                self._supervisor.finish()
            await self._flush()
            clients.cancel_scope.cancel()

    def stop(self, drain: float = 0.0) -> bool:
        """Ends `run` in good order: answers what is open, ends Codex, lets the clients read what is queued for them.

        Waits before that for running turns, for `drain` seconds at most; called again, no longer than it says then. The
        rest takes less than five seconds, whatever clients and Codex do. Returns False when it is under way already and
        waits for no turn.
        """
        if not self._stopping.is_set():
            self._drain_seconds = drain
            self._stopping.set()
            return True
        if self._draining is None:
            return False
        self._draining.deadline = min(self._draining.deadline, trio.current_time() + drain)
        return True

    async def _drain(self) -> None:
        if self._drain_seconds > 0 and not self._router.is_drained():
            turns, seconds = self._router.running_turns(), self._drain_seconds
            logger.info("waiting for %d running turns, for %g seconds at most", turns, seconds)
            now = self._clock.now()
            self._carry_out(self._router.drain(now + self._drain_seconds, now))
            with trio.move_on_after(self._drain_seconds) as self._draining:
                await self._awaited.wait_until(self._router.is_drained)
            self._draining = None

    def replace_listener(self, old: socket.socket, new: socket.socket) -> None:
        """Accepts clients at another listener; who is connected notices nothing. The old one is the broker's to close."""
        if self._doors is None:  # it is ending
            old.close()
        else:
            self._doors.retire(old)
            self._doors.open(new)

    async def wait_codex_settled(self) -> str | None:
        """Waits until Codex is ready (None), or until it is known why it is not (a sentence)."""
        await self._awaited.wait_until(lambda: self._router.ready() or self._router.down_reason() is not None)
        return self._router.down_reason()

    def join(self, session: Session) -> None:
        """A client is there."""
        self._sessions[session.client] = session
        self._outboxes[session.client] = session.outbox
        logger.info("client %d connected, pid %s", session.client, session.peer.pid)
        self._carry_out(self._router.connect(session.client, session.peer, self._clock.now()))

    def speaks_frames(self, client: ClientId) -> None:
        """A client speaks WebSocket."""
        self._on_frames.add(client)

    def receive(self, client: ClientId, lines: Sequence[bytes | TooLong | LongLine]) -> None:
        """A burst from a client."""
        now = self._clock.now()
        effects: list[Effect] = []
        for line in lines:
            if isinstance(line, TooLong):
                effects += self._router.receive_too_long(client, line.head, now)
            else:
                effects += self._router.receive(client, line, now)
        logger.debug("client %d sent %d lines", client, len(lines))
        self._carry_out(effects)

    async def wait_answered(self, client: ClientId) -> None:
        """Waits until no request of the client is open."""
        await self._awaited.wait_until(lambda: self._router.in_flight(client) == 0)

    def leave(self, client: ClientId) -> None:
        """A client is gone."""
        del self._sessions[client], self._outboxes[client]
        self._on_frames.discard(client)
        logger.info("client %d left", client)
        self._carry_out(self._router.disconnect(client, self._clock.now()))

    def codex_spawned(self, incarnation: int, pid: int, binary: tuple[str, str] | None) -> None:
        """Codex runs."""
        self._carry_out(self._router.codex_spawned(incarnation, pid, self._clock.now(), binary))

    def codex_learnt(self, incarnation: int, learnt: Learnt | str) -> None:
        """What the schema of this Codex says, or why it says nothing."""
        self._carry_out(self._router.codex_learnt(incarnation, learnt, self._clock.now()))

    def codex_receive(self, incarnation: int, lines: Sequence[bytes]) -> None:
        """A burst from Codex."""
        now = self._clock.now()
        effects: list[Effect] = []
        for line in lines:
            effects += self._router.codex_receive(incarnation, line, now)
        logger.debug("Codex sent %d lines", len(lines))
        self._carry_out(effects)

    def codex_takes(self, incarnation: int) -> None:
        """Codex reads what it was written."""
        self._router.codex_takes(incarnation, self._clock.now())

    def codex_exited(self, incarnation: int, reason: str) -> None:
        """Codex has ended, or could not be had."""
        self._carry_out(self._router.codex_exited(incarnation, reason, self._clock.now()))

    def _carry_out(self, effects: Sequence[Effect]) -> None:
        """Does what the core wants, in order for each client and for Codex."""
        to_codex: list[bytes] = []
        observed: list[Observed] = []
        delivery = self._delivery
        for effect in effects:
            if isinstance(effect, Numbered):
                self._timeline.append(effect.event)
                delivery.publish(effect)
            elif isinstance(effect, ToClients):
                delivery.tell(effect)
            elif isinstance(effect, Observed):
                observed.append(effect)
            elif isinstance(effect, ToCodex):
                to_codex.append(effect.line)
                if effect.bulk is not None:
                    self._write(to_codex, effect.bulk)
                    to_codex = []
            elif isinstance(effect, ViewChanged | Replay | ReadEvents):
                delivery.arrange(effect)
            else:
                self._write(to_codex)
                to_codex = []
                self._do(effect)
        delivery.flush()
        self._write(to_codex)
        if observed:
            self._observe(observed)
            if any(may_matter(said.line, said.method) for said in observed):
                self._machine.stir()
        self._look_ahead()

    def _timeline_degraded(self, problem: str) -> None:
        self._carry_out(self._router.timeline_degraded(problem, self._clock.now()))

    async def _read_events(self, wanted: ReadEvents) -> Callable[[], None]:
        events = await self._timeline.collect(wanted.after + 1, wanted.last, wanted.thread, wanted.limit)
        return lambda: self._carry_out(self._router.events_read(wanted.number, events, self._clock.now()))

    def _write(self, lines: list[bytes], bulk: Bulk | None = None) -> None:
        if lines:
            chunk = LINES.chunk(lines)
            for piece in (chunk,) if bulk is None else bulk.restored(chunk):
                self._supervisor.write(piece)
            if any(map(may_matter, lines)):
                self._machine.stir()

    def _do(
        self, effect: PauseReading | ResumeReading | StartCodex | StopCodex | Stop | ForgetThread | Log
    ) -> None:
        match effect:
            case PauseReading():
                self._sessions[effect.client].pause()
            case ResumeReading():
                self._sessions[effect.client].resume()
            case StartCodex():
                self._supervisor.start(effect.incarnation)
            case StopCodex():
                self._supervisor.stop(effect.incarnation, at_once=effect.at_once)
            case Stop():
                self._on_stop(effect.drain)
            case ForgetThread():
                self._timeline.forget_thread(effect.thread)
            case Log():
                logger.log(effect.level, "%s", effect.message, exc_info=effect.error)

    def _look_ahead(self) -> None:
        """After every change: who waited for it goes on, and the alarm is set anew."""
        self._awaited.look()
        deadline = self._router.deadline()
        at = math.inf if deadline is None else self._clock.in_trio(deadline)
        if at != self._alarm.deadline:
            self._alarm.deadline = at

    async def _keep_time(self) -> NoReturn:
        """Ticks when the core wants it, and sleeps else."""
        while True:
            with trio.CancelScope() as self._alarm:
                self._look_ahead()
                await trio.sleep_forever()
            self._carry_out(self._router.tick(self._clock.now()))

    async def _flush(self) -> None:
        for session in self._sessions.values():
            session.say_goodbye()
        with trio.move_on_after(self._limits.flush_seconds):
            while behind := [outbox for outbox in self._outboxes.values() if outbox.is_behind]:
                await behind[0].wait_sent()

    def _welcome(self, clients: trio.Nursery, connection: socket.socket) -> None:
        credentials = admitted(connection, os.getuid())
        if credentials is None:
            connection.close()
            return
        peer = met(connection, credentials.pid, self._mark)
        if (sentence := self._router.why_refused(peer)) is not None:
            self._turn_away(clients, connection, peer, sentence)
            return
        client = next(self._client_ids)
        session = Session(
            client,
            connection,
            peer,
            limits=self._limits,
            lag=self._lag,
            budget=self._budget,
            outbox_budget=self._outbox_budget,
            on_load=partial(self._is_loaded, client),
        )
        clients.start_soon(session.run, self, name=f"client {client}")

    def _turn_away(self, clients: trio.Nursery, connection: socket.socket, peer: Peer, sentence: str) -> None:
        if peer != self._last_refused:  # a command that tries again and again is logged once
            logger.warning("refused a client that Codex runs, pid %s: %s", peer.pid, peer.inside)
            self._last_refused = peer
        if self._being_refused >= MAX_AT_ONCE:
            connection.close()
            return
        self._being_refused += 1
        clients.start_soon(self._refuse, connection, sentence)

    async def _refuse(self, connection: socket.socket, sentence: str) -> None:
        try:
            await turn_away(connection, sentence)
        finally:
            self._being_refused -= 1

    def _is_loaded(self, client: ClientId, is_loaded: bool) -> None:
        """A client has large answers waiting, or has taken them. The first is said while effects are carried out."""
        if client not in self._sessions:
            return
        if is_loaded:
            self._router.hold(client)
        else:
            self._carry_out(self._router.let_go_on(client, self._clock.now()))

    def _outbox_bytes(self, client: ClientId) -> int:
        return self._outboxes[client].queued_bytes

    def _oldest_needed(self) -> int | None:
        """The oldest number that somebody still has to be sent."""
        needed = [outbox.oldest_needed for outbox in tuple(self._outboxes.values())]
        return min((number for number in needed if number is not None), default=None)
