"""The ends of turns that Codex does not tell: noticed, asked for, and told in its stead."""

import logging
from typing import Any

from msgspec import Raw

from codexd.protocol import messages
from codexd.protocol.messages import ErrorResponse, Notification, Response
from codexd.routing import params
from codexd.routing.dispatch import Dispatch
from codexd.routing.notifications import Notifications
from codexd.routing.requests import Purpose
from codexd.routing.state import State

_NEWEST_TURNS = 8
"""How many Codex is asked for; so many turns do not begin while the end of one is missing."""
_UNKNOWN = "Codex says that the thread is at rest and does not say how this turn ended"


class TurnEnds:
    """Makes sure that every turn ends for those who follow it."""

    def __init__(self, state: State, dispatch: Dispatch, notifications: Notifications) -> None:
        self._state = state
        self._dispatch = dispatch
        self._notifications = notifications

    def ask_for_due(self) -> None:
        """Time has passed: Codex is asked for the ends that are missing for too long.

        An answer to `thread/turns/list` has the newest turn first and each turn's status; it says so of the running one
        as well, but nothing of an ephemeral thread's (0.163 and 0.169).
        """
        for thread in self._state.missing_ends.take_due(self._state.now):
            wanted = {"threadId": thread, "limit": _NEWEST_TURNS, "itemsView": "notLoaded"}
            self._dispatch.ask(Purpose.TURN_END, "thread/turns/list", wanted, thread)

    def told(self, thread: str, answer: Response | ErrorResponse) -> None:
        """Codex says how it was, or that it can't: whoever waits for these turns waits no more."""
        state = self._state
        turns = params.turns_of_result(answer.result) if isinstance(answer, Response) else []
        known = {turn.id: described for turn, described in turns if turn.status != "inProgress"}
        for turn in state.missing_ends.overdue(thread):
            if turn not in known and self._is_open(thread, turn):
                continue
            ended = known.get(turn) or Raw(messages.encode(self._made_up(thread, turn)))
            line = messages.notification("turn/completed", {"threadId": thread, "turn": ended})
            state.log(f"Codex did not say that turn {turn} of thread {thread} has ended", logging.WARNING)
            said = messages.parse_codex(line)
            assert isinstance(said, Notification), "it was made as one"
            self._notifications.deliver(said)
            state.missing_ends.told(turn)

    def _is_open(self, thread_id: str, turn: str) -> bool:
        """Whether it is too early to say anything: the turn goes on, or the next one does."""
        thread, ends = self._state.threads.get(thread_id), self._state.missing_ends
        assert thread is not None, "what is forgotten waits for no end"
        if thread.at_rest:
            return False
        if thread.turn == turn:
            ends.found(turn)
        else:
            ends.wait_for_rest(turn)
        return True

    def _made_up(self, thread_id: str, turn: str) -> dict[str, Any]:
        thread = self._state.threads.get(thread_id)
        is_last = thread is not None and thread.turn == turn
        now = self._state.now
        return failed(turn, _UNKNOWN, now) if is_last else overtaken(turn, now)


def failed(turn: str, why: str, now: float) -> dict[str, Any]:
    """A turn that has failed, as `turn/completed` describes it."""
    return _ended(turn, now, "failed", failure(why))


def overtaken(turn: str, now: float) -> dict[str, Any]:
    """A turn of which nobody knows how it ended, and behind which another has begun."""
    return _ended(turn, now, "interrupted", None)


def _ended(turn: str, now: float, status: str, error: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "id": turn,
        "items": [],
        "itemsView": "notLoaded",
        "status": status,
        "error": error,
        "startedAt": None,
        "completedAt": int(now),
        "durationMs": None,
    }


def failure(why: str) -> dict[str, Any]:
    """Why a turn has failed, as Codex says it."""
    return {"message": why, "codexErrorInfo": None, "additionalDetails": None}
