"""The face of the core: messages in, effects out.

What this floor is for
    Clients talk to one Codex as if each had it to itself. Everything that can be wrong about that is a decision: who
    gets a message, under which id, in which order, and who may answer. All decisions are on this floor, and nothing
    else is: no socket, no clock, no log, no `await`. So all of it can be tried a million times in seconds.

Rules
    1. Every request that enters leaves as exactly one answer: Codex's, or codexd's own when Codex can't any more.
    2. No message goes to a client that it was not meant for. An effect names all its recipients, and all of them
       are connected.
    3. What Codex asks is answered once, by somebody who was asked.
    4. The order in which Codex sends is the order in which a client receives. What is held back is held for the
       client that it turns out to be meant for, and comes in front of the message that tells so.
    5. A client's doings cost that client alone: its queue, its handles, its mistakes.
    6. What Codex runs does not drive Codex (`rights`).

Theory of operation
    `State` holds the tables; each table has its rules at the top of its file (`flow`, `requests`, `clients`,
    `threads`, `parked`, `following`, `reads`, `missing_ends`, `deserted`, `releases`, `server_requests`, `handles`,
    `origins`, `lifecycle`, `silence`). The deciders change them: `FromClients` and `FromCodex` take one line each (the
    latter's are for `Answers`, `Notifications` or `Decisions`), `CodexLife` carries everybody through Codex's deaths,
    `Dispatch` hands to Codex what may be handed over. After each input the queues are pumped, once. What belongs to a
    thread is numbered and sent by `Publisher`, whoever decides that it is to be.

Invariant
    A request is in exactly one place: waiting for the handshake, in a queue, parked for its thread's resume, waiting
    for another try, or under way. It leaves the last place it was in together with its answer, or with its asker.

What could not be put in a table
    Which client caused a notification that names neither thread nor handle (`CAUSED_BY`: the oldest request under
    way that could have). Whose a thread is whose events come before the answer that reveals it (held, and Codex is
    asked for its parent). That usage between a resume's answer and the goal snapshot is a replay.
"""

from collections.abc import Callable, Sequence

from codexd.protocol.bulk import LongLine
from codexd.protocol.learnt import Learnt
from codexd.routing.answers import Answers
from codexd.routing.asking import Asking
from codexd.routing.codex_life import CodexLife
from codexd.routing.decisions import Decisions
from codexd.routing.dispatch import Dispatch
from codexd.routing.drain import Drain
from codexd.routing.effects import ClientId, Effect
from codexd.routing.event_methods import EventMethods
from codexd.routing.events import Event, Kept
from codexd.routing.from_clients import FromClients, WouldTrust
from codexd.routing.from_codex import FromCodex
from codexd.routing.lifecycle import State as LifeState
from codexd.routing.notifications import Notifications
from codexd.routing.own_methods import OwnMethods
from codexd.routing.publishing import Publisher
from codexd.routing.reports import Status
from codexd.routing.rights import Peer, why_refused
from codexd.routing.state import Identity, State
from codexd.routing.turn_ends import TurnEnds
from codexd.routing.unloading import Unloading

__all__ = ["Identity", "Router"]


