"""The `codexd/*` methods: what a client that knows codexd may ask codexd itself.

Names alone, so that every `codexctl` can import them for nothing. They need no `initialize` and are answered in every
state of Codex. Clients that do not ask for them never see them.
"""

STATUS = "codexd/status"
"""`{}` → `{codexd: {pid, version, startedAt, socket, codexHome, drainingUntil}, codex: {pid, version, state, restarts, startedAt, loginIsStale,
reason, schemaProblem, environment, binary, binaryIdentity}, clients, threads, pendingApprovals, inFlight, queued, quarantined, timeline: {lastSeq, bytes, events, memoryBytes,
state, problem}}`; times in seconds since the epoch; what there is none of is null. `drainingUntil` is set while codexd waits for running turns before it ends. Of the timeline, `state` is `on`, `off` or
`degraded`, and `problem` then says why and what to do; `bytes` and `events` are those on disk. Of Codex, `reason` says why there is none, and the way out when it was left down; `schemaProblem`, why
its schema can't be had: experimental methods are then held back from nobody. `loginIsStale`: another login lies in its home than
it was started with. `environment`: the names of the variables that it has, never a value. `binary`, `binaryIdentity`: the path of its program, and which file that
was (`codexd.protocol.binary`): another one after an update. `quarantined`: the ids of the threads that codexd lets nobody resume or fork, because Codex died twice while
it was resuming them; `THREADS_RELEASE` lifts that."""
CLIENTS_LIST = "codexd/clients/list"
"""`{}` → `{clients: [{id, name, version, pid, cwd, connectedAt, threads, inFlight, outboxBytes, lagging}]}`; `name` and
`version` are null until the client has initialized; `cwd` is the directory that counts where it names none, null where that
is unknown."""
APPROVALS_LIST = "codexd/approvals/list"
"""`{}` → `{approvals: [{id, threadId, turnId, method, params, askedAt, askedClients}]}`: what Codex waits for an answer
to, oldest first; `params` are Codex's own."""
APPROVALS_ANSWER = "codexd/approvals/answer"
"""`{id, result}` → `{}`: decides a pending approval without being attached to its thread."""
THREADS_RELEASE = "codexd/threads/release"
"""`{threadId}` → `{status}`, without waiting for the delay that a thread without followers is kept for: `released` when
Codex has unloaded the thread and its writer lock is free; `notLoaded` when it was not loaded; `inUse` when it stays,
with `followers` (how many clients follow it), `turnRuns` and `pendingApprovals`, its parents and sub-agents
counted in. A client that asks does not become a follower. Waits as long as Codex takes. A quarantine of the thread is lifted by
it; if the thread is not loaded, the answer is `released` at once, in every state of Codex."""
EVENTS_READ = "codexd/events/read"
"""`{threadId?, after, limit?}` → `{events: [{seq, at, method, params}], last, gap?: {from, to}}`: the events after the number
`after`, of one thread or of all, oldest first, at most `limit` of them (default 1000), or fewer when they are large; `last`
is the newest number that there is. There is more when `events` is not empty: ask again after its last number. `gap`: of these
numbers some can't be had, because they are older than what is kept or were lost; what is kept of them is in `events`.
`at`: seconds since the epoch. When the disk can't be read just now the answer is an error -32050, `data.reason`
`historyUnreadable`: that is no gap, ask again."""
EVENTS_FOLLOW = "codexd/events/follow"
"""`{threadId?, after?}` → `{last, gap?}`; then every event after `after`, past and future, in order, each as the notification it
was, with its number as the top-level member `seq` and, as far as it is history (up to `last`), its time as `at`. What the
client was sent before this answer counts as not sent. From then on it is sent each event once, whether it follows the
thread, is subscribed to it, or both. It gets codexd's own `warning`s to all (`threadId` null), too, without a number. Holds
until the connection ends. Of a request of Codex it gets `SERVER_REQUEST`. Without `after`: from now on, and of a thread in
the middle of a turn from the beginning of that turn."""
SERVER_REQUEST = "codexd/serverRequest"
"""The event that Codex has asked something: `{id, threadId, method, params}`, with the `id` under which codexd asks clients.
Its end is the event `serverRequest/resolved`. Only those who follow events are sent it."""
STOP = "codexd/stop"
"""`{drainSeconds?}` → `{turns: [{threadId, turnId}]}`: ends codexd, as SIGTERM does. Before that it waits for the running turns,
which it answers with, for at most `drainSeconds` (0 or missing: not at all), and refuses requests that would begin another.
Asked again, it waits no longer than it is told to then."""
CODEX_START = "codexd/codex/start"
"""`{}` → `{}`: tries again when Codex was left down after it died too often; does nothing in any other state."""

CODEX_EXITED = "codexd/codex/exited"
"""Notification `{pid, reason}` to clients that said `capabilities.codexd` in `initialize`, those of a stand-in apart (they
said `cwd` or `config`, and no `seq`)."""
CODEX_READY = "codexd/codex/ready"
"""Notification `{pid}` to the same."""

PREFIX = "codexd/"
