"""The connections on the socket: where each is in its handshake, and what it does not want to hear.

Codex has one `initialize` for the whole process; every client gets its own, answered from Codex's answer. A client
may pipeline: what it sends behind its `initialize` counts as sent by an initialized client, as it does natively.
"""

import re
from collections.abc import Iterable
from enum import Enum, auto
from typing import Any

import msgspec
from msgspec import Raw, Struct

from codexd.protocol import messages
from codexd.protocol.catalogue import GATED_NOTIFICATIONS
from codexd.protocol.messages import Request
from codexd.routing.defaults import Process
from codexd.routing.effects import ClientId
from codexd.routing.introduction import Codexd, Introduction
from codexd.routing.rights import Peer


class Handshake(Enum):
    """How far a client has come."""

    NONE = auto()
    ASKED = auto()
    DONE = auto()


class Client(Struct, eq=False):
    """One connection. `initialize` is the request that waits for Codex's own answer; `greeted_by`: who gave it.

    `observes`: it may only read (see `rights`).
    """

    id: ClientId
    peer: Peer
    connected_at: float
    observes: bool = False
    handshake: Handshake = Handshake.NONE
    initialize: Request | None = None
    greeted_by: int = 0
    introduction: Introduction = Introduction()

    @property
    def process(self) -> Process:
        """What counts where it names no directory or configuration: what a stand-in says, else where the peer stands."""
        said = self.introduction.codexd or Codexd()
        return Process(said.cwd or self.peer.cwd, said.config)


_user_agent = msgspec.json.Decoder(dict[str, Any])
_SUFFIX = re.compile(r"\([^()]*; [^()]*\)$")


class Clients:
    """All connections, and the tuples of recipients that a broadcast goes to."""

    def __init__(self) -> None:
        self._clients: dict[ClientId, Client] = {}
        self._everyone: tuple[ClientId, ...] | None = None
        self._unwanted: dict[str, set[ClientId]] = {}

    def __getitem__(self, client: ClientId) -> Client:
        return self._clients[client]

    def __contains__(self, client: ClientId | None) -> bool:
        return client in self._clients

    def __len__(self) -> int:
        return len(self._clients)

    def all(self) -> list[Client]:
        """Every connection, oldest first."""
        return list(self._clients.values())

    def add(self, client: Client) -> None:
        """A new connection; nobody sends it anything before it has initialized."""
        self._clients[client.id] = client

    def remove(self, client: ClientId) -> Client:
        """The connection is gone."""
        gone = self._clients.pop(client)
        self._forget_unwanted(gone)
        self._everyone = None
        return gone

    def ask_initialize(self, client: Client, request: Request, introduction: Introduction) -> None:
        """Takes down what the client says of itself; it is answered when Codex's own answer is there.

        What it does not want it does not want from now on: it may follow events, which needs no answer of Codex.
        """
        self._forget_unwanted(client)
        client.handshake = Handshake.ASKED
        client.initialize = request
        client.introduction = introduction
        for method in _unwanted_by(client):
            self._unwanted.setdefault(method, set()).add(client.id)

    def _forget_unwanted(self, client: Client) -> None:
        for method in _unwanted_by(client):
            clients = self._unwanted.get(method, set())
            clients.discard(client.id)
            if not clients:
                self._unwanted.pop(method, None)

    def finish_initialize(self, client: Client, codex_answer: Raw, incarnation: int) -> bytes:
        """The client's answer to `initialize`, made from Codex's own: its name and version stand in `userAgent`."""
        assert client.initialize is not None, "asked before"
        request, client.initialize = client.initialize, None
        client.handshake = Handshake.DONE
        client.greeted_by = incarnation
        said = client.introduction
        self._everyone = None
        answer = _user_agent.decode(codex_answer)
        agent = answer.get("userAgent")
        if isinstance(agent, str):
            suffix = f"{said.name}; {said.version}".strip()
            answer["userAgent"] = _SUFFIX.sub(lambda _: f"({suffix})", agent)
        return messages.result(request.id, answer)

    def refuse_initialize(self, client: Client) -> Request:
        """The client's `initialize` can't be answered; it may try again."""
        assert client.initialize is not None, "asked before"
        request, client.initialize = client.initialize, None
        client.handshake = Handshake.NONE
        return request

    def initialized(self) -> tuple[ClientId, ...]:
        """Everybody who gets broadcasts; the same tuple until somebody comes or goes."""
        if self._everyone is None:
            self._everyone = tuple(c.id for c in self._clients.values() if c.handshake is Handshake.DONE)
        return self._everyone

    def greeted_by(self, incarnation: int) -> tuple[ClientId, ...]:
        """Those whom this life of Codex has answered."""
        return tuple(
            client for client in self.initialized() if self._clients[client].greeted_by == incarnation
        )

    def wanting(self, method: str, clients: tuple[ClientId, ...]) -> tuple[ClientId, ...]:
        """Those of the clients that get this notification: not opted out of, nor experimental without having asked for it."""
        unwilling = self._unwanted.get(method)
        if not unwilling:
            return clients
        return tuple(client for client in clients if client not in unwilling)

    def unwanted_by(self, client: ClientId) -> frozenset[str]:
        """The notifications that this client is not sent, as things are. Who has said nothing of itself may have all."""
        found = self._clients[client]
        return frozenset() if found.introduction.name is None else _unwanted_by(found)

    def knowing_codexd(self) -> tuple[ClientId, ...]:
        """The initialized clients that asked for codexd's own notifications."""
        known = (c for c in self._clients.values() if c.introduction.knows_codexd)
        return tuple(client.id for client in known if client.handshake is Handshake.DONE)

    def waiting_for_codex(self) -> Iterable[Client]:
        """The clients whose `initialize` is not answered yet."""
        return [client for client in self._clients.values() if client.initialize is not None]


def _unwanted_by(client: Client) -> frozenset[str]:
    """The notifications that the client is not to get."""
    said = client.introduction
    return said.opted_out if said.experimental else said.opted_out | GATED_NOTIFICATIONS
