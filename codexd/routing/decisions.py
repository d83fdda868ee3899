"""Asking clients what Codex asks, and telling Codex what was decided."""

from codexd.protocol import extension, messages
from codexd.protocol.bulk import Bulk
from codexd.protocol.errors import Code
from codexd.protocol.messages import Notification, Request
from codexd.routing import params
from codexd.routing.asking import Asking
from codexd.routing.dispatch import Dispatch
from codexd.routing.publishing import Publisher
from codexd.routing.requests import Purpose
from codexd.routing.server_requests import Pending
from codexd.routing.state import State


class Decisions:
    """The way of one request of Codex: taken up, offered, decided, resolved."""

    def __init__(self, state: State, dispatch: Dispatch, asking: Asking, publisher: Publisher) -> None:
        self._state = state
        self._dispatch = dispatch
        self._asking = asking
        self._publisher = publisher

    def take_up(self, request: Request) -> None:
        """Codex asks."""
        state = self._state
        thread, turn = params.thread_and_turn(request.params)
        pending = state.server_requests.add(request, thread, turn, state.now)
        if pending is None:
            self._repeat(request)
            return
        if thread is not None and state.threads.get(thread) is None:
            self.find_parent(thread)
        if thread is not None:
            self._publish_request(thread, pending)
        self._asking.ask(pending)
        if thread is None and not pending.asked:
            self.answer_for_nobody(pending)

    def _publish_request(self, thread: str, pending: Pending) -> None:
        asked = pending.request
        said = {"id": pending.id, "threadId": thread, "method": asked.method, "params": asked.params}
        self._state.received.seq = self._publisher.publish(
            thread, extension.SERVER_REQUEST, messages.notification(extension.SERVER_REQUEST, said)
        )

    def _repeat(self, request: Request) -> None:
        """Codex repeats what is pending behind the answer to a resume: it is for who asked for that."""
        found = self._state.server_requests.repeated(request.id)
        if found is not None:
            self._asking.repeat(*found)

    def decide(self, pending: Pending, line: bytes, bulk: Bulk | None = None) -> None:
        """This line is Codex's answer."""
        self._state.server_requests.decide(pending)
        self._state.tell_codex(line, bulk)
        if pending.thread is not None:
            self._dispatch.unloading.release_if_deserted(pending.thread)

    def orphaned(self, pending: Pending) -> None:
        """Somebody who was asked has left, and of those who are there nobody can decide: another is asked, or nobody."""
        if not pending.asked:
            self._asking.ask(pending)
        if len(pending.abstained) == len(pending.asked):
            self.answer_for_nobody(pending)

    def answer_for_nobody(self, pending: Pending) -> None:
        """A request that no thread can keep, or that Codex does not wait for any longer."""
        message = f"no client of codexd can answer {pending.request.method}"
        self.decide(
            pending,
            messages.error(pending.request.id, Code.CODEX_UNAVAILABLE, message, {"reason": "noClient"}),
        )

    def resolve(self, notification: Notification) -> None:
        """Codex says that a request is over: all followers are told, under the id that they know."""
        said = params.resolved(notification.params)
        pending = self._state.server_requests.resolve(bytes(said.request_id)) if said is not None else None
        if said is None or pending is None:
            self._state.log("Codex resolved a request that it had not made")
            return
        line = messages.rewritten(notification, {"requestId": pending.id})
        self._state.received.seq = self._publisher.publish(said.thread_id, notification.method, line)
        self._dispatch.unloading.release_if_deserted(said.thread_id)

    def find_parent(self, thread: str) -> None:
        """Asks Codex whose sub-agent a thread is that nobody follows."""
        if self._state.threads.search_parent(thread):
            wanted = {"threadId": thread, "includeTurns": False}
            self._dispatch.ask(Purpose.FIND_PARENT, "thread/read", wanted, thread)

    def give_up_due(self) -> None:
        """Codex does not wait for these any longer."""
        for pending in self._state.server_requests.due(self._state.now):
            self.answer_for_nobody(pending)
