"""What codexd knows of Codex's methods that no schema says.

Everything that is not named here passes through: unknown requests are forwarded, unknown notifications go to the
subscribers of their `threadId` or, when they have none, to everybody. So a newer Codex works before this table knows
it. Measured on Codex 0.163 and 0.169.
"""

from enum import Enum, auto


class Scope(Enum):
    """Who gets a notification."""

    EVERYONE = auto()
    """Every initialized client."""
    SUBSCRIBERS = auto()
    """The clients attached to the thread that it names."""
    CONNECTION = auto()
    """One client: the one whose handle it names, or whose request caused it."""


EVERYONE_ALTHOUGH_OF_A_THREAD = frozenset({
    "thread/started",
    "thread/status/changed",
    "thread/name/updated",
    "thread/archived",
    "thread/unarchived",
    "thread/deleted",
    "thread/closed",
    "thread/reverted",
    "thread/section/changed",
    "thread/attachment/updated",
    "thread/goal/updated",
    "thread/goal/cleared",
    "thread/project/updated",
    "mcpServer/oauthLogin/completed",
})  # fmt: skip

HANDLE_OF_NOTIFICATION = {
    "command/exec/outputDelta": "processId",
    "process/outputDelta": "processHandle",
    "process/exited": "processHandle",
    "fs/changed": "watchId",
    "mcpServer/event/stream/notification": "subscriptionId",
    "fuzzyFileSearch/sessionUpdated": "sessionId",
    "fuzzyFileSearch/sessionCompleted": "sessionId",
}
"""Notifications that go to the client that chose the id in this member of their params."""

HANDLE_OF_REQUEST = {
    "command/exec": "processId",
    "command/exec/write": "processId",
    "command/exec/terminate": "processId",
    "command/exec/resize": "processId",
    "process/spawn": "processHandle",
    "process/writeStdin": "processHandle",
    "process/kill": "processHandle",
    "process/resizePty": "processHandle",
    "fs/watch": "watchId",
    "fs/unwatch": "watchId",
    "mcpServer/event/stream/start": "subscriptionId",
    "mcpServer/event/stream/stop": "subscriptionId",
    "fuzzyFileSearch/sessionStart": "sessionId",
    "fuzzyFileSearch/sessionUpdate": "sessionId",
    "fuzzyFileSearch/sessionStop": "sessionId",
    "fuzzyFileSearch": "cancellationToken",
}
"""Requests whose params hold an id that the client chose, valid among that client's own only."""

CAUSED_BY = {
    "deprecationNotice": frozenset({"thread/resume", "thread/fork", "thread/read"}),
    "configWarning": frozenset({"thread/start"}),
    "windowsSandbox/setupCompleted": frozenset({"windowsSandbox/setupStart"}),
}
"""Notifications without an address, and the requests that cause them: the oldest such asker gets them."""

SUBSCRIBING = frozenset({"thread/start", "thread/resume", "thread/fork"})
"""Requests whose answer attaches the asker to `result.thread.id`."""

RESUMING = frozenset({"thread/resume"})
"""Those that attach the asker to the thread that they name; the others reveal a new one."""

STARTS_TURN = frozenset({"turn/start", "review/start", "thread/queue/start"})
"""Requests whose answer has the turn that they began in `result.turn`."""

ENDS_THREAD = frozenset({"thread/closed", "thread/archived", "thread/deleted"})
"""Notifications after which a thread has no subscribers and no pending requests."""

NEVER_RESOLVED = frozenset({"item/tool/call", "currentTime/read"})
"""Requests of a thread whose end Codex does not announce with `serverRequest/resolved`: they end with their turn."""

GOAL_SNAPSHOT = frozenset({"thread/goal/updated", "thread/goal/cleared"})
"""What Codex sends to everybody at the end of every resume of a thread."""

USAGE = "thread/tokenUsage/updated"
"""Live: to the subscribers. Replayed after a resume or fork, before the goal snapshot: to the asker alone."""

MARKER = "thread/loaded/list"
"""A request that Codex answers at once and in order: its answer proves that all sent before it was taken."""

SAFE_TO_RETRY = frozenset({
    "account/read",
    "account/rateLimits/read",
    "collaborationMode/list",
    "config/read",
    "configRequirements/read",
    "experimentalFeature/list",
    "fs/getMetadata",
    "fs/readDirectory",
    "fs/readFile",
    "hooks/list",
    "mcpServerStatus/list",
    "model/list",
    "modelProvider/list",
    "permissionProfile/list",
    "plugin/installed",
    "plugin/list",
    "skills/list",
    "thread/items/list",
    "thread/list",
    "thread/loaded/list",
    "thread/read",
    "thread/resume",
    "thread/search",
    "thread/turns/list",
    "thread/unsubscribe",
    "turn/interrupt",
})  # fmt: skip
"""Requests that change nothing, or nothing more when made twice: an asker whose Codex died may just ask again."""


def scope_of(method: str, has_thread: bool) -> Scope:
    """Who gets this notification; `has_thread` says whether its params name a thread."""
    if method in HANDLE_OF_NOTIFICATION or method in CAUSED_BY:
        return Scope.CONNECTION
    if has_thread and method not in EVERYONE_ALTHOUGH_OF_A_THREAD:
        return Scope.SUBSCRIBERS
    return Scope.EVERYONE
