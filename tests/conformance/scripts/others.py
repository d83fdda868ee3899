"""What one client does and another sees of it: threads, turns, questions, reads and searches; and an outsider."""

from tests.conformance.scripts.server_requests import COMMAND
from tests.conformance.steps import Answer, Ask, Call, Leave, Note, Step, Together, Wait, thread, turn

_T = {"threadId": "$thread"}
_ENDED = Note("turn/completed", {"turn.id": "$turn"})
_RUN = {**_T, "input": [{"type": "text", "text": "run echo accepted"}]}
_SEARCH = {"searchTerm": "needle"}


def _update(operation: str) -> Call:
    return Call(
        "thread/readState/update",
        {**_T, "expectedRevision": "$revision", "operation": {"type": operation}},
        save={"revision": "readState.revision"},
    )


_READ = Call("thread/read", _T)
_STATES: tuple[tuple[str, Step], ...] = (
    ("owner", Call("thread/list", {}, save={"revision": "readStates.$thread.revision"})),
    ("outsider", _update("unread")),
    ("owner", _update("read")),
)

TOGETHER = (
    Together(
        "another's thread",
        ("owner", "follower", "outsider", "plain"),
        (
            ("owner", thread()),
            ("owner", turn("thread", "hello")),
            ("outsider", _READ),
            ("outsider", Call("thread/turns/list", _T)),
            ("outsider", Call("thread/unsubscribe", _T)),
            ("follower", Call("thread/resume", {**_T, "excludeTurns": True})),
            ("follower", turn("thread", "from another")),
            ("owner", Wait(_ENDED)),
            ("follower", Call("thread/name/set", {**_T, "name": "A name"})),
            ("owner", Wait(Note("thread/name/updated", _T))),
            ("outsider", Call("thread/goal/set", {**_T, "objective": "o", "status": "paused"})),
            ("outsider", Call("turn/interrupt", {**_T, "turnId": "$turn"})),
            *_STATES,
            ("follower", Call("thread/unsubscribe", _T)),
            ("follower", Call("thread/unsubscribe", _T)),
            ("owner", turn("thread", "alone again")),
            ("outsider", Call("thread/archive", _T, until=(Note("thread/archived", _T),))),
            ("outsider", Call("thread/delete", _T, until=(Note("thread/deleted", _T),))),
        ),
        plain=frozenset({"plain"}),
    ),
    Together(
        "another's question",
        ("owner", "follower", "outsider"),
        (
            ("owner", thread()),
            ("owner", turn("thread", "hello")),
            ("follower", Call("thread/resume", {**_T, "excludeTurns": True})),
            ("owner", Call("turn/start", _RUN, save={"turn": "turn.id"})),
            ("owner", Answer(Ask(COMMAND, silent=True))),
            ("follower", Answer(Ask(COMMAND, {"decision": "accept"}))),
            ("follower", Wait(_ENDED)),
            ("owner", Wait(_ENDED)),
            ("owner", Call("turn/start", _RUN, save={"turn": "turn.id"})),
            ("follower", Answer(Ask(COMMAND, silent=True))),
            ("owner", Answer(Ask(COMMAND, silent=True))),
            ("owner", Leave()),
            ("follower", Call("turn/interrupt", {**_T, "turnId": "$turn"}, until=(_ENDED,))),
        ),
    ),
    Together(
        "another's search",
        ("owner", "other", "outsider"),
        (
            ("owner", thread()),
            ("owner", turn("thread", "a needle in a haystack")),
            ("owner", Call("thread/search/stream", _SEARCH, id="search")),
            ("other", Call("thread/search/stream", _SEARCH, id="search")),
            ("other", Call("thread/search/stream/cancel", {"requestId": "search"})),
            ("owner", Call("thread/search/stream", _SEARCH, id=7)),
            ("outsider", Call("thread/search/stream/cancel", {"requestId": 7})),
            ("other", Call("thread/search", _SEARCH)),
            ("outsider", Call("thread/search/cancel", {"requestId": 7})),
        ),
        needs="thread/search/stream",
    ),
)
