"""What the end of Codex is for those who had something under way with it.

In this order: requests that it had are answered with an error; for each thread what was asked is resolved, its status
changes, and its turn ends; what clients had opened ends as it would by nature. Never a synthetic `thread/closed`: the
TUI leaves on it (measured).
"""

from codexd.protocol import messages
from codexd.protocol.catalogue import SAFE_TO_RETRY
from codexd.protocol.errors import Code
from codexd.routing.publishing import Publisher
from codexd.routing.state import State
from codexd.routing.threads import NOBODY, Thread
from codexd.routing.turn_ends import failed, failure, overtaken
from codexd.routing.unloading import Unloading


class Deaths:
    """Ends what a Codex that is gone can't end any more."""

    def __init__(self, state: State, publisher: Publisher, unloading: Unloading) -> None:
        self._state = state
        self._publisher = publisher
        self._unloading = unloading

    def end_what_was_under_way(self, reason: str, *, by_wish: bool = False) -> None:
        """Everything that Codex had; `reason` says why it ended. Threads that a later one can resume wait for it.

        `by_wish`: it was ended when nothing was under way, so of a thread at rest there is nothing to tell.
        """
        state = self._state
        stopping = state.life.stopping
        asked = [(c.owner, c.request, c.method) for c in state.requests.take_all() if not c.abandoned]
        asked += [(client, request, request.method) for client, request in state.releases.clear()]
        for owner, request, method in asked:
            if owner is not None:
                data = {
                    "reason": "stopping" if stopping else "codexExited",
                    "safeToRetry": method in SAFE_TO_RETRY,
                }
                message = f"{reason}, while {method} was under way"
                state.refuse(owner, request, Code.CODEX_UNAVAILABLE, message, data)
        state.flow.drop(None)
        state.parked.drop(None)
        state.flow.forget_window()
        for thread in state.threads.all():
            if not by_wish:
                self._end_turn(thread, reason)
        state.server_requests.end_all()
        state.origins.codex_died()
        for client, method, body in state.handles.codex_died():
            state.notify((client,), method, messages.notification(method, body))
        state.threads.drop_held()
        state.deserted.clear()
        state.missing_ends.clear()
        state.interrupts.clear()
        for thread in state.threads.all():
            self._keep_or_lose(thread)
        for parked in state.parked.threads():
            self._unloading.unpark(parked)
        state.quarantine.take_waiting()

    def _end_turn(self, thread: Thread, reason: str) -> None:
        if thread.resuming:
            return
        state = self._state
        for pending in state.server_requests.end_thread(thread.id):
            self._publisher.tell_of(thread.id, "serverRequest/resolved", {"requestId": pending.id})
        self._publisher.tell_of(thread.id, "thread/status/changed", {"status": {"type": "systemError"}})
        for turn in state.missing_ends.of_thread(thread.id):
            if turn != thread.turn:
                self._publisher.tell_of(thread.id, "turn/completed", {"turn": overtaken(turn, state.now)})
        if thread.turn is not None:
            why = {"turnId": thread.turn, "error": failure(reason), "willRetry": False}
            ended = failed(thread.turn, reason, state.now)
            self._publisher.tell_of(thread.id, "error", why)
            self._publisher.tell_of(thread.id, "turn/completed", {"turn": ended})
        state.threads.end_turn(thread)

    def _keep_or_lose(self, thread: Thread) -> None:
        threads = self._state.threads
        thread.attached = thread.releasing = False
        if thread.subscribers and (thread.durable or thread.resuming):
            thread.resuming = True
            thread.usage_to = NOBODY
        elif thread.durable or thread.parent is not None:
            threads.forget(thread)
        else:
            threads.lose(thread)
