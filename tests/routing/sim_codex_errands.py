"""What a simulated Codex does for one client alone: samples, searches, logins, set-ups."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.routing.sim_words import ENDED_BY, NAMED, PARTIAL, Kind, Said, Written

if TYPE_CHECKING:
    from tests.routing.sim_codex import SimulatedCodex

AUTH_URL = b',"authUrl":"https://gateway/%d"'
NO_URL = b',"authUrl":null'
_LOGIN = "account/gatewayOAuth/login"
_SETUP = "windowsSandbox/setupStart"


class SimulatedErrands:
    """Samples and searches run until they are cancelled; logins and set-ups end long after their answers, set-ups in order."""

    def __init__(self, codex: SimulatedCodex) -> None:
        self._codex = codex
        self._running: dict[int, Written] = {}
        self._cancelled: set[int] = set()
        self._logins: dict[int, Written] = {}
        self._setups: dict[int, Written] = {}
        self._begun: set[int] = set()
        self.handlers: dict[str, Callable[[Written], bool]] = {
            **dict.fromkeys(ENDED_BY, self._run),
            **dict.fromkeys(ENDED_BY.values(), self._cancel),
            _LOGIN: self._login,
            _SETUP: self._set_up,
        }

    def arrive(self, written: Written) -> None:
        """A request comes in at stdin."""
        if written.method == _LOGIN:
            self._logins[written.number] = written
        elif written.method == _SETUP:
            self._setups[written.number] = written

    def begun(self, written: Written) -> None:
        """A sample or a search runs from the moment it is taken."""
        if written.method in ENDED_BY:
            self._running[written.number] = written

    def about_to_be_said(self, said: Said) -> Said:
        """Of two logins the later one counts, so that only the later one's URL is said."""
        if said.cause is not None and said.kind in (Kind.REFUSAL, Kind.ANSWER) and not said.ok:
            self._logins.pop(said.cause.number, None)
            self._setups.pop(said.cause.number, None)
        if said.kind is Kind.AUTH_URL and next(reversed(self._logins.values()), None) is not said.cause:
            return Said(
                b'{"method":"%b","params":{"n":0}}' % said.method.encode(), Kind.EVERYONE, method=said.method
            )
        return said

    def happen(self) -> None:
        """A search finds something; a login has a URL, or goes on without one; a set-up ends."""
        codex = self._codex
        searches = [run for run in self._running.values() if run.method == "thread/search/stream"]
        if searches and codex.rng.random() < 0.7:
            self._find(codex.rng.choice(searches))
        elif self._logins and codex.rng.random() < 0.5:
            cause = next(reversed(self._logins.values()))
            members = AUTH_URL % codex.disk.number() if codex.rng.random() < 0.8 else NO_URL
            kind = Kind.AUTH_URL if members != NO_URL else Kind.EVERYONE
            codex.note(kind, "account/gatewayOAuth/changed", members, cause=cause)
        elif self._begun and (first := next(iter(self._setups))) in self._begun:
            self._begun.discard(first)
            codex.note(Kind.SET_UP, "windowsSandbox/setupCompleted", cause=self._setups.pop(first))

    def _find(self, search: Written) -> None:
        said = self._codex.note(Kind.OF_REQUEST, PARTIAL, b',"requestId":%b' % NAMED, cause=search)
        said.line = said.template.replace(NAMED, b"%d" % search.number)

    def _run(self, written: Written) -> bool:
        del self._running[written.number]
        if written.number in self._cancelled:
            self._codex.say_error(written, "canceled", -32603)
        else:
            self._codex.say_result(written, b',"text":"x"')
        return True

    def _cancel(self, written: Written) -> bool:
        assert written.params is not None, "a request has params here"
        running = self._running.get(written.params.request_id)
        if running is not None and ENDED_BY[running.method] == written.method:
            self._cancelled.add(written.params.request_id)
            self._codex.end_soon(written.params.request_id)
        self._codex.say_result(written)
        return True

    def _login(self, written: Written) -> bool:
        return self._may_fail(written)

    def _set_up(self, written: Written) -> bool:
        if self._codex.rng.random() < 0.3:
            return self._may_fail(written, 1.0)
        self._begun.add(written.number)
        self._codex.say_result(written)
        return True

    def _may_fail(self, written: Written, chance: float = 0.3) -> bool:
        if self._codex.rng.random() < chance:
            self._codex.say_error(written, "it can't be done now")
        else:
            self._codex.say_result(written)
        return True
