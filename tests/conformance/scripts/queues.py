"""What is queued for a thread."""

from tests.conformance.steps import Call, Note, script, thread

_T = {"threadId": "$thread"}
_NONE = {"threadId": "00000000-0000-0000-0000-000000000000"}
_CHANGED = Note("thread/queue/changed", _T)
_DONE = Note("turn/completed", _T)


def _text(text: str) -> dict[str, object]:
    return {"input": [{"type": "text", "text": text}]}


def _queued(message: str, name: str) -> Call:
    return Call(
        "thread/queue/add",
        {**_T, "clientUserMessageId": message, **_text(message)},
        save={name: "queuedSubmission.id"},
        until=(_CHANGED,),
    )


SCRIPTS = (
    script(
        "queues of submissions",
        thread(),
        Call(
            "turn/start",
            {**_T, **_text("hold first")},
            save={"turn": "turn.id"},
            until=(Note("item/agentMessage/delta", _T),),
        ),
        _queued("one", "q1"),
        _queued("two", "q2"),
        _queued("three", "q3"),
        Call("thread/queue/list", _T),
        Call("thread/queue/list", {**_T, "limit": 1}),
        Call("thread/queue/list", {**_T, "cursor": "nonsense"}),
        Call("thread/queue/list", _NONE),
        _queued("one", "q4"),
        Call("thread/queue/add", {**_T, "clientUserMessageId": "four", "input": []}),
        Call("thread/queue/add", {**_NONE, "clientUserMessageId": "four", **_text("four")}),
        Call(
            "thread/queue/update", {**_T, "queuedSubmissionId": "$q2", **_text("changed")}, until=(_CHANGED,)
        ),
        Call("thread/queue/update", {**_T, "queuedSubmissionId": "none", **_text("changed")}),
        Call("thread/queue/update", {**_NONE, "queuedSubmissionId": "$q2", **_text("changed")}),
        Call(
            "thread/queue/reorder",
            {**_T, "queuedSubmissionIds": ["$q4", "$q2", "$q3", "$q1"]},
            until=(_CHANGED,),
        ),
        Call("thread/queue/reorder", {**_T, "queuedSubmissionIds": ["$q2"]}),
        Call("thread/queue/reorder", {**_NONE, "queuedSubmissionIds": []}),
        Call("thread/queue/delete", {**_T, "queuedSubmissionId": "$q3"}, until=(_CHANGED,)),
        Call("thread/queue/delete", {**_T, "queuedSubmissionId": "$q3"}),
        Call("thread/queue/delete", {**_NONE, "queuedSubmissionId": "$q3"}),
        Call("thread/queue/start", {**_T, "queuedSubmissionId": "none"}),
        Call("thread/queue/start", _NONE),
        Call("thread/queue/start", {**_T, "queuedSubmissionId": "$q1"}),
        Call("thread/queue/delete", {**_T, "queuedSubmissionId": "$q2"}, until=(_CHANGED,)),
        Call("thread/queue/delete", {**_T, "queuedSubmissionId": "$q4"}, until=(_CHANGED,)),
        Call("turn/interrupt", {**_T, "turnId": "$turn"}, until=(_DONE,)),
        Call("thread/queue/list", _T),
        Call("thread/queue/start", {**_T, "queuedSubmissionId": "$q1"}, until=(_DONE,)),
        Call("thread/queue/list", _T),
        Call("thread/queue/start", _T),
    ),
)
