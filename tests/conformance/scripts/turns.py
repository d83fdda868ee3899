"""Turns: their inputs, their ends, what is said to them on their way, and what is done beside them."""

from tests.conformance.steps import Call, Do, Join, Json, Note, script, thread, turn

_T = {"threadId": "$thread"}
_TURN = {**_T, "turnId": "$turn"}
_ENDED = Note("turn/completed", {"turn.id": "$turn"})


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
        Call("thread/read", _T),
        Call("turn/start", {**_T, "input": _input("into the running one")}, until=(_ENDED,)),
        _running("hold interrupted"),
        Call("turn/interrupt", _TURN, until=(_ENDED,)),
        Call("turn/steer", {**_T, "expectedTurnId": "$turn", "input": _input("too late")}),
        Call("turn/settings/update", _TURN),
        _running("hold second"),
        Call("turn/steer", {**_T, "expectedTurnId": "$turn", "input": _input("steered")}, until=(_ENDED,)),
        Call(
            "turn/start",
            {**_T, "input": _input("hold released")},
            save={"turn": "turn.id"},
            held="released",
            until=(Note("item/agentMessage/delta", {}),),
        ),
        Do("release", "released"),
        Join("released", until=(_ENDED,)),
        Call("thread/loaded/list"),
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
        Call("thread/sample", {**_T, "expectedTurnId": "none", "prompt": "sampled"}),
        turn("thread", "for a sample"),
        Call("thread/realtime/list", {**_T, "limit": 1}),
        Call("thread/sample", {**_T, "expectedTurnId": "$turn", "prompt": "sampled"}),
        Call(
            "thread/sample",
            {**_T, "expectedTurnId": "$turn", "prompt": "hold sample"},
            held="sample",
            id="s",
        ),
        Call("thread/sample/cancel", {"requestId": "none"}),
        Call("thread/sample/cancel", {"requestId": "s"}),
        Join("sample"),
    ),
    script(
        "sub-agents",
        thread(),
        turn("thread", "agents hello from below"),
        Call("thread/list", {"cwd": "$project", "parentThreadId": "$thread"}),
        Call("thread/read", {"threadId": "$thread"}),
    ),
    script(
        "raw events",
        thread(experimentalRawEvents=True),
        turn("thread", "hello"),
        turn("thread", "run-free echo raw"),
    ),
)
