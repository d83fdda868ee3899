"""What is not yet as Codex does it: a script per known bug, expected to fail until it is mended. To be empty."""

from tests.conformance.steps import Call, Script, script, thread, turn

SCRIPTS: tuple[Script, ...] = ()

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
