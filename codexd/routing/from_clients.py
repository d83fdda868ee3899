"""What clients send: handshake, requests for Codex, decisions, and codexd's own methods."""

from collections.abc import Callable

import msgspec
from msgspec import UNSET, Raw, UnsetType

from codexd.protocol import extension, messages
from codexd.protocol.bulk import LongLine
from codexd.protocol.catalogue import OF_ROLLOUT
from codexd.protocol.errors import Code, InvalidMessage, MessageTooLarge, ProtocolError
from codexd.protocol.members import leading_id
from codexd.protocol.messages import ErrorResponse, Notification, Request, Response
from codexd.routing import introduction, lifecycle, params, untrusted
from codexd.routing.asking import Asking
from codexd.routing.clients import Client, Handshake
from codexd.routing.codex_life import CodexLife
from codexd.routing.decisions import Decisions
from codexd.routing.defaults import names_no_directory, with_defaults
from codexd.routing.dispatch import Dispatch
from codexd.routing.effects import ClientId
from codexd.routing.login_change import LoginChange
from codexd.routing.own_methods import OwnMethods
from codexd.routing.requests import Call, Purpose
from codexd.routing.rights import Peer, check_observer, is_observer
from codexd.routing.state import State

_BY_POSITION = "`params` must be an object: in an array codexd can't tell which thread or process is meant"
"""Codex reads an array as the members in the order of its source (0.163, 0.171), which its schema does not tell."""

WouldTrust = Callable[[str, bool | None], bool]
"""Whether Codex, with a thread started in this directory, would trust it; with what the request says of writing there."""


