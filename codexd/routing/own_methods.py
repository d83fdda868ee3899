"""The `codexd/*` methods: answered by codexd itself, in every state of Codex and without `initialize`."""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from codexd.protocol import extension, messages
from codexd.protocol.errors import Code
from codexd.protocol.messages import Request
from codexd.routing.clients import Client
from codexd.routing.codex_life import STOPPING, CodexLife
from codexd.routing.decisions import Decisions
from codexd.routing.dispatch import Dispatch
from codexd.routing.drain import Drain
from codexd.routing.effects import ClientId, Stop
from codexd.routing.event_methods import EventMethods
from codexd.routing.following import MAX_FOLLOWED
from codexd.routing.lifecycle import State as LifeState
from codexd.routing.presenting import present
from codexd.routing.reports import (
    AnswerParams,
    Approval,
    ClientInfo,
    CodexdStatus,
    CodexStatus,
    FollowParams,
    ReadParams,
    Release,
    ReleaseParams,
    Status,
    StopParams,
    Stopping,
)
from codexd.routing.state import State

_Params = TypeVar("_Params", AnswerParams, FollowParams, ReadParams, ReleaseParams, StopParams)

_answer_params = msgspec.json.Decoder(AnswerParams)
_follow_params = msgspec.json.Decoder(FollowParams)
_read_params = msgspec.json.Decoder(ReadParams)
_release_params = msgspec.json.Decoder(ReleaseParams)
_stop_params = msgspec.json.Decoder(StopParams)
_LATER = None
"""In the place of a result: it is told already, or will be."""


class _Refused(Exception):
    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code


