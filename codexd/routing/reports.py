"""What the core says of itself: the shapes of the answers to the `codexd/*` methods."""

from typing import Annotated

from msgspec import Meta, Raw, Struct, UnsetType

from codexd.protocol.thread_ids import canonical
from codexd.routing.events import Gap, TimelineStatistics

ThreadId = Annotated[str, Meta(max_length=200)]
"""Codex's have 36 characters; of a longer one nothing is known, and it is not worth keeping."""
Number = Annotated[int, Meta(ge=0)]
"""Of an event; 0 is in front of all."""
MAX_DRAIN_SECONDS = 86_400.0
MAX_EVENTS = 10_000
"""So many events may be asked for at once."""


class CodexdStatus(Struct, rename="camel"):
    """The daemon. `started_at` and `draining_until` in seconds since the epoch.

    `draining_until`: until when it waits for running turns before it ends; null while it is not about to end.
    """

    pid: int
    version: str
    started_at: float
    socket: str
    codex_home: str
    draining_until: float | None = None


class CodexStatus(Struct, rename="camel"):
    """The child. `reason` says why it is not ready; `restarts` counts the starts after the first one.

    `login_is_stale`: another login lies in its home than it was started with; it is replaced when nothing is under way.
    `schema_problem`: why its schema can't be had, so that experimental methods are held back from nobody. `environment`: the
    names of its variables, without values.
    `binary`, `binary_identity`: the path of its program, and which file that was when it was started.
    """

    pid: int | None
    version: str | None
    state: str
    restarts: int
    started_at: float | None
    reason: str | None = None
    schema_problem: str | None = None
    login_is_stale: bool = False
    environment: tuple[str, ...] = ()
    binary: str | None = None
    binary_identity: str | None = None


class Status(Struct, rename="camel"):
    """The answer to `codexd/status`. Threads are those that codexd knows; `in_flight` is what Codex has not answered.

    `quarantined`: the ids of the threads that codexd lets nobody resume.
    """

    codexd: CodexdStatus
    codex: CodexStatus
    clients: int
    threads: int
    pending_approvals: int
    in_flight: int
    queued: int
    quarantined: list[str]
    timeline: TimelineStatistics


class ClientInfo(Struct, rename="camel"):
    """One connected client. `name` and `version` are null until it has initialized; `lagging`: its outbox is not empty.

    `cwd`: the directory that counts where it names none; null where that is unknown.
    """

    id: int
    name: str | None
    version: str | None
    pid: int | None
    cwd: str | None
    connected_at: float
    threads: list[str]
    in_flight: int
    outbox_bytes: int
    lagging: bool


class Approval(Struct, rename="camel"):
    """One request of Codex that waits for a decision. `params` are Codex's own; times in seconds since the epoch."""

    id: int
    thread_id: str | None
    turn_id: str | None
    method: str
    params: Raw | UnsetType
    asked_at: float
    asked_clients: list[int]


class _OfThread(Struct, rename="camel", kw_only=True):
    """Params that may name a thread, in any of the spellings that Codex takes."""

    thread_id: ThreadId | None = None

    def __post_init__(self) -> None:
        if self.thread_id is not None:
            self.thread_id = canonical(self.thread_id)


class ReleaseParams(Struct, rename="camel"):
    """The params of `codexd/threads/release`."""

    thread_id: str

    def __post_init__(self) -> None:
        self.thread_id = canonical(self.thread_id)


class Release(Struct, rename="camel"):
    """The answer to it when the thread is gone from Codex's memory, or its quarantine is lifted: `released` or `notLoaded`."""

    status: str


class InUse(Struct, rename="camel"):
    """The answer to it when the thread stays. What its parents and sub-agents do is counted in."""

    followers: int
    turn_runs: bool
    pending_approvals: int
    status: str = "inUse"


class StopParams(Struct, rename="camel"):
    """The params of `codexd/stop`."""

    drain_seconds: Annotated[float, Meta(ge=0, le=MAX_DRAIN_SECONDS)] = 0.0


class RunningTurn(Struct, rename="camel"):
    """A turn that codexd waits for."""

    thread_id: str
    turn_id: str | None


class Stopping(Struct):
    """The answer to it."""

    turns: list[RunningTurn]


class AnswerParams(Struct, rename="camel"):
    """The params of `codexd/approvals/answer`; `result` is what Codex expects for the request's method."""

    id: int
    result: Raw


class ReadParams(_OfThread):
    """The params of `codexd/events/read`."""

    after: Number
    limit: Annotated[int, Meta(ge=1, le=MAX_EVENTS)] = 1000


class KeptEvent(Struct):
    """One event of the answer to it. `at`: seconds since the epoch."""

    seq: int
    at: float
    method: str
    params: Raw


class Events(Struct, omit_defaults=True):
    """The answer to it. `last`: the newest number that there is."""

    events: list[KeptEvent]
    last: int
    gap: Gap | None = None


class FollowParams(_OfThread):
    """The params of `codexd/events/follow`."""

    after: Number | None = None


class Following(Struct, omit_defaults=True):
    """The answer to it. `last`: the newest number that there is; the events up to it come as history."""

    last: int
    gap: Gap | None = None
