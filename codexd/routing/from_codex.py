"""What Codex sends: answers, notifications and requests, and who gets each of them."""

import logging
from collections.abc import Callable

from codexd.protocol import messages
from codexd.protocol.catalogue import (
    CAUSED_BY,
    ENDS_THREAD,
    GOAL_SNAPSHOT,
    HANDLE_OF_NOTIFICATION,
    SUBSCRIBING,
    USAGE,
    Scope,
    scope_of,
)
from codexd.protocol.errors import OVERLOADED_MESSAGE, Code, ProtocolError
from codexd.protocol.messages import ErrorResponse, Notification, Request, Response
from codexd.routing import params
from codexd.routing.codex_life import CodexLife
from codexd.routing.decisions import Decisions
from codexd.routing.dispatch import Dispatch
from codexd.routing.handles import CLOSED_BY
from codexd.routing.lifecycle import State as LifeState
from codexd.routing.requests import Call, Purpose
from codexd.routing.state import State
from codexd.routing.threads import NOBODY

_CLOSING = "is closing; retry thread/resume"
"""In the error of a resume that comes while Codex unloads the thread (measured); it is just asked again."""


class FromCodex:
    """Decides what becomes of each line of Codex."""

    def __init__(self, state: State, dispatch: Dispatch, decisions: Decisions, life: CodexLife) -> None:
        self._state = state
        self._dispatch = dispatch
        self._decisions = decisions
        self._life = life
        self._special: dict[str, Callable[[Notification], None]] = {
            "turn/started": self._turn_started,
            "turn/completed": self._turn_completed,
            "serverRequest/resolved": decisions.resolve,
            "remoteControl/status/changed": self._remote_status,
            USAGE: self._usage,
            **dict.fromkeys(ENDS_THREAD, self._thread_ended),
            **dict.fromkeys(GOAL_SNAPSHOT, self._goal),
            **dict.fromkeys(HANDLE_OF_NOTIFICATION, self._of_handle),
            **dict.fromkeys(CAUSED_BY, self._caused),
        }

    def receive(self, incarnation: int, line: bytes) -> None:
        """One line of the present Codex. One that is no message is logged and skipped."""
        life = self._state.life
        if not life.is_current(incarnation) or life.state is LifeState.DRAINING:
            return
        try:
            message = messages.parse_codex(line)
        except ProtocolError as error:
            self._state.log(f"skipped a line of {len(line)} bytes: {error}", logging.WARNING)
            return
        match message:
            case Notification():
                self._notification(message)
            case Request():
                self._decisions.take_up(message)
            case Response() | ErrorResponse():
                self._answer(message)

    def _answer(self, answer: Response | ErrorResponse) -> None:
        found = self._state.requests.take(answer.id)
        if found is None:
            self._state.log("Codex answered a request that is not under way")
            return
        number, call = found
        if isinstance(answer, ErrorResponse) and self._try_again(number, call, answer):
            return
        self._state.flow.answered(number)
        if call.purpose is not None:
            self._own_answer(call, answer)
        elif isinstance(answer, Response):
            self._result(call, answer)
        else:
            self._error(call, answer)
        if call.method in SUBSCRIBING:
            if call.thread is not None:
                self._dispatch.unpark(call.thread)
            self._let_go_unclaimed()

    def _try_again(self, number: int, call: Call, answer: ErrorResponse) -> bool:
        code, message = params.error_body(answer.error)
        if code == Code.OVERLOADED and message == OVERLOADED_MESSAGE:
            self._state.flow.refused(number)
        elif call.method == "thread/resume" and _CLOSING in message:
            self._state.flow.answered(number)
        else:
            return False
        if call.purpose is not Purpose.MARKER and not call.abandoned:
            self._state.flow.retry_later(call, self._state.now)
        return True

    def _own_answer(self, call: Call, answer: Response | ErrorResponse) -> None:
        match call.purpose:
            case Purpose.INITIALIZE:
                self._life.initialized(answer)
            case Purpose.RESUME:
                assert call.thread is not None, "a resume names its thread"
                self._life.resumed(call.thread, answer)
            case Purpose.RELEASE:
                self._released(call)
            case Purpose.FIND_PARENT:
                assert call.thread is not None, "a read names its thread"
                self._parent_found(call.thread, answer)
            case Purpose.MARKER | Purpose.CLEAN_UP | Purpose.WATCH_AGAIN | None:
                pass

    def _result(self, call: Call, answer: Response) -> None:
        state = self._state
        assert call.owner is not None, "it has no purpose of codexd's"
        line = messages.with_id(answer, call.request.id)
        if call.method in SUBSCRIBING:
            self._attached(call, answer, line)
            return
        if not call.abandoned:
            state.handles.answered(call)
            state.tell((call.owner,), line)
        elif call.handle is not None and call.method in CLOSED_BY:
            self._dispatch.close(call.owner, call.method, call.handle)

    def _error(self, call: Call, answer: ErrorResponse) -> None:
        assert call.owner is not None, "it has no purpose of codexd's"
        if not call.abandoned:
            self._state.tell((call.owner,), self._state.handles.untagged_error(call, answer))

    def _attached(self, call: Call, answer: Response, line: bytes) -> None:
        """The answer names the thread: what came for it before goes to the asker in front of the answer."""
        state, client = self._state, call.owner
        assert client is not None, "clients attach"
        described = params.thread_of_result(answer.result)
        if described is None:
            state.log(f"the answer to {call.method} names no thread", logging.WARNING)
            state.tell(() if call.abandoned else (client,), line)
            return
        thread = state.threads.open(described.id)
        thread.attached = True
        thread.ephemeral = described.ephemeral
        thread.durable |= call.method != "thread/start" and not described.ephemeral
        if described.turns and described.turns[-1].status == "inProgress":
            thread.turn = described.turns[-1].id
        if not call.abandoned:
            state.threads.subscribe(thread, client)
        self._deliver_held(thread.id)
        for child in state.threads.adopt():
            self._deliver_held(child.id)
        if call.abandoned:
            self._dispatch.release_if_deserted(thread.id)
            return
        state.tell((client,), line)
        if call.method != "thread/start":
            thread.usage_to = client
        self._decisions.offer(thread.id, (client,))
        for child in state.threads.descendants(thread):
            self._decisions.offer(child.id, (client,))

    def _released(self, call: Call) -> None:
        thread = self._state.threads.get(call.thread)
        if thread is None:
            return
        thread.releasing = False
        if not thread.subscribers and not self._dispatch.is_being_subscribed(thread.id):
            self._state.threads.forget(thread)

    def _notification(self, notification: Notification) -> None:
        special = self._special.get(notification.method)
        if special is not None:
            special(notification)
        else:
            self._pass_on(notification)

    def _pass_on(self, notification: Notification) -> None:
        state = self._state
        thread = params.thread_id(notification.params)
        if scope_of(notification.method, thread is not None) is Scope.SUBSCRIBERS:
            assert thread is not None, "it has a thread"
            if state.threads.get(thread) is None:
                if state.threads.hold(thread, notification):
                    self._decisions.find_parent(thread)
                return
            clients = state.threads.recipients(thread)
        else:
            clients = state.clients.initialized()
        state.tell(state.clients.wanting(notification.method, clients), notification.line)

    def _deliver_held(self, thread: str) -> None:
        for notification in self._state.threads.take_held(thread):
            self._notification(notification)

    def _parent_found(self, thread: str, answer: Response | ErrorResponse) -> None:
        described = params.thread_of_result(answer.result) if isinstance(answer, Response) else None
        if described is not None and described.parent_thread_id is not None:
            self._state.threads.name_parent(thread, described.parent_thread_id)
            for child in self._state.threads.adopt():
                self._deliver_held(child.id)
                self._decisions.offer(child.id, self._state.threads.recipients(child.id))
        self._let_go_unclaimed()

    def _let_go_unclaimed(self) -> None:
        """With no answer to come that could name an owner, what is held for unknown threads is nobody's."""
        state = self._state
        if any(True for _ in state.requests.of_methods(SUBSCRIBING)):
            return
        asked_about = {call.thread for call in state.requests.of_methods(frozenset({"thread/read"}))}
        for thread in state.threads.held_threads():
            if thread not in asked_about and not state.threads.parent_is_held(thread):
                dropped = len(state.threads.take_held(thread))
                state.log(
                    f"dropped {dropped} messages of thread {thread}, which nobody follows", logging.DEBUG
                )

    def _turn_started(self, notification: Notification) -> None:
        found = params.turn_of(notification.params)
        thread = self._state.threads.get(found[0]) if found else None
        if found is not None and thread is not None:
            thread.turn = found[1].id
            thread.durable = not thread.ephemeral
            thread.usage_to = None
        self._pass_on(notification)

    def _turn_completed(self, notification: Notification) -> None:
        found = params.turn_of(notification.params)
        thread = self._state.threads.get(found[0]) if found else None
        if thread is not None:
            thread.turn = None
            self._state.server_requests.end_turn(thread.id)
        self._pass_on(notification)
        if thread is not None:
            self._dispatch.release_if_deserted(thread.id)

    def _thread_ended(self, notification: Notification) -> None:
        self._pass_on(notification)
        thread_id = params.thread_id(notification.params)
        if thread_id is not None:
            self._state.server_requests.end_thread(thread_id)
            thread = self._state.threads.get(thread_id)
            if thread is not None:
                self._state.threads.forget(thread)

    def _usage(self, notification: Notification) -> None:
        """Between a resume's answer and the goal snapshot it is the replay, and the asker's alone."""
        thread = self._state.threads.get(params.thread_id(notification.params))
        if thread is None or thread.usage_to is None:
            self._pass_on(notification)
        elif thread.usage_to in self._state.clients:
            wanting = self._state.clients.wanting(notification.method, (thread.usage_to,))
            self._state.tell(wanting, notification.line)

    def _goal(self, notification: Notification) -> None:
        """Goes to everybody after each resume; nobody asked for codexd's own."""
        thread = self._state.threads.get(params.thread_id(notification.params))
        resumed_by = thread.usage_to if thread is not None else None
        if thread is not None:
            thread.usage_to = None
        if resumed_by != NOBODY:
            self._pass_on(notification)

    def _of_handle(self, notification: Notification) -> None:
        addressed = self._state.handles.address(notification)
        if addressed is not None and addressed[0] in self._state.clients:
            client, line = addressed
            self._state.tell(self._state.clients.wanting(notification.method, (client,)), line)

    def _caused(self, notification: Notification) -> None:
        """Names neither client nor request: the oldest request under way that could have caused it did."""
        state = self._state
        if notification.method == "configWarning" and not state.startup_is_complete:
            self._startup(notification)
            return
        cause = state.requests.oldest(CAUSED_BY[notification.method])
        if cause is not None:
            assert cause.owner is not None, "only clients' calls are looked at"
            state.tell(state.clients.wanting(notification.method, (cause.owner,)), notification.line)
            return
        state.tell(state.clients.wanting(notification.method, state.clients.initialized()), notification.line)

    def _startup(self, notification: Notification) -> None:
        """What follows on `initialize`: each client gets it behind its own, and not again from a later Codex."""
        state = self._state
        state.startup.append(notification)
        greeted = state.clients.greeted_by(state.life.incarnation)
        state.tell(state.clients.wanting(notification.method, greeted), notification.line)

    def _remote_status(self, notification: Notification) -> None:
        """The last of the start-up notifications, and one that changes later: a newcomer gets the newest."""
        state = self._state
        if state.startup_is_complete:
            state.startup[-1] = notification
            self._pass_on(notification)
        else:
            self._startup(notification)
            state.startup_is_complete = True
