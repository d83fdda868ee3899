"""What codexd knows of Codex's methods that no schema says.

Everything that is not named here passes through: unknown requests are forwarded, unknown notifications go to the
subscribers of their `threadId` or, when they have none, to everybody. So a newer Codex works before this table knows
it. Measured on Codex 0.163 and 0.169.
"""

import re
from enum import Enum, auto

from codexd.protocol.extension import THREADS_RELEASE

_VERSION = re.compile(r"(\d+)\.(\d+)")


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

EVERYONE_SINCE = {"thread/readState/changed": (0, 170)}
"""The same, from this version of Codex on; for its subscribers before. No schema tells: both have the same params (measured
on 0.163, 0.169 and 0.171; there was no 0.170)."""

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

NEVER_EMPTY = frozenset({"processHandle", "sessionId"})
"""Handles that Codex refuses when they are empty; an empty `processId` or `watchId` is one like any other (measured)."""
NEEDS_HANDLE = frozenset({"tty", "streamStdin", "streamStdoutStderr"})
"""With one of these, `command/exec` without a `processId` is refused (measured)."""

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

APPROVAL_POLICY = "approvalPolicy"
"""The member of params whose value may be a `GRANULAR` policy: experimental, although the schema has it as stable."""
GRANULAR = "granular"

LOGIN = "account/login/start"
TOKEN_LOGIN = "chatgptAuthTokens"
"""The `type` of a login whose tokens the client itself refreshes."""
GATED_LOGINS = frozenset({TOKEN_LOGIN, "amazonBedrock", "amazonBedrockAccessKeys"})
"""The experimental values of `type` of `LOGIN`; the schema has them as stable."""

GATED_NOTIFICATIONS = frozenset({
    "autoApprovalReview/strictReviewRequired",
    "mcpServer/event/stream/notification",
    "process/exited",
    "process/outputDelta",
    "project/changed",
    "thread/environment/connected",
    "thread/environment/disconnected",
    "thread/project/updated",
    "thread/queue/changed",
    "thread/readState/changed",
    "thread/realtime/closed",
    "thread/realtime/error",
    "thread/realtime/item/completed",
    "thread/realtime/item/started",
    "thread/realtime/item/transcript/delta",
    "thread/realtime/itemAdded",
    "thread/realtime/outputAudio/delta",
    "thread/realtime/sdp",
    "thread/realtime/started",
    "thread/realtime/transcript/delta",
    "thread/realtime/transcript/done",
    "thread/search/partial",
    "thread/settings/updated",
    "turn/moderationMetadata",
})  # fmt: skip
"""Notifications for clients with `experimentalApi` alone. The schema does not mark them."""

STRIPPED = {"item/commandExecution/requestApproval": "additionalPermissions"}
"""Members of requests of Codex that only clients with `experimentalApi` get to see."""

CWD_OF_PROCESS = {"thread/start": "cwd", "command/exec": "cwd"}
"""Requests for which Codex takes its own working directory when this member of their params is left out."""
CWDS_OF_PROCESS = {"skills/list": "cwds", "hooks/list": "cwds"}
"""The same, with a list of directories, an empty one too."""
RELATIVE_PATHS = {
    "command/exec": "cwd",
    "config/read": "cwd",
    "externalAgentConfig/detect": "cwds",
    "fuzzyFileSearch": "roots",
    "fuzzyFileSearch/sessionStart": "roots",
    "hooks/list": "cwds",
    "permissionProfile/list": "cwd",
    "skills/list": "cwds",
    "thread/fork": "cwd",
    "thread/list": "cwd",
    "thread/resume": "cwd",
    "thread/settings/update": "cwd",
    "thread/start": "cwd",
    "turn/start": "cwd",
}
"""Requests, and the member of their params that holds a path, or a list of paths, which Codex takes from its own working
directory on when it is no absolute one (tried with 0.163 and 0.171; it knows `~`, and takes `.` and `..` out itself)."""
TAKES_INPUT = frozenset({"turn/start", "turn/steer", "thread/queue/add", "thread/queue/update"})
"""Requests whose `input` may hold images and sounds by their path, which is taken from the same directory on (0.163, 0.171)."""
TAKES_CONFIG = frozenset({"thread/start", "thread/resume", "thread/fork"})
"""Requests whose `params.config` overrides the configuration, as `-c` does for a process."""

CAUSED_BY = {
    "deprecationNotice": frozenset({"thread/resume", "thread/fork", "thread/read"}),
    "configWarning": frozenset({"thread/start"}),
}
"""Notifications without an address, and the requests that cause them: the oldest such asker gets them."""

SUBSCRIBING = frozenset({"thread/start", "thread/resume", "thread/fork"})
"""Requests whose answer attaches the asker to `result.thread.id`."""

RESUMING = frozenset({"thread/resume"})
"""Those that attach the asker to the thread that they name; the others reveal a new one."""

OF_ROLLOUT = frozenset({"thread/resume", "thread/fork"})
"""Requests that may name a thread by the `path` of its rollout."""

