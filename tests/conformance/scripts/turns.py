"""Turns: their inputs, their ends, what is said to them on their way, and what is done beside them."""

from tests.conformance.steps import Call, Do, Json, Note, script, thread, turn

_T = {"threadId": "$thread"}
_TURN = {**_T, "turnId": "$turn"}
_ENDED = Note("turn/completed", {"turn.id": "$turn"})
_COMPACTED = Note("thread/status/changed", {**_T, "status.type": "idle"})


def _input(text: str) -> Json:
    return [{"type": "text", "text": text}]


def _running(prompt: str) -> Call:
    """A turn that the model holds until it is released; it has begun to speak."""
    return Call(
        "turn/start",
        {**_T, "input": _input(prompt)},
        save={"turn": "turn.id"},
        until=(Note("item/agentMessage/delta", {"turnId": "$turn"}),),
    )


SCRIPTS = (
    script(
        "turns",
        thread(),
        turn("thread", "hello", clientUserMessageId="mine", effort="low", summary="concise"),
        turn("thread", "with a schema", outputSchema={"type": "object", "properties": {}}),
        turn("thread", "elsewhere", cwd="$home", approvalPolicy="never", sandboxPolicy={"type": "readOnly"}),
        turn("thread", "run echo never asked"),
        turn("thread", "fail 500 as the prompt says"),
        turn("thread", "fail 400"),
        turn("thread", "die"),
        turn("thread", "call update_plan " + '{"plan": [{"step": "one", "status": "in_progress"}]}'),
        turn("thread", 'call no_such_tool {"a": 1}'),
        turn("thread", "together call update_plan {} // run-free echo together"),
        turn("thread", "nothing", input=[]),
        Call("turn/start", {**_T, "input": _input("x" * 1_050_000)}),
        Call("turn/start", {**_T, "input": [{"type": "nonsense"}]}),
        Call("turn/start", {**_T, "input": _input("hello"), "model": 5}),
        Call("turn/start", {"threadId": "00000000-0000-0000-0000-000000000000", "input": _input("hello")}),
        Call("turn/start", {"threadId": "no uuid", "input": _input("hello")}),
        turn("thread", "an image", input=[{"type": "image", "url": "data:image/png;base64,AA=="}]),
        turn("thread", "a skill", input=[{"type": "skill", "name": "none", "path": "$project/none"}]),
        turn("thread", "a mention", input=[{"type": "mention", "name": "none", "path": "app://none"}]),
    ),
    script(
        "running turns",
        thread(),
        _running("hold first"),
        Call("turn/steer", {**_T, "expectedTurnId": "none", "input": _input("steered")}),
        Call("turn/steer", {**_T, "expectedTurnId": "$turn", "input": []}),
        Call("turn/interrupt", {**_T, "turnId": "none"}),
        Call("turn/settings/update", {**_TURN, "effort": "low"}),
        Call("turn/settings/update", {**_T, "turnId": "none"}),
        Call("turn/start", {**_T, "input": _input("queued into it")}),
        Call("thread/read", {**_T, "includeTurns": True}),
        Call("turn/interrupt", _TURN, until=(_ENDED,)),
        Call("turn/steer", {**_T, "expectedTurnId": "$turn", "input": _input("too late")}),
        Call("turn/settings/update", _TURN),
        _running("hold second"),
        Call("turn/steer", {**_T, "expectedTurnId": "$turn", "input": _input("steered")}),
        Do("release", "second"),
        Call("thread/loaded/list", until=()),
        Call("turn/interrupt", {"threadId": "00000000-0000-0000-0000-000000000000", "turnId": "x"}),
    ),
    script(
        "beside turns",
        thread(),
        Call(
            "review/start",
            {**_T, "target": {"type": "custom", "instructions": "review this"}},
            save={"turn": "turn.id"},
            until=(_ENDED,),
        ),
        Call("review/start", {**_T, "target": {"type": "custom", "instructions": ""}}),
        Call("review/start", {**_T, "target": {"type": "uncommittedChanges"}, "delivery": "detached"}),
        Call("review/start", {**_T, "target": {"type": "nonsense"}}),
        turn("thread", "hello"),
        Call("thread/compact/start", _T, until=(Note("turn/completed", _T),)),
        Call("thread/shellCommand", {**_T, "command": "echo shell"}, until=(Note("turn/completed", _T),)),
        Call("thread/shellCommand", {**_T, "command": " "}),
        Call(
            "thread/inject_items",
            {
                **_T,
                "items": [
                    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "in"}]}
                ],
            },
        ),
        Call("thread/inject_items", {**_T, "items": []}),
        Call("thread/inject_items", {**_T, "items": [5]}),
        Call("thread/backgroundTerminals/list", _T),
        Call("thread/backgroundTerminals/terminate", {**_T, "processId": "1"}),
        Call("thread/backgroundTerminals/clean", _T),
        Call("thread/increment_elicitation", _T),
        Call("thread/decrement_elicitation", _T),
        Call("thread/decrement_elicitation", _T),
        Call("thread/approveGuardianDeniedAction", {**_T, "event": {}}),
        Call("thread/guardianReview", _T),
        Call("thread/prepareApprovedPlan", {**_T, "markdown": "# Plan"}),
        Call("thread/prepareApprovedPlan", {**_T, "markdown": ""}),
        Call("thread/prediction/request", {**_T, "sourceTurnId": "none"}),
        Call("thread/sample", {**_T, "expectedTurnId": "none", "prompt": "sampled"}),
        turn("thread", "for a sample"),
        Call("thread/sample", {**_T, "expectedTurnId": "$turn", "prompt": "sampled"}),
        Call(
            "thread/sample",
            {**_T, "expectedTurnId": "$turn", "prompt": "hold a sample"},
            held="sample",
            id="s",
        ),
        Call("thread/sample/cancel", {"requestId": "none"}),
    ),
    script(
        "sub-agents",
        thread(),
        turn("thread", "agents hello from below"),
        Call("thread/list", {"cwd": "$project", "parentThreadId": "$thread"}),
        Call("thread/read", _T),
    ),
    script(
        "raw events",
        thread(experimentalRawEvents=True),
        turn("thread", "hello"),
        turn("thread", "run-free echo raw"),
    ),
)
