"""Who is asked what Codex asks: those who follow the thread, but for a few kinds that concern one client.

A dynamic tool is the affair of the client that declared it, an attestation of one that can attest, the refresh of a
token of the one that logged in with it, a human's approval of one that has a human. An observer (`rights`) is asked
nothing. When such a client has left, the
others are asked as far as they can stand in for it; when nobody can, a request of a thread waits. That others have not
got a tool says nothing of it: a call waits for the return of who declared it, as long as its turn runs. (Codex takes the
first error of anybody for the answer, 0.171.)
"""

from msgspec import Raw

from codexd.protocol import messages
from codexd.protocol.catalogue import (
    ATTESTATION,
    HUMAN_COMMAND,
    STRIPPED,
    TOKEN_REFRESH,
    TOOL_CALL,
)
from codexd.protocol.errors import Code
from codexd.routing import params
from codexd.routing.effects import ClientId
from codexd.routing.introduction import Introduction
from codexd.routing.server_requests import Pending
from codexd.routing.state import State


class Asking:
    """Asks those who are to be asked and have not been."""

    def __init__(self, state: State) -> None:
        self._state = state

    def ask(self, pending: Pending) -> None:
        """Offers it to everybody who may answer it as things are and was not asked yet; not where Codex will repeat it."""
        clients = tuple(c for c in self._entitled(pending) if c not in pending.repeated_for)
        if pending.is_for_one:
            clients = () if pending.asked else clients[:1]
        self._tell(pending, self._state.server_requests.ask(pending, clients))

    def repeat(self, pending: Pending, client: ClientId) -> None:
        """Codex repeats it for a client that has resumed the thread, whether that was asked before or not."""
        if client in pending.asked:
            self._tell(pending, (client,))
        elif client in self._entitled(pending) and not (pending.is_for_one and pending.asked):
            self._tell(pending, self._state.server_requests.ask(pending, (client,)))

    def _tell(self, pending: Pending, clients: tuple[ClientId, ...]) -> None:
        state = self._state
        line = messages.with_id(pending.request, b"%d" % pending.id)
        hidden = STRIPPED.get(pending.request.method)
        if hidden is None or hidden not in messages.members_of(pending.request.params):
            state.tell(clients, line)
            return
        seeing = tuple(client for client in clients if self._said(client).experimental)
        state.tell(seeing, line)
        stripped = messages.with_id(messages.without(pending.request, hidden), b"%d" % pending.id)
        state.tell(tuple(client for client in clients if client not in seeing), stripped)

    def offer(self, thread: str) -> None:
        """Somebody follows the thread who did not: what waits there is offered, once to each."""
        for pending in self._state.server_requests.undecided(thread):
            self.ask(pending)

    def offer_again(self) -> None:
        """Somebody left: what nobody is asked any more is offered to those who can stand in."""
        for pending in self._state.server_requests.undecided():
            if not pending.asked and pending.thread is not None:
                self.ask(pending)

    def is_held_for_owner(self, pending: Pending, error: Raw) -> bool:
        """Whether an error of the last who was asked is no answer yet: the tool's owner is away, or not known."""
        if pending.request.method != TOOL_CALL:
            return False
        owner = self._state.threads.declarer(pending.thread)
        if owner is None:
            return params.error_body(error)[0] == Code.METHOD_NOT_FOUND
        return owner not in pending.abstained

    def _entitled(self, pending: Pending) -> tuple[ClientId, ...]:
        state, method = self._state, pending.request.method
        if pending.thread is None:
            clients = state.clients.initialized()
        else:
            clients = state.threads.recipients(pending.thread)
        clients = tuple(client for client in clients if not state.clients[client].observes)
        said = messages.members_of(pending.request.params)
        if bytes(said.get("kind", b"")) == HUMAN_COMMAND:
            return tuple(client for client in clients if self._said(client).answers_for_humans)
        if method == TOOL_CALL:
            return self._preferring(state.threads.declarer(pending.thread), clients)
        if method == TOKEN_REFRESH:
            return self._preferring(state.origins.token_login, clients)
        if method == ATTESTATION:
            return tuple(client for client in clients if self._said(client).attests)
        return clients

    @staticmethod
    def _preferring(one: ClientId | None, clients: tuple[ClientId, ...]) -> tuple[ClientId, ...]:
        return (one,) if one in clients else clients

    def _said(self, client: ClientId) -> Introduction:
        return self._state.clients[client].introduction
