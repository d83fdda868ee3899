"""The connections: their handshakes, and who wants to hear what."""

from typing import Any

import pytest
from msgspec import Raw

from codexd.protocol import messages
from codexd.protocol.messages import Request
from codexd.routing import introduction
from codexd.routing.clients import Client, Clients, Handshake
from codexd.routing.rights import Peer
from tests.routing.driver import GREETING, line, request, user_agent

INFO = {"name": "editor", "version": "1"}


def initialize(raw_id: Any = 1, **params: Any) -> Request:
    return request(raw_id, "initialize", params)


def ask(clients: Clients, client: Client, raw_id: Any = 1, **params: Any) -> Request:
    """The client sends its `initialize`, which can be read."""
    asked = initialize(raw_id, **params)
    clients.ask_initialize(client, asked, introduction.read(asked.params))
    return asked


def joined(clients: Clients, number: int, incarnation: int = 1, **capabilities: Any) -> Client:
    """A client that has initialized."""
    clients.add(client := Client(number, Peer(), 0.0))
    ask(clients, client, clientInfo=INFO, capabilities=capabilities)
    clients.finish_initialize(client, Raw(messages.encode(GREETING)), incarnation)
    return client


def test_connections_are_known_until_they_go() -> None:
    """The oldest first."""
    clients = Clients()
    one, two = Client(1, Peer(4711), 2.5), Client(2, Peer(), 3.5)
    clients.add(one)
    clients.add(two)
    assert (clients.all(), len(clients), clients[1], 1 in clients, 3 in clients, None in clients) == (
        [one, two], 2, one, True, False, False,
    )  # fmt: skip
    assert clients.remove(1) is one
    assert (clients.all(), 1 in clients) == ([two], False)


def test_a_handshake_has_three_steps() -> None:
    """Nothing yet, asked, done; what the client says of itself is known as soon as it is asked."""
    clients = Clients()
    clients.add(client := Client(1, Peer(), 0.0))
    assert (client.handshake, clients.initialized(), list(clients.waiting_for_codex())) == (
        Handshake.NONE,
        (),
        [],
    )
    asked = ask(clients, client, "i", clientInfo=INFO | {"title": None})
    assert (client.handshake, client.introduction.name, client.introduction.version, client.initialize) == (
        Handshake.ASKED, "editor", "1", asked,
    )  # fmt: skip
    assert (clients.initialized(), list(clients.waiting_for_codex())) == ((), [client])
    answer = clients.finish_initialize(client, Raw(messages.encode(GREETING)), 1)
    assert answer == line(id="i", result=user_agent("editor"))
    assert (client.handshake, client.initialize, clients.initialized(), list(clients.waiting_for_codex())) == (
        Handshake.DONE, None, (1,), [],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        ("codexd/0.163.0 (Debian 12; x86_64) xterm (codexd; 0.1.0)", "codexd/0.163.0 (Debian 12; x86_64) xterm (e\\1; (2))"),
        ("codexd/0.170.0", "codexd/0.170.0"),
        (None, None),
        (5, 5),
    ],
)  # fmt: skip
def test_each_client_finds_its_own_name_in_the_user_agent(agent: Any, expected: Any) -> None:
    """As it would with a Codex of its own; an answer of a newer Codex that has none there is left as it is."""
    clients = Clients()
    clients.add(client := Client(1, Peer(), 0.0))
    ask(clients, client, clientInfo={"name": "e\\1", "version": "(2)"})
    answer = clients.finish_initialize(client, Raw(messages.encode({"userAgent": agent, "new": [1]})), 1)
    assert answer == line(id=1, result={"userAgent": expected, "new": [1]})


def test_a_refused_handshake_may_be_tried_again() -> None:
    """Nobody has to reconnect because Codex was down for a moment."""
    clients = Clients()
    clients.add(client := Client(1, Peer(), 0.0))
    first = ask(clients, client, "a", clientInfo=INFO)
    assert clients.refuse_initialize(client) is first
    assert (client.handshake, list(clients.waiting_for_codex())) == (Handshake.NONE, [])
    ask(clients, client, "b", clientInfo=INFO)
    assert client.handshake is Handshake.ASKED


