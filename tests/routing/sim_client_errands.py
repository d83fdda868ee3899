"""What clients ask for themselves alone: samples and searches and their ends, logins, set-ups."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.routing.sim_clients import IDS, SimulatedClient, Speech
from tests.routing.sim_words import ENDED_BY, NAMED, Asked

if TYPE_CHECKING:
    from tests.routing.simulation import World

Ask = Callable[[SimulatedClient, Asked, bytes], None]
_LOGINS = (
    ("chatgptAuthTokens", "account/login/start.chatgptAuthTokens"),
    ("chatgptAuthTokens", "account/login/start.chatgptAuthTokens"),
    ("chatgptAuthTokens", "account/login/start.chatgptAuthTokens"),
    ("amazonBedrock", "account/login/start.amazonBedrock"),
    ("apiKey", ""),
)


class Errands:
    """Draws by lot which."""

    def __init__(self, world: World, speech: Speech, ask: Ask) -> None:
        self._world = world
        self._rng = world.rng
        self._speech = speech
        self._ask = ask
        self._choices = (self._sample, self._search, self._search, self._cancel, self._cancel, self._log_in, self._at_gateway,
                         self._set_up, self._start_with_tools, self._join, self._join)  # fmt: skip

    def run(self, client: SimulatedClient) -> None:
        """One of them."""
        self._rng.choice(self._choices)(client)

    def _sample(self, client: SimulatedClient) -> None:
        thread = self._rng.choice(self._world.some_threads())
        self._ask(client, *self._speech.request(client, b"thread/sample", thread=thread))

    def _search(self, client: SimulatedClient) -> None:
        self._ask(client, *self._speech.request(client, b"thread/search/stream"))

    def _cancel(self, client: SimulatedClient) -> None:
        """Of what is under way, of what waits, of another's, of another kind, or of nothing."""
        method, cancel = self._rng.choice(sorted(ENDED_BY.items()))
        requests = self._world.oracle.books.requests
        whose = client.id if self._rng.random() < 0.8 else self._rng.choice(sorted(requests.open))
        meant = [asked.id for asked in requests.open[whose].values() if asked.method == method]
        thread = self._rng.choice(self._world.some_threads()) if method == "thread/sample" else None
        asked, line = self._speech.request(client, cancel.encode(), b',"requestId":' + NAMED, thread)
        asked.named = self._rng.choice(meant) if meant and self._rng.random() < 0.8 else self._rng.choice(IDS)
        self._ask(client, asked, line.replace(NAMED, asked.named))

    def _log_in(self, client: SimulatedClient) -> None:
        kind, gated = self._rng.choice(_LOGINS)
        members = b',"type":"%b"' % kind.encode()
        asked, line = self._speech.request(client, b"account/login/start", members, gated=gated)
        asked.kind = kind
        self._ask(client, asked, line)

    def _start_with_tools(self, client: SimulatedClient) -> None:
        members = b',"dynamicTools":[{"name":"x"}]'
        gated = "thread/start.dynamicTools"
        asked, line = self._speech.request(client, b"thread/start", members, gated=gated)
        asked.declares_tools = True
        self._ask(client, asked, line)

    def _join(self, client: SimulatedClient) -> None:
        """A thread that another has, whose tools are the other's."""
        views = [view.id for view in self._world.oracle.books.threads if view.tools_of and view.turn]
        if views and not self._world.is_being_joined(thread := self._rng.choice(views)):
            self._ask(client, *self._speech.request(client, b"thread/resume", thread=thread))

    def _at_gateway(self, client: SimulatedClient) -> None:
        self._ask(client, *self._speech.request(client, b"account/gatewayOAuth/login"))

    def _set_up(self, client: SimulatedClient) -> None:
        self._ask(client, *self._speech.request(client, b"windowsSandbox/setupStart"))
