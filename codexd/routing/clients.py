"""The connections on the socket: where each is in its handshake, and what it does not want to hear.

Codex has one `initialize` for the whole process; every client gets its own, answered from Codex's answer. A client
may pipeline: what it sends behind its `initialize` counts as sent by an initialized client, as it does natively.
"""

import re
from collections.abc import Iterable
from enum import Enum, auto
from typing import Any

import msgspec
from msgspec import Raw, Struct, UnsetType

from codexd.protocol import messages
from codexd.protocol.errors import InvalidMessage
from codexd.protocol.messages import Request
from codexd.routing.effects import ClientId


class Handshake(Enum):
    """How far a client has come."""

    NONE = auto()
    ASKED = auto()
    DONE = auto()


class Client(Struct, eq=False):
    """One connection. `initialize` is the request that waits for Codex's own answer; `greeted_by`: who gave it."""

    id: ClientId
    pid: int | None
    connected_at: float
    handshake: Handshake = Handshake.NONE
    initialize: Request | None = None
    greeted_by: int = 0
    name: str | None = None
    version: str | None = None
    opted_out: frozenset[str] = frozenset()
    knows_codexd: bool = False


class _ClientInfo(Struct):
    name: str
    version: str
    title: str | None = None


class _Capabilities(Struct, rename="camel"):
    opt_out_notification_methods: list[str] | None = None
    codexd: dict[str, Raw] | None = None


class _InitializeParams(Struct, rename="camel"):
    client_info: _ClientInfo
    capabilities: _Capabilities | None = None


_initialize_params = msgspec.json.Decoder(_InitializeParams)
_user_agent = msgspec.json.Decoder(dict[str, Any])
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\U0010ffff]*")
_SUFFIX = re.compile(r"\([^()]*; [^()]*\)$")


class Clients:
    """All connections, and the tuples of recipients that a broadcast goes to."""

    def __init__(self) -> None:
        self._clients: dict[ClientId, Client] = {}
        self._everyone: tuple[ClientId, ...] | None = None
        self._opted_out: dict[str, set[ClientId]] = {}

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
        for clients in self._opted_out.values():
            clients.discard(client)
        self._everyone = None
        return gone

    def ask_initialize(self, client: Client, request: Request) -> None:
        """Takes down what the client says of itself; raises `InvalidMessage`, worded as Codex does where it has words."""
        if client.handshake is not Handshake.NONE:
            raise InvalidMessage("Already initialized", request.id)
        try:
            params = _initialize_params.decode(
                request.params if not isinstance(request.params, UnsetType) else b"null"
            )
        except msgspec.DecodeError as error:
            raise InvalidMessage(f"Invalid request: {error}", request.id) from None
        if not _HEADER_VALUE.fullmatch(params.client_info.name):
            raise InvalidMessage(
                f"Invalid clientInfo.name: '{params.client_info.name}'. Must be a valid HTTP header value.",
                request.id,
            )
        client.handshake = Handshake.ASKED
        client.initialize = request
        client.name, client.version = params.client_info.name, params.client_info.version
        capabilities = params.capabilities or _Capabilities()
        client.opted_out = frozenset(capabilities.opt_out_notification_methods or ())
        client.knows_codexd = capabilities.codexd is not None

    def finish_initialize(self, client: Client, codex_answer: Raw, incarnation: int) -> bytes:
        """The client's answer to `initialize`, made from Codex's own: its name and version stand in `userAgent`."""
        assert client.initialize is not None, "asked before"
        request, client.initialize = client.initialize, None
        client.handshake = Handshake.DONE
        client.greeted_by = incarnation
        for method in client.opted_out:
            self._opted_out.setdefault(method, set()).add(client.id)
        self._everyone = None
        answer = _user_agent.decode(codex_answer)
        agent = answer.get("userAgent")
        if isinstance(agent, str):
            suffix = f"({client.name}; {client.version})"
            answer["userAgent"] = _SUFFIX.sub(lambda _: suffix, agent)
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
        """Those of the clients that have not opted out of this notification."""
        unwilling = self._opted_out.get(method)
        if not unwilling:
            return clients
        return tuple(client for client in clients if client not in unwilling)

    def knowing_codexd(self) -> tuple[ClientId, ...]:
        """The initialized clients that asked for codexd's own notifications."""
        return tuple(c.id for c in self._clients.values() if c.knows_codexd and c.handshake is Handshake.DONE)

    def waiting_for_codex(self) -> Iterable[Client]:
        """The clients whose `initialize` is not answered yet."""
        return [client for client in self._clients.values() if client.initialize is not None]
