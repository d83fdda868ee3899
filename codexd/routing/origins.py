"""Who caused what comes later and without an address: logins and set-ups that end long after their answer.

What comes while the request that causes it is under way needs no memory; see `CAUSED_BY` in the catalogue.
"""

from codexd.protocol import messages
from codexd.protocol.catalogue import GATEWAY_LOGIN, LOGIN, TOKEN_LOGIN, WINDOWS_SETUP
from codexd.routing.effects import ClientId
from codexd.routing.requests import Call


class Origins:
    """The requests that began what is not over yet. Who made them may have left since.

    `token_login`: whose login the account's tokens come from, which that client alone can refresh.
    """

    def __init__(self) -> None:
        self.token_login: ClientId | None = None
        self._gateway_logins: list[Call] = []
        self._windows_setups: list[Call] = []

    def sent(self, call: Call) -> None:
        """A request goes to Codex."""
        if call.method == GATEWAY_LOGIN:
            self._gateway_logins.append(call)
        elif call.method == WINDOWS_SETUP:
            self._windows_setups.append(call)

    def succeeded(self, call: Call) -> None:
        """Codex did what was asked. Each login takes the place of the one before."""
        if call.method == LOGIN:
            kind = bytes(messages.members_of(call.request.params).get("type", b""))
            self.token_login = call.owner if kind == b'"%b"' % TOKEN_LOGIN.encode() else None
        elif call in self._gateway_logins:
            del self._gateway_logins[: self._gateway_logins.index(call)]

    def failed(self, call: Call) -> None:
        """Codex refused it, for good or for now, so nothing will come of it."""
        for begun in (self._gateway_logins, self._windows_setups):
            if call in begun:
                begun.remove(call)

    @property
    def gateway_login(self) -> ClientId | None:
        """Who asked last to log in at the gateway, and was not refused."""
        return self._gateway_logins[-1].owner if self._gateway_logins else None

    def take_windows_setup(self) -> ClientId | None:
        """Whose set-up is complete: the one that was begun first."""
        return self._windows_setups.pop(0).owner if self._windows_setups else None

    def codex_died(self) -> None:
        """What was begun is not going to end; the account outlives Codex."""
        self._gateway_logins.clear()
        self._windows_setups.clear()
