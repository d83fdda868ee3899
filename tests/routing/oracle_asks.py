"""The oracle's book of what Codex asks: who was asked under which id, who abstained, what is decided."""

from collections import deque
from math import inf

from msgspec import Struct, field

from tests.routing.sim_words import NEVER_RESOLVED, Said

ANSWER_SECONDS = {
    "account/chatgptAuthTokens/refresh": 10.0,
    "attestation/generate": 0.1,
    "currentTime/read": 10.0,
}
"""How long Codex waits for an answer."""


class AskView(Struct, eq=False):
    """One request of Codex. `id` is the one clients know; None while nobody has been asked."""

    said: Said
    id: int | None = None
    asked: dict[int, None] = field(default_factory=dict)
    abstained: set[int] = field(default_factory=set)
    expires_at: float = inf
    decided: bool = False
    over: bool = False
    repeats: list[int] = field(default_factory=list)

    @property
    def thread(self) -> str | None:
        """The thread that it is about."""
        return self.said.thread

    @property
    def is_announced(self) -> bool:
        """Whether Codex says when it is over."""
        return self.thread is not None and self.said.method not in NEVER_RESOLVED


class AskBook:
    """Everything that Codex has asked and that is not over; and every id that was ever used."""

    def __init__(self, used: set[int]) -> None:
        self._by_codex_id: dict[int, AskView] = {}
        self.by_id: dict[int, AskView] = {}
        self.used = used
        self.recent: deque[int] = deque(maxlen=20)

    def __iter__(self):
        return iter(list(self._by_codex_id.values()))

    def add(self, said: Said, now: float) -> AskView | None:
        """Codex asks; None when it repeats itself."""
        if said.codex_id in self._by_codex_id:
            return None
        view = self._by_codex_id[said.codex_id] = AskView(said)
        view.expires_at = now + ANSWER_SECONDS.get(said.method, inf)
        return view

    def get(self, codex_id: int) -> AskView | None:
        """What Codex knows under this id."""
        return self._by_codex_id.get(codex_id)

    def undecided(self, thread: str | None = None) -> list[AskView]:
        """What waits for a decision, the oldest first."""
        return [v for v in self._by_codex_id.values() if not v.decided and thread in (None, v.thread)]

    def decide(self, view: AskView) -> None:
        """It has its answer. One that Codex does not announce and that is of no turn is over with it."""
        view.decided = True
        if view.thread is None:
            self.end(view)

    def end(self, view: AskView) -> None:
        """It is over."""
        view.over = True
        del self._by_codex_id[view.said.codex_id]

    def end_turn(self, thread: str, turn: str | None) -> None:
        """A turn is over: so is what Codex wanted for it and does not announce."""
        for view in self:
            if view.thread == thread and view.said.turn == turn and not view.is_announced:
                self.end(view)

    def end_thread(self, thread: str) -> None:
        """The thread is gone with all that was asked for it."""
        for view in self:
            if view.thread == thread:
                self.end(view)

    def leave(self, client: int, thread: str | None = None) -> list[AskView]:
        """The client is no longer asked; returns what is now nobody's to answer."""
        orphans = []
        for view in self._by_codex_id.values():
            if client in view.asked and not view.decided and thread in (None, view.thread):
                del view.asked[client]
                view.abstained.discard(client)
                if view.thread is None and len(view.abstained) == len(view.asked):
                    orphans.append(view)
        return orphans