class OwnMethods:
    """What codexd says of itself, and the decisions that are made without being attached."""

    def __init__(
        self,
        state: State,
        dispatch: Dispatch,
        decisions: Decisions,
        life: CodexLife,
        events: EventMethods,
        outbox_bytes: Callable[[ClientId], int],
    ) -> None:
        self._state = state
        self._dispatch = dispatch
        self._decisions = decisions
        self._life = life
        self._events = events
        self._outbox_bytes = outbox_bytes
        self._drain = Drain(state)
        self._presented: dict[str, Callable[[], object]] = {
            extension.STATUS: self.status,
            extension.CLIENTS_LIST: lambda: {"clients": self._clients()},
            extension.APPROVALS_LIST: lambda: {"approvals": self._approvals()},
        }
        self._methods: dict[str, Callable[[Client, Request], Any]] = {
            extension.EVENTS_READ: self._read,
            extension.EVENTS_FOLLOW: self._follow,
            extension.APPROVALS_ANSWER: self._decide,
            extension.THREADS_RELEASE: self._release,
            extension.STOP: self._stop,
            extension.CODEX_START: self._start,
        }

    def answer(self, client: Client, request: Request) -> None:
        """Answers one request of these methods."""
        if (presented := self._presented.get(request.method)) is not None:
            present(self._state, client.id, request.id, request.method, presented)
            return
        method = self._methods.get(request.method)
        try:
            if method is None:
                known = ", ".join((*self._presented, *self._methods))
                raise _Refused(
                    Code.METHOD_NOT_FOUND, f"unknown method {request.method}; codexd knows {known}"
                )
            result = method(client, request)
        except _Refused as refused:
            self._state.refuse(client.id, request, refused.code, str(refused))
        else:
            if result is not _LATER:
                self._state.tell((client.id,), messages.result(request.id, result))

    def status(self) -> Status:
        """How codexd and Codex are."""
        state, life, identity = self._state, self._state.life, self._state.identity
        binary, binary_identity = life.binary or (None, None)
        return Status(
            codexd=CodexdStatus(
                pid=identity.pid,
                version=identity.version,
                started_at=identity.started_at,
                socket=identity.socket,
                codex_home=identity.codex_home,
                draining_until=state.draining_until,
            ),
            codex=CodexStatus(
                pid=life.pid,
                version=state.codex_version,
                state=life.state.value,
                restarts=life.restarts,
                started_at=life.started_at,
                reason=self._life.down_sentence() if life.is_left_down else life.reason,
                login_is_stale=life.state is LifeState.READY and state.logins.differs(),
                schema_problem=state.learnt if isinstance(state.learnt, str) else None,
                environment=identity.environment,
                binary=binary,
                binary_identity=binary_identity,
            ),
            clients=len(state.clients),
            threads=len(state.threads),
            pending_approvals=len(state.server_requests.undecided()),
            in_flight=state.requests.wanted,
            queued=sum(state.flow.waiting(owner) for owner in state.flow.owners()) + state.parked.count(),
            quarantined=state.quarantine.threads(),
            timeline=state.kept.statistics(),
        )

    def in_flight(self, client: ClientId) -> int:
        """How many requests of the client have no answer yet, wherever they are."""
        state = self._state
        waiting = state.flow.waiting(client) + state.parked.count(client)
        waiting += (
            state.releases.waiting(client)
            + state.reads.waiting(client)
            + (state.clients[client].initialize is not None)
        )
        return state.requests.count(client) + waiting

    def _clients(self) -> list[ClientInfo]:
        return [
            ClientInfo(
                id=client.id,
                name=client.introduction.name,
                version=client.introduction.version,
                pid=client.peer.pid,
                cwd=client.process.cwd,
                connected_at=client.connected_at,
                threads=self._state.threads.of_client(client.id),
                in_flight=self.in_flight(client.id),
                outbox_bytes=(queued := self._outbox_bytes(client.id)),
                lagging=queued > 0,
            )
            for client in self._state.clients.all()
        ]

    def _approvals(self) -> list[Approval]:
        return [
            Approval(
                id=pending.id,
                thread_id=pending.thread,
                turn_id=pending.turn,
                method=pending.request.method,
                params=pending.request.params,
                asked_at=pending.asked_at,
                asked_clients=list(pending.asked),
            )
            for pending in self._state.server_requests.undecided()
        ]

    def _read(self, client: Client, request: Request) -> None:
        self._events.read(client, request, self._params(request, _read_params, "{threadId?, after, limit?}"))

    def _follow(self, client: Client, request: Request) -> None:
        wanted = self._params(request, _follow_params, "{threadId?, after?}")
        if not self._state.following.may_follow(client.id, wanted.thread_id):
            raise _Refused(
                Code.INVALID_PARAMS,
                f"a client follows at most {MAX_FOLLOWED} threads one by one; without threadId it follows all",
            )
        self._events.follow(client, request, wanted)

    def _decide(self, _: Client, request: Request) -> dict[str, Any]:
        answer = self._params(request, _answer_params, "{id, result}")
        pending = self._state.server_requests.get(answer.id)
        if pending is None:
            raise _Refused(
                Code.INVALID_PARAMS,
                f"no request {answer.id} waits for a decision; it was answered or has ended",
            )
        self._decisions.decide(pending, messages.result(pending.request.id, answer.result), request.bulk)
        return {}

    def _release(self, client: Client, request: Request) -> None:
        """The answer may take a while."""
        wanted = self._params(request, _release_params, "{threadId}")
        if (
            self._state.quarantine.lift(wanted.thread_id)
            and self._state.threads.get(wanted.thread_id) is None
        ):
            self._state.tell((client.id,), messages.result(request.id, Release("released")))
        elif self._state.life.stopping:  # then nothing is known any more of what Codex may still hold
            self._state.refuse(client.id, request, Code.CODEX_UNAVAILABLE, *STOPPING)
        else:
            self._dispatch.unloading.release_for(client.id, request, wanted.thread_id)
            self._dispatch.pause_if_full(client.id)

    def _stop(self, _: Client, request: Request) -> Stopping:
        wanted = self._params(request, _stop_params, "{drainSeconds?}")
        self._state.want(Stop(wanted.drain_seconds))
        return Stopping(self._drain.turns())

    def _params(self, request: Request, decoder: msgspec.json.Decoder[_Params], shape: str) -> _Params:
        try:
            return decoder.decode(request.params if request.params is not msgspec.UNSET else b"{}")
        except msgspec.DecodeError as error:
            raise _Refused(Code.INVALID_PARAMS, f"{request.method} takes {shape}: {error}") from None

    def _start(self, *_: object) -> dict[str, Any]:
        self._life.try_again()
        return {}
