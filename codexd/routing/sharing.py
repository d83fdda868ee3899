"""Threads of which Codex has no history on disk, shared by several clients all the same.

Codex can attach nobody to a thread that has had no turn yet, or to an ephemeral one: `thread/resume` finds no rollout,
`thread/turns/list` and `thread/items/list` are refused, although the thread is in memory (0.163 and 0.169). The rollout
is written in front of the answer to the first `turn/start`, or when the thread gets a name, a goal or injected items.

Rule 1. Codex is asked first, and its own error decides. So nothing has to be known of when a rollout is written.
Rule 2. Codex is then asked for the thread as it is (`thread/read` works), and the rest of the answer is what Codex said
        when it was started: the members of a warm resume, its turns and pages empty. As after each resume the goal
        snapshot follows (a thread without a rollout has no goal), and what waits for a decision is repeated.
Rule 3. Whoever started the thread gets Codex's own errors, as on a Codex of its own.
"""

from typing import Any

from msgspec import Raw

from codexd.protocol import messages
from codexd.protocol.errors import Code
from codexd.protocol.messages import ErrorResponse, Request, Response
from codexd.routing import params
from codexd.routing.asking import Asking
from codexd.routing.dispatch import Dispatch
from codexd.routing.effects import ClientId
from codexd.routing.notifications import Notifications
from codexd.routing.publishing import Publisher
from codexd.routing.requests import Call
from codexd.routing.state import State
from codexd.routing.threads import Thread

_NO_ROLLOUT = ("no rollout found", "missing source rollout")
"""In the errors of a resume; the second one after `thread/memoryMode/set`."""
_NO_PAGES = (
    "is not materialized yet",
    "ephemeral threads do not support",
    "is not supported yet",
    _NO_ROLLOUT[1],
)
_PAGED = frozenset({"thread/turns/list", "thread/items/list"})
_EMPTY_PAGE: dict[str, Any] = {"data": [], "nextCursor": None, "backwardsCursor": None}
_NOW = ("model", "modelProvider", "reasoningEffort", "cwd")
"""What `thread/start` has said beside the thread, and the thread itself says as it is now."""


class Sharing:
    """Answers for Codex what concerns such a thread."""

    def __init__(
        self,
        state: State,
        dispatch: Dispatch,
        notifications: Notifications,
        asking: Asking,
        publisher: Publisher,
    ) -> None:
        self._state = state
        self._dispatch = dispatch
        self._notifications = notifications
        self._asking = asking
        self._publisher = publisher

    def can_attach(self, call: Call, error: str) -> bool:
        """Whether this error of a resume means that codexd is to attach the asker."""
        found = call.method == "thread/resume" and call.instead_of is None and not call.abandoned
        return found and any(text in error for text in _NO_ROLLOUT) and self._shared_by(call) is not None

    def ask_for_thread(self, call: Call) -> None:
        """Asks Codex for what the answer needs, before anything else of the same client."""
        read = messages.own_request(call.request.id, "thread/read", {"threadId": call.thread})
        asked = Call(
            call.owner, read, call.thread, tries=call.tries, instead_of=call.request, joins=call.joins + 1
        )
        self._state.flow.offer(asked, first=True)

    def asks_again(self, call: Call) -> bool:
        """A turn has begun meanwhile: Codex is asked to resume the thread once more, now that it can."""
        thread = self._shared_by(call)
        if not call.joins or call.abandoned or thread is None or not thread.durable or call.joins > 1:
            return False
        assert call.instead_of is not None, "codexd has asked in its stead"
        again = Call(call.owner, call.instead_of, call.thread, tries=call.tries, joins=call.joins)
        self._state.flow.offer(again, first=True)
        return True

    def attach(self, call: Call, answer: Response | ErrorResponse) -> None:
        """The thread as it is: the asker follows it from now on. Or it is gone, which is said in Codex's words."""
        state, client, thread = self._state, call.owner, self._shared_by(call)
        assert client is not None, "clients attach"
        now = messages.members_of(answer.result).get("thread") if isinstance(answer, Response) else None
        if call.abandoned:
            return
        if thread is None or now is None:
            why = f"no rollout found for thread id {call.thread}"
            state.refuse(client, call.request, Code.INVALID_REQUEST, why)
            return
        heard = self._publisher.heard_by(client)
        self._dispatch.unloading.follow(thread, client)
        thread.joined.add(client)
        assert call.instead_of is not None, "codexd has asked in its stead"
        state.tell((client,), messages.result(call.request.id, _resumed(thread, now, call.instead_of)))
        self._publisher.catch_up(thread, client, heard)
        self._publisher.tell_of(thread.id, "thread/goal/cleared", {})
        for pending in state.server_requests.undecided(thread.id):
            self._asking.repeat(pending, client)
        self._notifications.offer_below(thread)

    def page(self, call: Call, answer: ErrorResponse) -> bytes | None:
        """The empty page that takes the place of this error, if it is one of a shared thread's."""
        error = params.error_body(answer.error)[1]
        refused = call.method in _PAGED and any(text in error for text in _NO_PAGES)
        if not refused or self._shared_by(call) is None:
            return None
        return messages.result(call.request.id, _EMPTY_PAGE)

    def _shared_by(self, call: Call) -> Thread | None:
        """The thread, if it is one that Codex has started here, and the asker is not who did it."""
        thread, client = self._state.threads.get(call.thread), call.owner
        if thread is None or client is None or not thread.attached or thread.started is None:
            return None
        return thread if _is_guest(thread, client) else None


def _is_guest(thread: Thread, client: ClientId) -> bool:
    return client not in thread.subscribers or client in thread.joined


def _resumed(thread: Thread, now: Raw, asked: Request) -> dict[str, Any]:
    """The result of a warm resume of a thread without history.

    `now`: the thread as Codex has it. Its collaboration mode is the default one: a turn, or a setting that Codex does not
    tell of, would change it.
    """
    assert thread.started is not None, "it is shared"
    today = messages.members_of(now)
    said = messages.members_of(thread.started)
    said |= {name: today[name] for name in _NOW if name in today and name in said}
    settings = {
        "model": said.get("model"),
        "reasoning_effort": said.get("reasoningEffort"),
        "developer_instructions": None,
    }
    return {
        **said,
        "thread": now,
        "collaborationMode": {"mode": "default", "settings": settings},
        "initialTurnsPage": _EMPTY_PAGE if messages.gives(asked.params, "initialTurnsPage") else None,
        "turnsBackwardsCursor": None,
        "itemsBackwardsCursor": None,
    }