class FromClients:
    """Decides what becomes of each line of each client."""

    def __init__(
        self,
        state: State,
        dispatch: Dispatch,
        decisions: Decisions,
        life: CodexLife,
        own_methods: OwnMethods,
        asking: Asking,
        would_trust: WouldTrust,
    ) -> None:
        self._state = state
        self._dispatch = dispatch
        self._decisions = decisions
        self._life = life
        self._own_methods = own_methods
        self._asking = asking
        self._would_trust = would_trust
        self._login_change = LoginChange(state)

    def connect(self, client: ClientId, peer: Peer) -> None:
        """A connection was accepted."""
        observes = is_observer(peer, self._state.identity.inside)
        self._state.clients.add(Client(client, peer, self._state.now, observes))

    def receive(self, client_id: ClientId, line: bytes | LongLine) -> None:
        """One line; what is wrong with it concerns this client alone."""
        client = self._state.clients[client_id]
        try:
            message = messages.parse(line)
            if isinstance(message, Request):
                self._request(client, message)
            elif isinstance(message, Notification):
                self._notification(client, message)
            elif isinstance(message, Response):
                self._decision(client, message)
            else:
                self._abstention(client, message)
        except ProtocolError as error:
            self._answer_error(client_id, error)

    def receive_too_long(self, client: ClientId, head: bytes) -> None:
        """A line that was skipped, of which only the beginning is known."""
        message = (
            "the message is longer than `max_message_bytes`, than the space left for all clients together, or "
            "than the free memory"
        )
        self._state.tell((client,), messages.error(leading_id(head), Code.TOO_LARGE, message))

    def disconnect(self, client_id: ClientId) -> None:
        """The connection is gone: what it opened is closed; its turns and what it was asked go on."""
        state = self._state
        state.clients.remove(client_id)
        state.releases.leave(client_id)
        state.reads.leave(client_id)
        state.following.leave(client_id)
        left = state.flow.drop(client_id)
        state.flow.let_go_on(client_id)
        state.paused.discard(client_id)
        state.parked.drop(client_id)
        for call in state.requests.abandon(client_id):
            if call.method == "command/exec" and call.handle is not None:
                self._dispatch.close(client_id, "command/exec", call.handle)
            left.append(call)
            if (cancel := state.named.cancel(call)) is not None:
                self._dispatch.ask(Purpose.CLEAN_UP, *cancel)
        for opened in state.handles.leave(client_id):
            self._dispatch.close(client_id, opened.opener, opened.handle)
        for orphan in state.server_requests.leave(client_id):
            self._decisions.orphaned(orphan)
        for followed in state.threads.of_client(client_id):
            thread = state.threads.get(followed)
            assert thread is not None, "it has a subscriber"
            state.threads.unsubscribe(thread, client_id)
            self._dispatch.unloading.was_used(thread)
        for call in left:  # it may have kept a thread that nobody follows
            if call.thread is not None:
                self._dispatch.unloading.release_if_deserted(call.thread)
        self._asking.offer_again()

    def _answer_error(self, client: ClientId, error: ProtocolError) -> None:
        self._state.tell((client,), messages.error(error.raw_id, error.code, error.message))

    def _request(self, client: Client, request: Request) -> None:
        if client.observes:
            check_observer(request)
        self._login_change.look(request.method)
        if request.method.startswith(extension.PREFIX):
            self._own_methods.answer(client, request)
        elif request.method == "initialize":
            self._initialize(client, request)
        elif client.handshake is Handshake.NONE:
            raise InvalidMessage("Not initialized", request.id)
        else:
            self._hand_over(client, request)

    def _initialize(self, client: Client, request: Request) -> None:
        """A first one that can be read is answered from what Codex said to codexd. Any other is Codex's to refuse.

        What it says is kept and used in other messages, so nothing may be taken out of it.
        """
        if request.bulk is not None and request.bulk.runs:
            raise MessageTooLarge("`initialize` may be at most 1 MiB long", request.id)
        first = client.handshake is Handshake.NONE
        try:
            said = introduction.read(request.params) if first else None
        except msgspec.DecodeError:
            said = None
        if said is None:
            self._hand_over(client, request)
        elif not said.has_valid_name:
            sentence = f"Invalid clientInfo.name: '{said.name}'. Must be a valid HTTP header value."
            raise InvalidMessage(sentence, request.id)
        else:
            self._state.clients.ask_initialize(client, request, said)
            self._state.following.change((client.id,))
            self._life.greet(client)

    def _hand_over(self, client: Client, request: Request) -> None:
        """To Codex, if there is hope of one."""
        state = self._state
        refusal = self._life.refusal()
        if refusal is not None:
            state.refuse(client.id, request, Code.CODEX_UNAVAILABLE, *refusal)
            return
        if _is_array(request.params) and request.method != "initialize":  # that one is Codex's to refuse
            raise InvalidMessage(_BY_POSITION, request.id)
        request, warning = self._placed(client, request)
        rewritten, handle = state.handles.rewrite(client.id, request)
        self._queue(Call(client.id, rewritten, _thread_of(request), handle, warning=warning))

    def _placed(self, client: Client, request: Request) -> tuple[Request, bytes | None]:
        """The request with what the client's process has and it does not name, and what the client is to be told of that."""
        identity = self._state.identity
        full = with_defaults(request, client.process, identity.codex_home, identity.thread_config)
        if not names_no_directory(request) or (place := untrusted.place(full)) is None:
            return full, None
        directory, may_write = place
        if not self._would_trust(directory, may_write):
            return full, None
        return untrusted.untrusted(full, directory), untrusted.warning(directory)

    def _queue(self, call: Call) -> None:
        assert call.owner is not None, "a client has sent it"
        self._state.flow.offer(call)
        self._dispatch.pause_if_full(call.owner)

    def _notification(self, client: Client, notification: Notification) -> None:
        """`initialized` is for the connection and goes no further; Codex only logs it, and nobody must send it."""
        method, said, line = notification.method, notification.params, notification.line
        bulk = notification.bulk
        ready = self._state.life.state is lifecycle.State.READY
        may_speak = client.handshake is Handshake.DONE and not client.observes
        if method != "initialized" and may_speak and ready:
            self._queue(Call(client.id, Request(b"", method, said, line, (0, 0), bulk), wants_answer=False))

    def _decision(self, client: Client, answer: Response) -> None:
        pending = self._state.server_requests.find(answer.id, client.id)
        if pending is not None:
            self._decisions.decide(pending, messages.with_id(answer, pending.request.id), answer.bulk)

    def _abstention(self, client: Client, answer: ErrorResponse) -> None:
        pending = self._state.server_requests.find(answer.id, client.id)
        if pending is None or not self._state.server_requests.abstain(pending, client.id):
            return
        if not self._asking.is_held_for_owner(pending, answer.error):
            self._decisions.decide(pending, messages.with_id(answer, pending.request.id), answer.bulk)


def _is_array(params: Raw | UnsetType) -> bool:
    return params is not UNSET and bytes(memoryview(params)[:1]) == b"["


def _thread_of(request: Request) -> str | None:
    rollout = params.thread_of_rollout(request.params) if request.method in OF_ROLLOUT else None
    return rollout or params.thread_id(request.params)
