"""Which turn runs in a thread, and under which ids.

One turn runs in a thread at a time. Codex tells its beginning (`turn/started`) and its end (`turn/completed`) under the id
that the answer to `turn/start` had. But a review has two ids: the answer to `review/start`, the items and `turn/completed`
bear one, `turn/started` another one, with the first as `rootTurnId` (0.163 and 0.171; in a list of turns the second one
stays `inProgress` until the next turn, and is `interrupted` then). It ends once: under the first. A sub-agent's turn has a
`rootTurnId`, too, which is another thread's turn.

Rule 1. A turn is known here by the id under which Codex tells its end.
Rule 2. An end of which nobody has seen the beginning is the end of what runs.
Rule 3. Where the next turn begins before the end of one was told, that end is missing (`missing_ends`).
"""

from codexd.routing.params import Turn
from codexd.routing.state import State
from codexd.routing.threads import Thread


class Turns:
    """Takes down what Codex says of turns."""

    def __init__(self, state: State) -> None:
        self._state = state

    def begins(self, thread: Thread, turn: Turn, seq: int | None = None) -> None:
        """Codex says that the turn runs. `seq`: the number of the event that says so, if that is how it is known."""
        root, ends = turn.root_turn_id, self._state.missing_ends
        if root is None and seq is not None and thread.turn_seq is None:
            root = thread.turn  # a Codex that names no root has answered, and begins what it has answered
        name = thread.name_of(turn.id, root)
        if thread.turn is not None and thread.turn != name:
            ends.miss(thread.id, thread.turn, self._state.now)
        if seq is not None:
            ends.found(name)
            thread.at_rest = False
        self._state.threads.begin_turn(thread, name, seq)
        if name != turn.id:
            thread.begun_as = turn.id

    def is_news(self, thread: Thread, turn: Turn) -> bool:
        """Whether an answer that describes the turn as running is to be believed: its end may have overtaken the answer."""
        return turn.status == "inProgress" and thread.name_of(turn.id, turn.root_turn_id) not in thread.ended

    def ends(self, thread: Thread, turn: str) -> None:
        """Codex says that the turn has ended."""
        ends = self._state.missing_ends
        was_missing = ends.found(turn)
        if turn not in (thread.turn, thread.begun_as) and was_missing:
            thread.ended = frozenset({turn})
            return
        names = {turn, *(name for name in (thread.turn, thread.begun_as) if name is not None)}
        for name in names:
            ends.found(name)
            self._state.server_requests.end_turn(thread.id, name)
        self._state.threads.end_turn(thread)
        thread.ended = frozenset(names)

    def rests(self, thread: Thread) -> None:
        """Codex says that nothing goes on in the thread: of whatever has not ended the end is missing."""
        if thread.turn is not None:
            self._state.missing_ends.miss(thread.id, thread.turn, self._state.now)
        self._state.missing_ends.rests(thread.id, self._state.now)
