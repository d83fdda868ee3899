"""Answers of Codex: whose they are, and what follows from them."""

import logging
from typing import Any

from msgspec import Raw

from codexd.protocol import messages
from codexd.protocol.catalogue import DECLARES_TOOLS, RESUMING, STARTS_TURN, SUBSCRIBING, UNSUBSCRIBING
from codexd.protocol.errors import OVERLOADED_MESSAGE, Code
from codexd.protocol.messages import ErrorResponse, Response
from codexd.protocol.thread_ids import is_thread_id
from codexd.routing import introduction, lost, params
from codexd.routing.asking import Asking
from codexd.routing.clients import Handshake
from codexd.routing.codex_life import CodexLife
from codexd.routing.decisions import Decisions
from codexd.routing.dispatch import Dispatch
from codexd.routing.effects import ClientId
from codexd.routing.handles import LASTING
from codexd.routing.notifications import Notifications
from codexd.routing.publishing import Publisher
from codexd.routing.requests import Call, Purpose
from codexd.routing.sharing import Sharing
from codexd.routing.state import State
from codexd.routing.threads import Thread
from codexd.routing.turn_ends import TurnEnds
from codexd.routing.turns import Turns

_CLOSING = "is closing; retry thread/resume"
"""In the error of a resume that comes while Codex unloads the thread (measured); it is just asked again."""


