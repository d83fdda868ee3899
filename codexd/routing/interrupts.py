"""Interrupts of turns that are over.

Asked to interrupt the turn that was interrupted last, when nothing runs any more, 0.163 answers nothing until the thread's
next turn ends; 0.171 says that there is none. Interrupts that it takes while the turn runs it answers, all of them, in
front of `turn/completed` (both measured).

Rule 1. An interrupt that names a turn that has ended is refused in Codex's words when its turn comes, if no turn runs.
Rule 2. One that Codex has when the turn ends, and has not answered a second later, is refused in the same words.
        What Codex says of it afterwards is nobody's.
"""

from codexd.protocol.errors import Code
from codexd.routing import params
from codexd.routing.requests import Call
from codexd.routing.state import State
from codexd.routing.threads import Thread
from codexd.routing.unloading import Unloading

INTERRUPT = "turn/interrupt"
_REFUSAL = "no active turn to interrupt"


class Interrupts:
    """Answers those that Codex may never answer."""

    def __init__(self, state: State, unloading: Unloading) -> None:
        self._state = state
        self._unloading = unloading
        self._clocks = state.interrupts

    def refuses(self, call: Call, thread: Thread | None) -> bool:
        """Whether the call is one, which thereby has its answer."""
        if (
            call.method != INTERRUPT
            or thread is None
            or thread.turn is not None
            or not _names_ended(call, thread)
        ):
            return False
        self._refuse(call)
        return True

    def turn_ended(self, thread: Thread) -> None:
        """Codex has ended a turn; an interrupt of it may be on its way."""
        if self._late(thread):
            self._clocks.add(thread.id, self._state.now)

    def answer_due(self) -> None:
        """Time has passed."""
        for thread_id in self._clocks.take_due(self._state.now):
            thread = self._state.threads.get(thread_id)
            for call in self._late(thread) if thread is not None else ():
                self._refuse(call)
                self._state.requests.give_up(call)
            self._unloading.release_if_deserted(thread_id)

    def _late(self, thread: Thread) -> list[Call]:
        under_way = self._state.requests.of_methods(frozenset({INTERRUPT}))
        of_thread = (call for call in under_way if call.thread == thread.id and not call.abandoned)
        return [call for call in of_thread if _names_ended(call, thread)]

    def _refuse(self, call: Call) -> None:
        assert call.owner is not None, "codexd interrupts nothing"
        self._state.refuse(call.owner, call.request, Code.INVALID_REQUEST, _REFUSAL)


def _names_ended(call: Call, thread: Thread) -> bool:
    return params.thread_and_turn(call.request.params)[1] in thread.ended
