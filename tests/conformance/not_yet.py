"""What is not yet as Codex does it: a script per known bug, expected to fail until it is mended. To be empty."""

from tests.conformance.steps import Call, Script, script, thread, turn

SCRIPTS: tuple[Script, ...] = (
    script(
        "not yet: a cancellation of what is no id",
        Call("userVerification/cancel", {"requestId": None}),
        Call("userVerification/cancel", {"requestId": 1.5}),
        Call("userVerification/cancel", {"requestId": {}}),
        Call("userVerification/cancel", {"requestId": 2**63}),
        Call("userVerification/cancel", {"requestId": "2"}),
        Call("thread/sample/cancel", {"requestId": None}),
        Call("thread/sample/cancel", {"requestId": [1]}),
        Call("thread/sample/cancel", {"requestId": 7}),
    ),
)

NOW_AND_THEN: tuple[Script, ...] = (
    # What goes to everybody overtakes what is held while Codex is asked whose sub-agent a thread is.
    script(
        "sub-agents",
        thread(),
        turn("thread", "agents hello from below"),
        Call("thread/list", {"cwd": "$project", "parentThreadId": "$thread"}),
        Call("thread/read", {"threadId": "$thread"}),
    ),
)
"""Those that fail under load only, and not each time."""
