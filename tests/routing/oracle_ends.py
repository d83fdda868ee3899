"""Turns whose end Codex has not told: what codexd may ask, and what their followers must hear."""

from collections.abc import Callable
from math import inf
from typing import Any

from msgspec import UnsetType

from tests.routing.oracle_books import Books
from tests.routing.oracle_threads import ThreadView
from tests.routing.sim_words import Envelope, Params, Said, Wrong, read_object

GRACE = 3.0


class EndsSide:
    """Looks at every status of a thread, and at every end of a turn."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def time_passes(self) -> None:
        """codexd is about to be woken."""
        for view in self._books.threads:
            for turn, since in view.missing.items():
                if self._books.now >= since + GRACE:
                    view.overdue[turn] = None

    def status(self, said: Said) -> None:
        """Codex says how a thread is."""
        view = self._books.threads.get(said.thread)
        if view is None or not view.known:
            return
        view.at_rest = b'"type":"active"' not in said.template
        if view.at_rest and view.turn is not None:
            view.missing.setdefault(view.turn, self._books.now)
        if view.at_rest:
            for turn in [turn for turn, since in view.missing.items() if since == inf]:
                view.missing[turn] = self._books.now

    def is_told_already(self, turn: str | None) -> bool:
        """Whether codexd has told the end of this turn, which Codex tells now."""
        return turn in self._books.threads.told

    def check_is_asked_for(self, asked: Params) -> None:
        """codexd asks Codex how a turn has ended."""
        view = self._books.threads.get(asked.thread_id)
        if view is None or not view.overdue:
            raise Wrong(f"no end of a turn of {asked.thread_id} is missing")

    def answered(self, said: Said) -> None:
        """Codex says how turns have ended, or that it can't."""
        assert said.cause is not None, "an answer"
        assert said.cause.params is not None, "it has some"
        view = self._books.threads.get(said.cause.params.thread_id)
        if view is None or not view.known:
            return
        for turn in [turn for turn in view.missing if turn in view.overdue]:
            how = {t["id"]: t["status"] for t in read_object(said.line).get("result", {}).get("data", [])}
            status = how.get(turn, "inProgress")
            if status == "inProgress" and not view.at_rest:
                self._books.counts["an end that was not missing"] += turn == view.turn
                self._books.counts["an end that is asked for again"] += turn != view.turn
                if turn == view.turn:
                    view.end_is_found(turn)
                else:
                    view.missing[turn] = inf
                continue
            status = status.replace("inProgress", "failed" if turn == view.turn else "interrupted")
            self._books.counts[f"a missing end: {status}"] += 1
            self._books.asks.end_turn(view.id, turn)
            followers = self._books.threads.followers(view.id)
            end = self._books.event(view.id, "turn/completed", followers, check=_ends(view, turn, status))
            self._books.expected.append(end)
            self._books.threads.told.add(turn)
            view.ended = {turn}
            if view.turn == turn:
                view.rests()
            del view.missing[turn]
        view.overdue.clear()


def _ends(view: ThreadView, turn: str, status: str) -> Callable[[bytes, Envelope], bool]:
    def is_it(_: bytes, envelope: Envelope) -> bool:
        if envelope.method != "turn/completed" or isinstance(envelope.params, UnsetType):
            return False
        told: dict[str, Any] = read_object(envelope.params)
        ended = told["turn"]
        is_right = (ended["id"], ended["status"]) == (turn, status)
        return bool(told["threadId"] == view.id and is_right)

    return is_it