class Answers:
    """Gives each answer to its asker, under the asker's own id."""

    def __init__(
        self,
        state: State,
        dispatch: Dispatch,
        decisions: Decisions,
        life: CodexLife,
        notifications: Notifications,
        asking: Asking,
        turn_ends: TurnEnds,
        publisher: Publisher,
    ) -> None:
        self._state = state
        self._dispatch = dispatch
        self._decisions = decisions
        self._life = life
        self._notifications = notifications
        self._asking = asking
        self._turn_ends = turn_ends
        self._publisher = publisher
        self._sharing = Sharing(state, dispatch, notifications, asking, publisher)
        self._turns = Turns(state)

    def take(self, answer: Response | ErrorResponse) -> None:
        """One answer, a result or an error."""
        found = self._state.requests.take(answer.id)
        if found is None:
            self._state.log("Codex answered a request that is not under way")
            return
        number, call = found
        self._state.silence.answered(call.size, self._state.now)
        self._state.received.answers = call.request.method
        if call.method in RESUMING:
            self._let_suspects_try()
        if isinstance(answer, ErrorResponse) and self._try_again(number, call, answer):
            return
        if call.method in RESUMING:
            self._state.quarantine.answered(call.thread)
        self._state.flow.answered(number, call, self._state.now)
        self._state.named.answered(number, call)
        if call.instead_of is not None and self._sharing.asks_again(call):
            return
        if call.purpose is not None:
            self._own_answer(call, answer)
        else:
            self._of_client(call, answer)
        if call.method in SUBSCRIBING:
            if call.thread is not None:
                self._dispatch.unloading.unpark(call.thread)
            self._notifications.adopt()
            self._let_go_unclaimed()
        if call.thread is not None:
            self._dispatch.unloading.release_if_deserted(call.thread)

    def _let_suspects_try(self) -> None:
        """A resume is over: those that wait until none is under way take their places before what came later."""
        for suspect in self._state.quarantine.take_waiting():
            self._dispatch.unloading.unpark(suspect)

    def _try_again(self, number: int, call: Call, answer: ErrorResponse) -> bool:
        code, message = params.error_body(answer.error)
        if code == Code.OVERLOADED and message == OVERLOADED_MESSAGE:
            self._state.flow.refused(number)
            self._state.origins.failed(call)
            self._state.handles.failed(call)
        elif call.method == "thread/resume" and _CLOSING in message:
            self._state.flow.answered(number, call, self._state.now)
        elif self._sharing.can_attach(call, message):
            self._state.flow.answered(number, call, self._state.now)
            self._sharing.ask_for_thread(call)
            return True
        else:
            return False
        if call.abandoned and call.thread is not None:
            self._dispatch.unloading.release_if_deserted(call.thread)
        elif call.purpose is not Purpose.MARKER and not call.abandoned:
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
                self._released(call, answer)
            case Purpose.FIND_PARENT:
                assert call.thread is not None, "a read names its thread"
                self._parent_found(call.thread, answer)
            case Purpose.TURN_END:
                assert call.thread is not None, "a list of turns names their thread"
                self._turn_ends.told(call.thread, answer)
            case _:
                assert call.purpose in (Purpose.MARKER, Purpose.CLEAN_UP, Purpose.WATCH_AGAIN)

    def _of_client(self, call: Call, answer: Response | ErrorResponse) -> None:
        if call.method in UNSUBSCRIBING:
            self._not_subscribed(call, answer)
        elif call.instead_of is not None:
            self._sharing.attach(call, answer)
        elif isinstance(answer, Response):
            self._result(call, answer)
        else:
            self._error(call, answer)

    def _result(self, call: Call, answer: Response) -> None:
        state = self._state
        assert call.owner is not None, "it has no purpose of codexd's"
        line = messages.with_id(answer, call.request.id)
        if call.method in SUBSCRIBING:
            self._attached(call, answer, line)
            return
        state.origins.succeeded(call)
        if call.method in STARTS_TURN:
            self._turn_begun(call, answer)
        if not call.abandoned:
            state.handles.answered(call)
            state.tell((call.owner,), line)
        elif call.handle is not None and call.method in LASTING:
            self._dispatch.close(call.owner, call.method, call.handle)

    def _turn_begun(self, call: Call, answer: Response) -> None:
        """Its asker may leave before `turn/started` comes; the thread must not be let go of in between."""
        thread, turn = self._state.threads.get(call.thread), params.turn_of_result(answer.result)
        if thread is not None and turn is not None and self._turns.is_news(thread, turn):
            self._turns.begins(thread, turn)

    def _error(self, call: Call, answer: ErrorResponse) -> None:
        state = self._state
        assert call.owner is not None, "it has no purpose of codexd's"
        state.origins.failed(call)
        state.handles.failed(call)
        if call.abandoned:
            return
        if self._is_codexds_own_affair(call, answer):
            why = introduction.problem(call.request.params)
            state.refuse(call.owner, call.request, Code.INVALID_REQUEST, why)
        elif (page := self._sharing.page(call, answer)) is not None:
            state.tell((call.owner,), page)
        elif (said := self._of_lost_thread(call, answer)) is not None:
            state.refuse(call.owner, call.request, *said)
        else:
            state.tell((call.owner,), state.handles.untagged_error(call, answer))

    def _of_lost_thread(self, call: Call, answer: ErrorResponse) -> tuple[int, str, dict[str, Any]] | None:
        if call.thread is None or not self._state.threads.is_lost(call.thread):
            return None
        return lost.explained(call.thread, answer.error)

    def _is_codexds_own_affair(self, call: Call, answer: ErrorResponse) -> bool:
        """Whether Codex refuses a client's first `initialize` only because codexd has made one before."""
        if call.method != "initialize" or call.owner is None:
            return False
        first = self._state.clients[call.owner].handshake is Handshake.NONE
        return first and params.error_body(answer.error)[1] == introduction.ALREADY

    def _tell(self, call: Call, line: bytes) -> None:
        """Gives its owner an answer that is no error, unless it has left."""
        assert call.owner is not None, "clients attach"
        clients = () if call.abandoned else (call.owner,)
        if call.warning is not None:
            self._state.notify(clients, "warning", call.warning)
        self._state.tell(clients, line)

    def _attached(self, call: Call, answer: Response, line: bytes) -> None:
        """The answer names the thread: what came for it before goes to the asker in front of the answer."""
        state, client = self._state, call.owner
        assert client is not None, "clients attach"
        described = params.thread_of_result(answer.result)
        if described is None:
            state.log(f"the answer to {call.method} names no thread", logging.WARNING)
            self._tell(call, line)
            return
        heard = self._publisher.heard_by(client)
        thread = state.threads.open(described.id, described.parent_thread_id)
        thread.attached = True
        if described.ephemeral:
            state.threads.note_ephemeral(thread.id)
        if call.method == "thread/start" or described.ephemeral:
            thread.started = Raw(bytes(answer.result))
        thread.durable |= call.method != "thread/start" and not described.ephemeral
        if described.turns and self._turns.is_news(thread, described.turns[-1]):
            self._turns.begins(thread, described.turns[-1])
        if not call.abandoned:
            self._dispatch.unloading.follow(thread, client)
            self._note_tools(thread, call, client)
        self._notifications.deliver_held(thread.id)
        self._notifications.open_adopted()
        if call.method != "thread/start":
            thread.usage_to = client
        self._tell(call, line)
        if not call.abandoned:
            self._publisher.catch_up(thread, client, heard)
        if call.method in RESUMING:
            state.server_requests.resumed(thread.id, client)
        self._asking.offer(thread.id)
        self._notifications.offer_below(thread)
        self._dispatch.unloading.release_if_deserted(thread.id)

    def _not_subscribed(self, call: Call, answer: Response | ErrorResponse) -> None:
        """Whether Codex has the thread from which somebody wants to unsubscribe, or why there can be no such thread."""
        if call.abandoned or call.owner is None:
            return
        state = self._state
        if isinstance(answer, ErrorResponse) and not (call.thread and is_thread_id(call.thread)):
            state.tell((call.owner,), messages.with_id(answer, call.request.id))
            return
        status = params.thread_status_of_result(answer.result) if isinstance(answer, Response) else None
        is_loaded = status not in (None, "notLoaded")
        told = {"status": "notSubscribed" if is_loaded else "notLoaded"}
        state.tell((call.owner,), messages.result(call.request.id, told))

    def _note_tools(self, thread: Thread, call: Call, client: ClientId) -> None:
        """Who declares tools has them, and so has who comes back under the same name when that client is gone."""
        clients, name = self._state.clients, self._state.clients[client].introduction.name
        is_back = thread.tools_of not in (None, *clients.initialized()) and thread.tools_of_name == name
        if is_back or messages.gives(call.request.params, DECLARES_TOOLS):
            thread.tools_of, thread.tools_of_name = client, name

    def _released(self, call: Call, answer: Response | ErrorResponse) -> None:
        thread = self._state.threads.get(call.thread)
        if thread is None:
            assert call.thread is not None, "a release names its thread"
            self._dispatch.unloading.unpark(call.thread)
            return
        thread.releasing = False
        if thread.subscribers:
            self._dispatch.unloading.not_released(thread)
            return
        self._dispatch.unloading.forget(thread)
        if isinstance(answer, Response) and params.status_of_result(answer.result) != "notLoaded":
            self._state.releases.closes(thread.id, self._state.now)
        else:
            self._dispatch.unloading.released(thread.id, "notLoaded")

    def _parent_found(self, thread: str, answer: Response | ErrorResponse) -> None:
        described = params.thread_of_result(answer.result) if isinstance(answer, Response) else None
        if described is not None and described.ephemeral:
            self._state.threads.note_ephemeral(thread)
        self._state.threads.parent_searched(thread, described.parent_thread_id if described else None)
        self._notifications.adopt()
        self._let_go_unclaimed()

    def _let_go_unclaimed(self) -> None:
        """With no answer to come that could name an owner, what is held for unknown threads is nobody's."""
        state = self._state
        if any(True for _ in state.requests.of_methods(SUBSCRIBING)):
            return
        for thread in state.threads.held_threads():
            if not state.threads.is_spoken_for(thread):
                dropped = len(state.threads.take_held(thread))
                state.log(
                    f"dropped {dropped} messages of thread {thread}, which nobody follows", logging.DEBUG
                )
