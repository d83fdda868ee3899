"""Which login Codex has, and when it is replaced because another one lies in its home.

Codex reads `auth.json` when it starts, and never again: `account/read` with `refreshToken`, `getAuthStatus` and a reload of
the configuration leave it with the login that it had, also after `codex logout` (0.163, 0.171). What goes through Codex
itself, `account/login/start` and `account/logout`, it knows, and says with `account/updated`. So:

Rule 1. The file is looked at when a client sends something that uses or shows the login. Nothing wakes codexd up for it.
Rule 2. When another login lies there than Codex was started with, Codex is replaced, as soon as nothing is under way that
        would end with it: a turn, a process, something that Codex asks.
Rule 3. Requests that it has get their answers first, and nothing is handed over meanwhile; for two seconds. One that
        takes longer is waited for as a turn is.
Rule 4. While it is waited for, what would begin a turn is refused: the login may be one that was logged out.
Rule 5. While a client logs in or out through Codex, Codex is given the same time to say so.
"""

from typing import Any

from codexd.protocol.catalogue import BEGINS_WORK
from codexd.protocol.extension import CODEX_START
from codexd.routing import lifecycle
from codexd.routing.requests import Call
from codexd.routing.state import State

REPLACED = "Codex is being replaced, because the login in its home is another one now"
_NEEDS_LOGIN = BEGINS_WORK - {"thread/start"}
_NEARS_LOGIN = frozenset({"initialize", "thread/start", "thread/resume", "thread/fork", CODEX_START})
"""What comes before that, and is better said to the next Codex already: a thread without a turn is lost with the old one."""
_BY_CODEX = frozenset({"account/login/start", "account/logout", "accountSession/switch"})
_STOPPED_BY_A_CHANGE: tuple[str, dict[str, Any]] = (
    "the login has changed, and Codex still has the old one: what is under way has to end first; try again then, "
    "or end it with `codexd restart`",
    {"reason": "loginChanged", "safeToRetry": True},
)


class LoginChange:
    """Decides when, and what is refused until then."""

    def __init__(self, state: State) -> None:
        self._state = state

    def look(self, method: str) -> None:
        """A client sends a request of this method."""
        state = self._state
        if state.life.state is not lifecycle.State.READY:
            return
        if method in _BY_CODEX:
            state.logins.by_codex = True
        if method in _NEEDS_LOGIN | _NEARS_LOGIN or method.startswith("account"):
            state.logins.look()

    def is_due(self) -> bool:
        """Whether Codex is to be replaced now. Asked after everything that may have changed that."""
        state, logins = self._state, self._state.logins
        if not logins.is_stale or state.life.state is not lifecycle.State.READY:
            return False
        if self._lasts():
            logins.rest()
            return False
        if not state.requests and not (logins.by_codex and logins.wait(state.now)):
            return True
        logins.wait(state.now)
        return False

    def refusal(self, call: Call) -> tuple[str, dict[str, Any]] | None:
        """Message and data of the error for a request that would begin a turn with the old login; None for any other."""
        return _STOPPED_BY_A_CHANGE if self._state.logins.is_stale and call.method in _NEEDS_LOGIN else None

    def _lasts(self) -> bool:
        """Whether something is under way that takes its time, and would end with Codex."""
        state = self._state
        return bool(
            state.threads.a_turn_runs()
            or state.handles.runs_processes()
            or state.server_requests.undecided()
            or state.draining_until is not None
        )
