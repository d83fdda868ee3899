"""What a thread does besides turns."""

from tests.conformance.steps import Call, Note, script, thread, turn

_T = {"threadId": "$thread"}
_NONE = {"threadId": "00000000-0000-0000-0000-000000000000"}
_ITEM = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "injected"}]}
_DONE = Note("turn/completed", _T)
_RAN = Note("item/completed", {"item.type": "commandExecution"})
_TERMINAL = 'call exec_command {"cmd": "sleep 100", "yield_time_ms": 250}'

_CALL = {"type": "function_call", "call_id": "call_1", "name": "exec_command", "arguments": '{"cmd": "ls"}'}
_DENIED = {
    "id": "denied",
    "turn_id": "none",
    "started_at_ms": 1,
    "status": "denied",
    "action": {"type": "command", "source": "shell", "command": "ls", "cwd": "/"},
}

SCRIPTS = (
    script(
        "doings of threads",
        thread(),
        turn("thread", "hello"),
        Call("thread/inject_items", {**_T, "items": [_ITEM]}),
        Call("thread/inject_items", {**_T, "items": []}),
        Call("thread/inject_items", {**_T, "items": [{"type": 5}]}),
        Call("thread/inject_items", {**_NONE, "items": [_ITEM]}),
        Call("thread/shellCommand", {**_T, "command": "echo shell"}, until=(_DONE,)),
        Call("thread/shellCommand", {**_T, "command": "  "}),
        Call("thread/shellCommand", {**_NONE, "command": "true"}),
        Call("thread/compact/start", _T, until=(_DONE,)),
        Call("thread/compact/start", _NONE),
        turn("thread", _TERMINAL),
        Call("thread/backgroundTerminals/list", _T, save={"terminal": "data.0.processId"}),
        Call("thread/backgroundTerminals/list", {**_T, "cursor": "nonsense"}),
        Call("thread/backgroundTerminals/list", _NONE),
        Call("thread/backgroundTerminals/terminate", {**_T, "processId": "none"}),
        Call("thread/backgroundTerminals/terminate", {**_NONE, "processId": "1"}),
        Call("thread/backgroundTerminals/terminate", {**_T, "processId": "$terminal"}, until=(_RAN,)),
        turn("thread", _TERMINAL),
        Call("thread/backgroundTerminals/clean", _T, until=(_RAN,)),
        Call("thread/backgroundTerminals/clean", _NONE),
        Call("thread/backgroundTerminals/list", _T),
        Call("thread/read", {**_T, "includeTurns": True}, save={"first": "thread.turns.0.id"}),
        Call("thread/searchOccurrences", {**_T, "searchTerm": "hello", "limit": 1}),
        Call("thread/searchOccurrences", {**_T, "searchTerm": ""}),
        Call("thread/searchOccurrences", {**_NONE, "searchTerm": "hello"}),
        Call("thread/timeline/list", {**_T, "cursor": "nonsense"}),
        Call("thread/timeline/list", _NONE),
        Call("thread/approveGuardianDeniedAction", {**_T, "event": {}}),
        Call("thread/approveGuardianDeniedAction", {**_T, "event": _DENIED}),
        Call("thread/approveGuardianDeniedAction", {**_NONE, "event": _DENIED}),
        Call("thread/guardianReview", _T),
        Call("thread/inject_items", {**_T, "items": [_CALL]}),
        Call("thread/guardianReview", _T),  # of a call that is the last thing in the thread
        Call("thread/guardianReview", _NONE),
        Call("thread/prepareApprovedPlan", {**_T, "markdown": "# The plan"}),
        Call("thread/prepareApprovedPlan", {**_T, "markdown": ""}),
        Call("thread/prepareApprovedPlan", {**_NONE, "markdown": "# The plan"}),
        Call("thread/prediction/request", {**_T, "sourceTurnId": "$first"}),
        Call("thread/prediction/request", {**_T, "sourceTurnId": "none"}),
        Call("thread/prediction/request", {**_NONE, "sourceTurnId": "none"}),
        thread("switched", config={"features": {"step_model_switching": True}}),
        Call(
            "turn/start",
            {"threadId": "$switched", "input": [{"type": "text", "text": "hold switched"}]},
            save={"turn": "turn.id"},
            until=(Note("item/agentMessage/delta", {"threadId": "$switched"}),),
        ),
        Call("turn/settings/update", {"threadId": "$switched", "turnId": "$turn", "effort": "low"}),
        Call("turn/settings/update", {"threadId": "$switched", "turnId": "none", "effort": "low"}),
        Call(
            "turn/interrupt",
            {"threadId": "$switched", "turnId": "$turn"},
            until=(Note("turn/completed", {"turn.id": "$turn"}),),
        ),
    ),
)
