"""Who caused what comes later and without an address: logins and set-ups that end long after their answer.

What comes while the request that causes it is under way needs no memory; see `CAUSED_BY` in the catalogue.
"""

from collections import deque

from codexd.protocol import messages
from codexd.protocol.catalogue import GATEWAY_LOGIN, LOGIN, TOKEN_LOGIN, WINDOWS_SETUP
from codexd.routing.effects import ClientId
from codexd.routing.requests import Call


class Origins:
    """The clients that began what is not over yet. They may have left since.

    `token_login`: whose login the account's tokens come from, which that client alone can refresh. `gateway_login`: who
    asked last to log in at the gateway.
    """

    def __init__(self) -> None:
        self.token_login: ClientId | None = None
        self.gateway_login: ClientId | None = None
        self._windows_setups: deque[ClientId | None] = deque()

    def sent(self, call: Call) -> None:
        """A request goes to Codex."""
        if call.method == GATEWAY_LOGIN:
            self.gateway_login = call.owner
        elif call.method == WINDOWS_SETUP:
            self._windows_setups.append(call.owner)

    def succeeded(self, call: Call) -> None:
        """Codex did what was asked. Each login takes the place of the one before."""
        if call.method == LOGIN:
            kind = bytes(messages.members_of(call.request.params).get("type", b""))
            self.token_login = call.owner if kind == b'"%b"' % TOKEN_LOGIN.encode() else None

    def failed(self, call: Call) -> None:
        """Codex refused it, so nothing will come of it."""
        if call.method == WINDOWS_SETUP and call.owner in self._windows_setups:
            self._windows_setups.remove(call.owner)

    def take_windows_setup(self) -> ClientId | None:
        """Whose set-up is complete: the one that was begun first."""
        return self._windows_setups.popleft() if self._windows_setups else None

    def codex_died(self) -> None:
        """What was begun is not going to end; the account outlives Codex."""
        self.gateway_login = None
        self._windows_setups.clear()