def test_a_client_without_a_version_has_none_in_the_user_agent() -> None:
    """The blank before it goes, too (measured)."""
    clients = Clients()
    clients.add(client := Client(1, Peer(), 0.0))
    ask(clients, client, clientInfo={"name": "e", "version": ""})
    answer = clients.finish_initialize(client, Raw(messages.encode({"userAgent": "codexd/1 (c; 2)"})), 1)
    assert answer == line(id=1, result={"userAgent": "codexd/1 (e;)"})


def test_experimental_notifications_are_for_those_who_asked_for_them() -> None:
    """The others have opted out of them by saying nothing, or no."""
    clients = Clients()
    joined(clients, 1)
    joined(clients, 2, experimentalApi=True)
    joined(clients, 3, experimentalApi=False)
    joined(clients, 4, experimentalApi=True, optOutNotificationMethods=["process/exited"])
    everybody = (1, 2, 3, 4)
    assert clients.wanting("thread/queue/changed", everybody) == (2, 4)
    assert clients.wanting("process/exited", everybody) == (2,)
    assert clients.wanting("thread/started", everybody) is everybody


def test_broadcasts_go_to_the_initialized() -> None:
    """The same tuple until somebody comes or goes, because every delta asks for it."""
    clients = Clients()
    joined(clients, 1)
    clients.add(Client(2, Peer(), 0.0))
    joined(clients, 3)
    everybody = clients.initialized()
    assert everybody == (1, 3)
    assert clients.initialized() is everybody
    clients.remove(1)
    assert clients.initialized() == (3,)


def test_who_opted_out_of_a_notification_does_not_get_it() -> None:
    """That one, and only that client."""
    clients = Clients()
    joined(clients, 1, optOutNotificationMethods=["a", "b"])
    joined(clients, 2)
    joined(clients, 3, optOutNotificationMethods=["a"])
    everybody = (1, 2, 3)
    assert clients.wanting("a", everybody) == (2,)
    assert clients.wanting("b", everybody) == (2, 3)
    assert clients.wanting("c", everybody) is everybody
    assert clients.wanting("ab", everybody) is everybody
    clients.remove(1)
    assert clients.wanting("b", others := (2, 3)) is others


def test_opting_out_counts_from_the_asking_on() -> None:
    """A client may follow events before Codex has answered it. Of two introductions the last one counts."""
    clients = Clients()
    clients.add(client := Client(1, Peer(), 0.0))
    assert clients.unwanted_by(1) == frozenset()
    ask(clients, client, clientInfo=INFO, capabilities={"optOutNotificationMethods": ["a"]})
    assert clients.wanting("a", (1,)) == ()
    assert "a" in clients.unwanted_by(1)
    clients.refuse_initialize(client)
    ask(clients, client, clientInfo=INFO, capabilities={"optOutNotificationMethods": None})
    clients.finish_initialize(client, Raw(b"{}"), 1)
    assert clients.wanting("a", (1,)) == (1,)


def test_codexds_own_notifications_are_for_those_who_know_codexd() -> None:
    """Nobody else ever sees one."""
    clients = Clients()
    joined(clients, 1, codexd={})
    joined(clients, 2, codexd=None)
    joined(clients, 3, experimentalApi=True)
    joined(clients, 5, codexd={"cwd": "/w"})
    clients.add(client := Client(4, Peer(), 0.0))
    ask(clients, client, clientInfo=INFO, capabilities={"codexd": {"seq": True}})
    assert clients.knowing_codexd() == (1,)


def test_a_client_remembers_whose_greeting_it_had() -> None:
    """What Codex says at its start goes to those whom this life of it has answered."""
    clients = Clients()
    joined(clients, 1, incarnation=1)
    joined(clients, 2, incarnation=2)
    clients.add(Client(3, Peer(), 0.0, greeted_by=2))
    assert (clients.greeted_by(1), clients.greeted_by(2), clients.greeted_by(3)) == ((1,), (2,), ())


def test_nothing_is_left_of_what_a_client_opted_out_of() -> None:
    """A thousand clients with a thousand opt-outs each would be remembered for ever."""
    clients = Clients()
    joined(clients, 1, optOutNotificationMethods=["a", "b"])
    joined(clients, 2, optOutNotificationMethods=["b"], experimentalApi=True)
    clients.remove(1)
    assert clients._unwanted == {"b": {2}}
    clients.remove(2)
    assert clients._unwanted == {}
    clients.add(Client(3, Peer(), 0.0))
    clients.remove(3)
