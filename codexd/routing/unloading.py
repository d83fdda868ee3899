"""Letting Codex unload threads: those that nobody follows, after a while or when somebody asks for it.

A thread is let go of by unsubscribing from it, together with its sub-agents' threads, and only while nothing happens in
any of them: a parent may have to do with its sub-agent yet, and Codex loses a thread that is new or ephemeral for good.

Codex unloads a thread after a delay of its own when nobody is subscribed to it. For Codex codexd is the only
subscriber, so the delay is codexd's to keep, and Codex is told to unload at once what codexd unsubscribes from.

Rule 1. The clock starts when the last follower leaves, or when the last thing ends that goes on without followers: a
        turn, a question, a request.
Rule 2. A new follower stops it, and so does a turn, of a sub-agent too.
Rule 3. A family goes together: sub-agents' threads with the one at the top, and none while one of them is busy.
"""

from codexd.protocol import messages
from codexd.protocol.catalogue import UNSUBSCRIBING
from codexd.protocol.messages import Request
from codexd.routing.effects import ClientId
from codexd.routing.releases import Waiting
from codexd.routing.reports import InUse, Release
from codexd.routing.requests import Purpose, own_call
from codexd.routing.state import State
from codexd.routing.threads import Thread


class Unloading:
    """Decides when, and tells who waits for it."""

    def __init__(self, state: State) -> None:
        self._state = state

    def follow(self, thread: Thread, client: ClientId) -> None:
        """The client follows the thread from now on; nobody lets go of it any more, and who waits for that is told."""
        self._state.threads.subscribe(thread, client)
        self._state.deserted.cancel(thread.id)
        self.not_released(thread)

    def release(self, thread: Thread) -> None:
        """Lets Codex unload a thread that nobody follows and in which nothing happens, and its sub-agents' threads."""
        for candidate in self._state.threads.family(thread):
            if not candidate.releasing and self._may_release(candidate):
                candidate.releasing = True
                wanted = {"threadId": candidate.id}
                self._state.flow.offer(own_call(Purpose.RELEASE, "thread/unsubscribe", wanted, candidate.id))

    def release_if_deserted(self, thread_id: str) -> None:
        """Something ended in this thread: if nobody follows it, it goes after the delay, with the whole family."""
        root = self._state.threads.root(thread_id)
        if root is None or root.subscribers:
            return
        if not self._state.deserted.delay:
            self.release(root)
        elif not root.releasing and self._may_release(root):
            self._state.deserted.add(root.id, self._state.now)

    def release_due(self) -> None:
        """Time has passed: what was deserted for so long goes, unless something happens there now."""
        for thread_id in self._state.deserted.take_due(self._state.now):
            root = self._state.threads.root(thread_id)
            assert root is not None, "what is forgotten is due no more"
            if root.id == thread_id:  # else its parent has become known since, and the parent's clock counts
                self.release(root)
        for thread_id in self._state.releases.take_overdue(self._state.now):
            self.unpark(thread_id)

    def was_used(self, thread: Thread) -> None:
        """A turn is over, or a follower left: if nobody follows the family any more, its clock starts anew."""
        root = self._state.threads.root(thread.id)
        assert root is not None, "the thread is known"
        self._state.deserted.cancel(root.id)
        for relative in self._state.threads.family(root):
            is_due = self._is_told(relative.id) or self._state.releases.is_awaited(relative.id)
            relative.releasing = relative.releasing and is_due
        self.release_if_deserted(root.id)

    def release_for(self, client: ClientId, request: Request, thread_id: str) -> None:
        """Lets Codex unload a thread now; the client hears how that ended."""
        state, thread = self._state, self._state.threads.get(thread_id)
        if thread is None and (state.requests.is_asked_of(thread_id) or self.is_heard_of(thread_id)):
            self._answer_release((client, request), InUse(0, turn_runs=False, pending_approvals=0))
        elif thread is None and not state.releases.is_closing(thread_id):
            self._answer_release((client, request), Release("notLoaded"))
        elif thread is None or thread.releasing or self._may_release(thread):
            state.releases.wait(thread_id, client, request)
            if thread is not None:
                self.release(thread)
        else:
            self._answer_release((client, request), self._use_of(thread))

    def released(self, thread_id: str, status: str) -> None:
        """The thread is gone from Codex's memory, or was not in it: who waits for that is told."""
        for waiting in self._state.releases.end(thread_id):
            self._answer_release(waiting, Release(status))
        self.unpark(thread_id)

    def not_released(self, thread: Thread) -> None:
        """The thread stays after all: who waits for its end is told why."""
        for waiting in self._state.releases.end(thread.id):
            self._answer_release(waiting, self._use_of(thread))
        self.unpark(thread.id)

    def unpark(self, thread: str) -> None:
        """Its resume, or its end, is over: what waited for that takes its place before what came later."""
        for call in reversed(self._state.parked.take(thread)):
            self._state.flow.offer(call, first=True)

    def is_under_way(self, thread: str) -> bool:
        """Whether Codex was told to let go of the thread and has not closed it yet."""
        return self._is_told(thread) or self._state.releases.holds(thread)

    def _is_told(self, thread: str) -> bool:
        """Whether Codex has codexd's own wish to let go of it, and has not answered."""
        return any(
            call.purpose is Purpose.RELEASE and call.thread == thread
            for call in self._state.requests.of_methods(UNSUBSCRIBING)
        )

    def forget(self, thread: Thread, *, lost: bool = False) -> None:
        """The thread is gone, or `lost` for good.

        Its sub-agents' threads stay loaded, and may be nobody's now; its parent's may only have waited for it.
        """
        threads = self._state.threads
        left_behind = threads.descendants(thread)
        self._state.deserted.cancel(thread.id)
        self._state.missing_ends.forget_thread(thread.id)
        (threads.lose if lost else threads.forget)(thread)
        for child in left_behind:
            self._state.deserted.cancel(child.id)
            self.release_if_deserted(child.id)
        if thread.parent is not None:
            self.release_if_deserted(thread.parent)

    def _may_release(self, thread: Thread) -> bool:
        threads = self._state.threads
        root = threads.root(thread.id)
        assert root is not None, "the thread is known"
        return (
            thread.attached
            and not threads.recipients(thread.id)
            and not any(self._is_busy(relative) for relative in threads.family(root))
        )

    def _is_busy(self, thread: Thread) -> bool:
        return (
            thread.resuming
            or thread.turn is not None
            or bool(self._state.server_requests.undecided(thread.id))
            or self._state.requests.is_asked_of(thread.id)
        )

    def is_still_wanted(self, thread: Thread) -> bool:
        """Whether Codex is to let go of it, now that this may be sent: not if it was used since that was decided."""
        if not thread.releasing or self._is_told(thread.id):
            return False
        thread.releasing = self._may_release(thread) and not self._state.parked.has_any(thread.id)
        if not thread.releasing:
            self.not_released(thread)
        return thread.releasing

    def _use_of(self, thread: Thread) -> InUse:
        """Why it stays."""
        threads = self._state.threads
        family = threads.family(threads.root(thread.id) or thread)
        return InUse(
            followers=len(threads.recipients(thread.id)),
            turn_runs=any(relative.turn is not None for relative in family),
            pending_approvals=sum(len(self._state.server_requests.undecided(t.id)) for t in family),
        )

    def _answer_release(self, waiting: Waiting, how: Release | InUse) -> None:
        client, request = waiting
        self._state.tell((client,), messages.result(request.id, how))

    def is_heard_of(self, thread: str) -> bool:
        """Whether Codex tells codexd of this thread although nobody knows yet who follows it: a sub-agent's, it may be."""
        threads = self._state.threads
        return threads.is_spoken_for(thread) or bool(self._state.server_requests.undecided(thread))