UNSUBSCRIBING = frozenset({"thread/unsubscribe"})
"""Those that detach codexd from the thread that they name."""

STARTS_TURN = frozenset({"turn/start", "review/start", "thread/queue/start"})
"""Requests whose answer has the turn that they began in `result.turn`."""

BEGINS_WORK = STARTS_TURN | {
    "thread/start",
    "thread/compact/start",
    "thread/shellCommand",
}
"""Requests that codexd refuses while it waits for running turns before it ends. Codex's own server on a socket refuses new
threads and turns then, too. A thread without a turn would be lost with Codex."""

ENDS_THREAD = frozenset({"thread/closed", "thread/archived", "thread/deleted"})
"""Notifications after which a thread has no subscribers and no pending requests."""

TOOL_CALL = "item/tool/call"
"""A dynamic tool: for the client that declared it, in `DECLARES_TOOLS` of its `thread/start`."""
DECLARES_TOOLS = "dynamicTools"
ATTESTATION = "attestation/generate"
TOKEN_REFRESH = "account/chatgptAuthTokens/refresh"

ASKED_OF_ONE = frozenset({ATTESTATION, "currentTime/read"})
"""Requests of Codex that one client is asked.

Codex refuses to ask `currentTime/read` at all unless exactly one connection follows the thread; 0.171 asks it no more.
"""
HUMAN_COMMAND = b'"humanCommand"'
"""The `kind` of a command approval that only a client with `requiredHumanApproval` may be asked."""
USER_VERIFICATION = b'"openai/userVerification"'
"""The `mode` of an elicitation that belongs to one client."""

ANSWER_SECONDS = {ATTESTATION: 0.1, TOKEN_REFRESH: 10.0, "currentTime/read": 10.0}
"""How long Codex waits for an answer to these; later ones are for nothing. It waits for any other for ever."""

GATEWAY_LOGIN = "account/gatewayOAuth/login"
GATEWAY_CHANGED = "account/gatewayOAuth/changed"
AUTH_URL = "authUrl"
"""In `GATEWAY_CHANGED`, for the client alone that asked for the login."""

WINDOWS_SETUP = "windowsSandbox/setupStart"
WINDOWS_SETUP_DONE = "windowsSandbox/setupCompleted"
"""Comes after the answer to `WINDOWS_SETUP`, and names nothing."""

NEVER_KEPT = frozenset({"mcpServer/oauthLogin/completed", "rawResponseItem/completed"})
"""Notifications of a thread that are sent on and not kept in the timeline: about accounts, and raw items of the
conversation, in which stand the answers to questions of `item/tool/requestUserInput`, secret ones too. Codex repeats such
an answer nowhere else (tried with 0.163 and 0.169), unless the model does. What a client answers to `item/tool/call` is
the output of a tool, which stands in its item like any other; so does what an MCP server makes of an answer to it.

What names no thread is not kept anyhow, nor is what goes to one client alone, nor any answer, of Codex or of a client."""

NEVER_RESOLVED = frozenset({TOOL_CALL, "currentTime/read"})
"""Requests of a thread whose end Codex does not announce with `serverRequest/resolved`: they end with their turn."""

GOAL_SNAPSHOT = frozenset({"thread/goal/updated", "thread/goal/cleared"})
"""What Codex sends to everybody at the end of every resume of a thread."""

USAGE = "thread/tokenUsage/updated"
"""Live: to the subscribers. Replayed after a resume or fork, before the goal snapshot: to the asker alone."""

MARKER = "thread/loaded/list"
"""A request that Codex answers at once and in order: its answer proves that all sent before it was taken."""

SAFE_TO_RETRY = frozenset({
    THREADS_RELEASE,
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
    "thread/search/stream",
    "thread/turns/list",
    "thread/unsubscribe",
    "turn/interrupt",
})  # fmt: skip
"""Requests that change nothing, or nothing more when made twice: an asker whose Codex died may just ask again."""


def to_everyone(version: str | None) -> frozenset[str]:
    """The notifications of a thread that this version of Codex sends to everybody; a version that is not known is new."""
    numbers = _VERSION.match(version or "")
    known = (int(numbers[1]), int(numbers[2])) if numbers else None
    new = (method for method, since in EVERYONE_SINCE.items() if known is None or known >= since)
    return EVERYONE_ALTHOUGH_OF_A_THREAD.union(new)


def scope_of(
    method: str, has_thread: bool, everyone: frozenset[str] = EVERYONE_ALTHOUGH_OF_A_THREAD
) -> Scope:
    """Who gets this notification; `has_thread` says whether its params name a thread, `everyone` is `to_everyone`."""
    if method in HANDLE_OF_NOTIFICATION or method in CAUSED_BY or method == WINDOWS_SETUP_DONE:
        return Scope.CONNECTION
    if has_thread and method not in everyone:
        return Scope.SUBSCRIBERS
    return Scope.EVERYONE
