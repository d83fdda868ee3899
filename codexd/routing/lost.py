"""What is said of threads that no Codex can bring back.

Codex is asked all the same, and its own sentence comes first: programs look for it and begin a new thread. It has a
sentence for each method (0.163 and 0.171), all with the thread's id: `no rollout found for thread id ID` (resume, fork,
archive, delete, name), `thread not found: ID` (turns, reviews, settings, goals), `thread not loaded: ID` (read, turns/list).
"""

from typing import Any

from msgspec import Raw

from codexd.routing import params

_WHY = "it was lost when Codex died, because it was ephemeral or had no turn yet; start a new one"
_DATA: dict[str, Any] = {"reason": "threadLost", "safeToRetry": False}


def explained(thread: str, error: Raw) -> tuple[int, str, dict[str, Any]] | None:
    """Code, message and data in the place of Codex's error for a lost thread; `None` for one that is about something else."""
    code, message = params.error_body(error)
    return (code, f"{message}: {_WHY}", _DATA) if thread in message else None