class Router:
    """Decides. Every method takes the time as seconds since the epoch and returns what is to be done, in order.

    `outbox_bytes` says how much is queued for a client, for `codexd/clients/list`; `writer_of` which process has a
    thread that Codex can't have, where that is known; `kept` is what the timeline says of itself; `would_trust` whether
    a thread makes Codex trust its directory; `login` which login lies in Codex's home: the same word for the same one,
    as long as this process lives.
    """

    def __init__(
        self,
        identity: Identity,
        outbox_bytes: Callable[[ClientId], int],
        writer_of: Callable[[str], int | None],
        kept: Kept,
        would_trust: WouldTrust = lambda directory, may_write: False,
        login: Callable[[], str] = lambda: "",
    ) -> None:
        self._state = State(identity, kept, login)
        publisher = Publisher(self._state)
        asking = Asking(self._state)
        self._dispatch = Dispatch(self._state, asking, Unloading(self._state))
        decisions = Decisions(self._state, self._dispatch, asking, publisher)
        self._drain = Drain(self._state)
        self._life = CodexLife(self._state, self._dispatch, publisher, writer_of)
        self._events = EventMethods(self._state, self._dispatch)
        self._own_methods = OwnMethods(
            self._state, self._dispatch, decisions, self._life, self._events, outbox_bytes
        )
        self._clients = FromClients(
            self._state, self._dispatch, decisions, self._life, self._own_methods, asking, would_trust
        )
        self._decisions = decisions
        notifications = Notifications(self._state, self._dispatch, decisions, asking, publisher)
        self._turn_ends = TurnEnds(self._state, self._dispatch, notifications)
        answers = Answers(
            self._state,
            self._dispatch,
            decisions,
            self._life,
            notifications,
            asking,
            self._turn_ends,
            publisher,
        )
        self._codex = FromCodex(self._state, decisions, notifications, answers)

    def start(self, now: float) -> list[Effect]:
        """Begins with the first Codex."""
        self._state.now = now
        self._life.start()
        return self._state.take_effects()

    def why_refused(self, peer: Peer) -> str | None:
        """The sentence to turn a peer away with instead of connecting it; None when it is to be served."""
        return why_refused(peer, self._state.identity.inside)

    def connect(self, client: ClientId, peer: Peer, now: float) -> list[Effect]:
        """A connection was accepted, of a peer that is not refused. Ids are never used twice."""
        self._state.now = now
        self._clients.connect(client, peer)
        return self._state.take_effects()

    def receive(self, client: ClientId, line: bytes | LongLine, now: float) -> list[Effect]:
        """One line from a client, without its line feed."""
        self._state.now = now
        self._clients.receive(client, line)
        return self._pumped()

    def receive_too_long(self, client: ClientId, head: bytes, now: float) -> list[Effect]:
        """A line that was too long and is skipped; `head` is its beginning."""
        self._state.now = now
        self._clients.receive_too_long(client, head)
        return self._state.take_effects()

    def hold(self, client: ClientId) -> None:
        """Large answers wait for the client: none of its requests goes to Codex until `let_go_on`, but what ends something."""
        self._state.flow.hold(client)

    def let_go_on(self, client: ClientId, now: float) -> list[Effect]:
        """The client has taken enough of them; called once after each `hold`, unless it leaves before."""
        self._state.now = now
        self._state.flow.let_go_on(client)
        return self._pumped()

    def disconnect(self, client: ClientId, now: float) -> list[Effect]:
        """A connection is gone; called once for each `connect`."""
        self._state.now = now
        self._clients.disconnect(client)
        return self._pumped()

    def codex_spawned(
        self, incarnation: int, pid: int, now: float, binary: tuple[str, str] | None = None
    ) -> list[Effect]:
        """The process that `StartCodex` asked for is there. `binary`: its program's path, and the identity of that file."""
        self._state.now = now
        self._life.spawned(incarnation, pid, binary)
        return self._state.take_effects()

    def codex_learnt(self, incarnation: int, learnt: Learnt | str, now: float) -> list[Effect]:
        """What the schema of this Codex says, or a sentence that says why it says nothing.

        Called once after each `codex_spawned`, unless it dies before; requests wait for it.
        """
        self._state.now = now
        self._life.learnt(incarnation, learnt)
        return self._pumped()

    def codex_receive(self, incarnation: int, line: bytes, now: float) -> list[Effect]:
        """One line from Codex's stdout, without its line feed."""
        self._state.now = now
        self._codex.receive(incarnation, line)
        return self._pumped()

    def codex_takes(self, incarnation: int, now: float) -> None:
        """Codex has taken some of what waited before its stdin, so it lives."""
        if self._state.life.is_current(incarnation):
            self._state.silence.heard(now)

    def codex_exited(self, incarnation: int, reason: str, now: float) -> list[Effect]:
        """The process is gone, or could not be had; `reason` is a sentence for people."""
        self._state.now = now
        self._life.exited(incarnation, reason)
        return self._pumped()

    def events_read(self, number: int, events: Sequence[Event] | str, now: float) -> list[Effect]:
        """What `ReadEvents` asked for under this number, oldest first, or a sentence that says why it can't be read.

        Called once for each, if its client is there.
        """
        self._state.now = now
        self._events.answer(number, events)
        return self._pumped()

    def timeline_degraded(self, problem: str, now: float) -> list[Effect]:
        """Events are not kept as they should be any more; `problem` is a sentence. Not called for what a life began with."""
        self._state.now = now
        self._state.warn(f"events may be missing: {problem}")
        return self._state.take_effects()

    def tick(self, now: float) -> list[Effect]:
        """Time has passed: does what is due. Called at `deadline`; any other time does no harm."""
        self._state.now = now
        self._state.flow.retry_due(now)
        self._decisions.give_up_due()
        self._life.tick()
        self._dispatch.unloading.release_due()
        self._turn_ends.ask_for_due()
        self._dispatch.interrupts.answer_due()
        return self._pumped()

    def drain(self, until: float, now: float) -> list[Effect]:
        """codexd is to end, and waits for running turns until then: it begins no other. `is_drained` tells the end."""
        self._state.now = now
        self._drain.begin(until)
        return self._pumped()

    def is_drained(self) -> bool:
        """Whether no turn runs."""
        return self._drain.is_over()

    def running_turns(self) -> int:
        """How many turns run, or are about to."""
        return len(self._drain.turns())

    def stop(self, now: float) -> list[Effect]:
        """codexd is to end: everything open is answered, and Codex is stopped."""
        self._state.now = now
        self._life.stop()
        self._events.refuse_all()
        return self._pumped()

    def deadline(self) -> float | None:
        """When `tick` is to be called, if nothing comes before."""
        state = self._state
        parts = (
            state.life,
            state.flow,
            self._dispatch,
            state.silence,
            state.deserted,
            state.missing_ends,
            state.releases,
            state.interrupts,
            state.server_requests,
            state.logins,
        )
        deadlines = [part.deadline for part in parts]
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def ready(self) -> bool:
        """Whether Codex takes requests."""
        return self._state.life.state is LifeState.READY

    def down_reason(self) -> str | None:
        """Why the last Codex is gone, while there is none; `None` when it is starting for the first time, or ready."""
        return None if self.ready() else self._state.life.reason

    def in_flight(self, client: ClientId) -> int:
        """How many requests of the client have no answer yet."""
        return self._own_methods.in_flight(client)

    def status(self) -> Status:
        """The same as `codexd/status`."""
        return self._own_methods.status()

    def _pumped(self) -> list[Effect]:
        self._life.renew_login()
        self._dispatch.pump()
        self._life.watch()
        return self._state.take_effects()
