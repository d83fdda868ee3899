"""The end of codexd with running turns: it waits for them, and refuses what would begin another.

Codex's own server on a socket does the same at its first SIGTERM (0.169, measured). Codex on stdio, which is what codexd
runs, interrupts every turn at once, so codexd has to wait before it ends Codex.
"""

from typing import Any

from codexd.protocol.catalogue import BEGINS_WORK
from codexd.routing.reports import RunningTurn
from codexd.routing.requests import Call
from codexd.routing.state import State


class Drain:
    """What codexd waits for before it ends."""

    def __init__(self, state: State) -> None:
        self._state = state

    def begin(self, until: float) -> None:
        """codexd is to end when no turn runs any more, and no later than at this time."""
        self._state.draining_until = until

    def refusal(self, call: Call) -> tuple[str, dict[str, Any]] | None:
        """Message and data of the error for a request that would begin a turn now; None for any other."""
        if self._state.draining_until is None or call.method not in BEGINS_WORK:
            return None
        running = len(self.turns())
        turns = f"{running} running turn{'' if running == 1 else 's'}"
        return (
            f"codexd is stopping: it waits for {turns} and begins no other; start it again with `codexd start`",
            {"reason": "stopping", "safeToRetry": True},
        )

    def turns(self) -> list[RunningTurn]:
        """The running turns, and those whose begin Codex has been asked for and has not confirmed."""
        state = self._state
        running = [
            RunningTurn(thread.id, thread.turn) for thread in state.threads.all() if thread.turn is not None
        ]
        known = {turn.thread_id for turn in running}
        beginning = [call.thread for call in state.requests.of_methods(BEGINS_WORK)]
        return running + [RunningTurn(thread, None) for thread in beginning if thread and thread not in known]

    def is_over(self) -> bool:
        """Whether there is nothing left to wait for."""
        return not self._state.threads.a_turn_runs() and not any(self._state.requests.of_methods(BEGINS_WORK))
