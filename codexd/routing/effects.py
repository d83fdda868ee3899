"""What the core wants done. The broker carries effects out in the order in which they are returned.

An effect names all its recipients. Lines carry no line feed; the transport adds what its framing needs.
"""

from msgspec import Struct

from codexd.protocol.bulk import Bulk
from codexd.protocol.messages import Message
from codexd.routing.events import Event, Gap, Selection, View

ClientId = int


class ToClients(Struct, frozen=True):
    """Queue one line for each of these clients: the same bytes for all of them."""

    clients: tuple[ClientId, ...]
    line: bytes


class Numbered(Struct, frozen=True):
    """Keep an event in the timeline, and queue it for these clients: for some as it is, for some with its number."""

    event: Event
    clients: tuple[ClientId, ...]
    with_number: tuple[ClientId, ...]


class ViewChanged(Struct, frozen=True):
    """What this client is sent of the events that come from now on, should it be sent them late."""

    client: ClientId
    view: View


class Replay(Struct, frozen=True):
    """Queue for a client what is selected of the events from `first` to `last`, read from the timeline."""

    client: ClientId
    first: int
    last: int
    selection: Selection
    gap: Gap | None = None


class ReadEvents(Struct, frozen=True):
    """Read at most `limit` events after the number `after`, up to `last`; report them with `events_read(number)`.

    When the client has taken what is queued for it: who reads much waits for itself.
    """

    client: ClientId
    number: int
    thread: str | None
    after: int
    last: int
    limit: int


class ForgetThread(Struct, frozen=True):
    """Delete all events of this thread from the timeline."""

    thread: str


class ToCodex(Struct, frozen=True):
    """Write one line to Codex's stdin, with the bulk of a long one back in it."""

    line: bytes
    bulk: Bulk | None = None


class Observed(Struct, frozen=True):
    """What Codex has sent, for the observability log; `at` in seconds since the epoch.

    `seq`: the number that it was given, `None` when it was not numbered on the spot. `method`: what it answers, where
    codexd has asked that. `message`: the line as it was read; `None` for one that is no message, or that nobody read.
    """

    line: bytes
    at: float
    seq: int | None = None
    method: str | None = None
    message: Message | None = None


class PauseReading(Struct, frozen=True):
    """Take nothing more from this client until `ResumeReading`: its own queue is full."""

    client: ClientId


class ResumeReading(Struct, frozen=True):
    """Read from this client again."""

    client: ClientId


class StartCodex(Struct, frozen=True):
    """Spawn a Codex and report it with `codex_spawned`, or with `codex_exited` when it cannot be had."""

    incarnation: int


class StopCodex(Struct, frozen=True):
    """End this Codex: close its stdin, then harder means; or `at_once`, by the hardest, because it hears no other.

    Its end is reported with `codex_exited`.
    """

    incarnation: int
    at_once: bool = False


class Stop(Struct, frozen=True):
    """Somebody asks codexd to end, after it has waited for running turns for at most `drain` seconds."""

    drain: float


class Log(Struct, frozen=True):
    """Something for the log. Never holds params, results or prompts. `error`: its traceback is logged, too."""

    level: int
    message: str
    error: Exception | None = None


Effect = (
    ToClients
    | Numbered
    | ViewChanged
    | Replay
    | ReadEvents
    | ForgetThread
    | ToCodex
    | Observed
    | PauseReading
    | ResumeReading
    | StartCodex
    | StopCodex
    | Stop
    | Log
)
