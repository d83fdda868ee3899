"""From the queues to Codex: every request passes here on its way, and is decided upon once more.

What is true when a request arrives may be otherwise when its turn comes: a thread may have been lost, may be on its
way back after a death, or may have found a new follower. So what depends on it is decided here.
"""

from typing import Any

from codexd.protocol import messages
from codexd.protocol.catalogue import MARKER, RESUMING, UNSUBSCRIBING
from codexd.protocol.errors import Code
from codexd.protocol.learnt import Learnt
from codexd.routing import lifecycle
from codexd.routing.asking import Asking
from codexd.routing.drain import Drain
from codexd.routing.effects import ClientId, PauseReading, ResumeReading
from codexd.routing.flow import QUEUE_REQUESTS
from codexd.routing.handles import closing
from codexd.routing.interrupts import Interrupts
from codexd.routing.login_change import LoginChange
from codexd.routing.requests import Call, Purpose, own_call
from codexd.routing.state import State
from codexd.routing.threads import Thread
from codexd.routing.unloading import Unloading


class Dispatch:
    """Sends what may be sent, in the clients' turns, and says no to what can't be."""

    def __init__(self, state: State, asking: Asking, unloading: Unloading) -> None:
        self._state = state
        self._asking = asking
        self._drain = Drain(state)
        self._login_change = LoginChange(state)
        self.unloading = unloading
        self.interrupts = Interrupts(state, unloading)

    def pump(self) -> None:
        """Hands to Codex what the window allows. Called after everything that may have changed that."""
        state = self._state
        if self._codex_takes_requests():
            self._send_what_the_window_allows()
        for client in [paused for paused in state.paused if self._is_low(paused)]:
            state.paused.remove(client)
            state.want(ResumeReading(client))

    def _codex_takes_requests(self) -> bool:
        state = self._state
        if state.logins.is_waiting:
            return False
        return state.life.state is lifecycle.State.READY and state.learnt is not None

    @property
    def deadline(self) -> float | None:
        """When time alone lets something be sent to Codex."""
        return self._state.flow.marker_due if self._codex_takes_requests() else None

    def _send_what_the_window_allows(self) -> None:
        state = self._state
        while (call := state.flow.take()) is not None:
            self._decide(call)
        if state.flow.wants_marker(state.now):
            self.send_marker()

    def send_marker(self) -> None:
        """Asks Codex something that it answers at once."""
        call = own_call(Purpose.MARKER, MARKER, {"limit": 1})
        number, line = self._state.requests.send(call)
        self._state.flow.marker_sent(number, call, self._state.now)
        self._state.tell_codex(line)

    def is_full(self, client: ClientId) -> bool:
        """Whether a client has so much waiting that nothing more should be taken from it: what codexd itself has to
        answer later counts, too.
        """
        return self._state.flow.is_full(client) or self._waiting(client) >= QUEUE_REQUESTS

    def _is_low(self, client: ClientId) -> bool:
        return self._state.flow.is_low(client) and self._waiting(client) <= QUEUE_REQUESTS // 2

    def pause_if_full(self, client: ClientId) -> None:
        """Something was taken from the client: nothing more is, if that is enough."""
        state = self._state
        if client not in state.paused and self.is_full(client):
            state.paused.add(client)
            state.want(PauseReading(client))

    def _waiting(self, client: ClientId) -> int:
        state = self._state
        parked, reads = state.parked.count(client), state.reads.waiting(client)
        return state.flow.waiting(client) + parked + reads + state.releases.waiting(client)

    def ask(self, purpose: Purpose, method: str, params: dict[str, Any], thread: str | None = None) -> None:
        """Queues a request of codexd's own."""
        self._state.flow.offer(own_call(purpose, method, params, thread))

    def send(self, call: Call) -> None:
        """Writes a request to Codex."""
        number, line = self._state.requests.send(call)
        self._state.flow.sent(number, call, self._state.now)
        self._state.handles.asked(call)
        self._state.origins.sent(call)
        self._state.tell_codex(line, call.request.bulk)

    def close(self, client: ClientId, opener: str, handle: str) -> None:
        """Ends what a client that has left had opened."""
        self.ask(Purpose.CLEAN_UP, *closing(client, opener, handle))

    def _decide(self, call: Call) -> None:
        state = self._state
        thread = state.threads.get(call.thread)
        if call.owner is None:
            if self._is_still_wanted(call, thread):
                self._send_own(call)
        elif (refusal := self._drain.refusal(call) or self._login_change.refusal(call)) is not None:
            state.refuse(call.owner, call.request, Code.CODEX_UNAVAILABLE, *refusal)
        elif (quarantined := state.quarantine.refusal(call)) is not None:
            state.refuse(call.owner, call.request, *quarantined)
        elif (reason := self._gated(call)) is not None:
            message = f"{reason} requires experimentalApi capability"
            state.refuse(call.owner, call.request, Code.INVALID_REQUEST, message)
        elif call.thread is not None and self._must_wait(call, thread):
            state.parked.add(call.thread, call)
        elif call.method in UNSUBSCRIBING and call.wants_answer:
            self._unsubscribe(call, call.thread, thread)
        elif not self.interrupts.refuses(call, thread):
            state.named.translate(call)
            self.send(call)

    def _send_own(self, call: Call) -> None:
        if call.thread is not None and self._must_be_alone(call, call.thread):
            self._state.parked.add(call.thread, call)
        else:
            self.send(call)

    def _must_be_alone(self, call: Call, thread: str) -> bool:
        """Whether it is a suspect's resume, and waits for another resume."""
        state = self._state
        if call.method not in RESUMING or not state.quarantine.is_suspect(thread):
            return False
        if not any(True for _ in state.requests.of_methods(RESUMING)):
            return False
        state.quarantine.wait(thread)
        return True

    def _gated(self, call: Call) -> str | None:
        """What in the request its asker has not the capability for."""
        learnt, owner = self._state.learnt, call.owner
        assert owner is not None, "a client has sent it"
        if (
            not isinstance(learnt, Learnt)
            or self._state.clients[owner].introduction.experimental
            or not call.wants_answer
        ):
            return None
        return learnt.gates.reason(call.method, call.request.params)

    def _is_still_wanted(self, call: Call, thread: Thread | None) -> bool:
        """Whether what codexd itself is to ask makes sense now that its turn has come."""
        match call.purpose:
            case Purpose.RELEASE:
                return thread is not None and self.unloading.is_still_wanted(thread)
            case Purpose.RESUME:
                return thread is not None and thread.resuming
            case Purpose.TURN_END:
                return bool(thread and self._state.missing_ends.overdue(thread.id))
            case Purpose.WATCH_AGAIN:
                return any(watch.request is call.request for watch in self._state.handles.watches())
            case _:
                return True

    def _must_wait(self, call: Call, thread: Thread | None) -> bool:
        """Until its thread is back after a death, or gone, or behind what its asker has parked for the same thread."""
        assert call.thread is not None, "only what names a thread waits for one"
        if thread is not None and thread.resuming:
            return True
        if call.method in RESUMING and self.unloading.is_under_way(call.thread):
            return True
        if self._must_be_alone(call, call.thread):
            return True
        return not call.tries and self._state.parked.has(call.thread, call.owner)

    def _unsubscribe(self, call: Call, thread_id: str | None, thread: Thread | None) -> None:
        """Answered here: for Codex there is one subscriber, codexd, and it may have other clients to serve."""
        state, client = self._state, call.owner
        assert client is not None, "codexd's own has a purpose"
        if thread_id is None:
            self._ask_of_unknown(call)
            return
        resumes = [c for c in state.requests.of_methods(RESUMING) if c.thread == thread_id]
        if any(resume.owner == client for resume in resumes):
            state.parked.add(thread_id, call)
        elif thread is None and not resumes and not self.unloading.is_heard_of(thread_id):
            self._ask_of_unknown(call)
        elif thread is not None and client in thread.subscribers:
            state.threads.unsubscribe(thread, client)
            for left in state.threads.family(thread):
                if client not in state.threads.recipients(left.id):
                    state.server_requests.leave(client, left.id)
            state.tell((client,), messages.result(call.request.id, {"status": "unsubscribed"}))
            self._asking.offer_again()
            self.unloading.was_used(thread)
        else:
            state.tell((client,), messages.result(call.request.id, {"status": "notSubscribed"}))

    def _ask_of_unknown(self, call: Call) -> None:
        """Asks whether Codex has the thread, in the stead of an unsubscribe from one that codexd does not know.

        An unsubscribe that reaches Codex ends codexd's own subscription, if codexd has misread which thread it is from. A
        read changes nothing, and refuses an id, or params, in the same words (0.163 and 0.171). Only what is no object it
        refuses in words of its own; that is from no thread, and goes to Codex as it is.
        """
        if not messages.is_object(call.request.params):
            self.send(call)
            return
        asked = call.instead_of or call.request
        read = messages.with_method(asked, "thread/read")
        self.send(Call(call.owner, read, call.thread, tries=call.tries, instead_of=asked))
