"""The words that the simulated parties and the oracle share: what was asked, written and said.

Lines are made from templates with gaps for the id and for a client's handle, so that what must come out can be
compared to the byte with what went in, without codexd's own parser.
"""

import json
from enum import Enum, auto
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

ID = b"\x00"
"""The gap in a template where the id stands."""
NAMED = b"\x02"
"""The gap in a template where the id of another request stands, in the params."""
ADDITIONAL = b'"additionalPermissions":{"network":{"enabled":true}}'
"""A member of a command's approval that is for clients with `experimentalApi` alone."""
HANDLE = b"\x01"
"""The gap in a template where a handle stands, without its quotes."""

GATED = frozenset(
    {
        "process/exited",
        "process/outputDelta",
        "thread/settings/updated",
        "thread/queue/changed",
        "project/changed",
        "thread/search/partial",
    }
)
"""Some notifications for clients with `experimentalApi` alone."""
ENDED_BY = {
    "thread/sample": "thread/sample/cancel",
    "thread/search/stream": "thread/search/stream/cancel",
}
"""Requests that run until they are cancelled by their ids, and by what."""
PARTIAL = "thread/search/partial"
"""What Codex says of a search under way: it names the request."""
NEVER_RESOLVED = frozenset({"item/tool/call", "currentTime/read"})
"""The requests of a thread whose end Codex does not announce with `serverRequest/resolved` (measured)."""


ALREADY_INITIALIZED = "Already initialized"
"""Codex's words for a second `initialize` that it can read."""


class Wrong(AssertionError):
    """The Router did what it must not do, or the oracle has it wrong."""


SERVER_REQUEST = "codexd/serverRequest"
"""The event that Codex asks something, for those who follow events."""
NEVER_KEPT = frozenset({"mcpServer/oauthLogin/completed", "rawResponseItem/completed"})
"""The notifications of a thread that must not be numbered."""
STANDS_IN = "/stands/in"
"""The directory in which the process of every client stands."""
CONFIG = b'{"model":"m","a.b":1.50}'
"""The configuration of a process, as JSON."""


class Claims(Struct, frozen=True):
    """What a client says of itself in `initialize`: what it can do, and what it wants to hear.

    `humans`: it says that it has a human who approves; that counts for one with `experimental` alone. `numbers`: it wants
    those of events. `cwd` and `has_config`: it stands for a process with a directory, and with a configuration of its own (`CONFIG`).
    """

    experimental: bool = False
    humans: bool = False
    attests: bool = False
    opted_out: frozenset[str] = frozenset()
    knows_codexd: bool = False
    cwd: str | None = None
    has_config: bool = False
    numbers: bool = False

    def wants(self, method: str) -> bool:
        """Whether it is to hear of this."""
        return method not in self.opted_out and (self.experimental or method not in GATED)


NEWCOMER = Claims(experimental=True)
"""What counts for a client that has not initialized: nothing is asked of it, and as a follower it hears everything."""


def thread_id(number: int) -> str:
    """A thread's id, as Codex writes it."""
    return f"f0e1d2c3-0000-7000-8000-{number:012x}"


UNKNOWN = thread_id(0)
"""The id of a thread that never was."""


def spellings(thread: str) -> tuple[str, ...]:
    """How a client may write it."""
    return thread, thread.upper(), thread.replace("-", ""), f"{{{thread}}}", f"urn:uuid:{thread}"


class Params(Struct, rename="camel"):
    """What the simulated Codex reads in params. `s` is the serial number by which a client's request is known.

    `unreadable`: of an `initialize`, that Codex can't make sense of it.
    """

    s: int = 0
    unreadable: bool = False
    request_id: int = 0
    thread_id: str | None = None
    turn_id: str | None = None
    ephemeral: bool = False
    exclude_turns: bool = False
    include_turns: bool | None = None
    process_id: str | None = None
    process_handle: str | None = None
    watch_id: str | None = None
    session_id: str | None = None

    def __post_init__(self) -> None:
        if self.thread_id is not None:
            self.thread_id = str(UUID(self.thread_id))

    @property
    def handle(self) -> str | None:
        """The handle, whichever member it stands in."""
        return self.process_id or self.process_handle or self.watch_id or self.session_id


class Asked(Struct, eq=False):
    """A request of a client, from the moment it is sent until it is answered or the client is gone.

    `id` is the JSON text of the id. `template` is the line as it must be written to Codex. `number`: Codex's id for
    it, while it is under way; 0 while it waits. `joining`: codexd asks for the thread in its stead, `joins` how often it did. `excused`: Codex refused it once, so that its place in the order is
    no longer promised. `sent_before`: how many requests had been written when it was asked, if its asker had no
    other (else -1). `gated`: what in it is experimental, in Codex's words. `declares_tools`:
    it starts a thread with tools of the client's own. `kind`: of a login, how it is made. `named`: the id of the
    request that it is to end; `about`: that request, known when it is written first.
    """

    serial: int
    client: int
    id: bytes
    method: str
    template: bytes
    thread: str | None = None
    turn: str | None = None
    word: str | None = None
    number: int = 0
    over: bool = False
    excused: bool = False
    joining: bool = False
    joins: int = 0
    sent_before: int = -1
    gated: str = ""
    declares_tools: bool = False
    kind: str = ""
    named: bytes = b""
    about: "Asked | None" = None
    was_written: bool = False


class Written(Struct, eq=False):
    """One line that the Router wrote to Codex. `number` is 0 unless it is a request, `asked` None for codexd's own."""

    line: bytes
    number: int = 0
    method: str = ""
    params: Params | None = None
    asked: Asked | None = None
    answer_to: int = -1

    @property
    def serial(self) -> int:
        """The serial number of the client's request; 0 for one of codexd's own."""
        return self.asked.serial if self.asked is not None else 0


class Kind(Enum):
    """What a line of Codex is, and whom it concerns."""

    ANSWER = auto()
    REFUSAL = auto()
    CLOSING = auto()
    EVERYONE = auto()
    THREAD = auto()
    HANDLE = auto()
    OF_REQUEST = auto()
    CAUSED = auto()
    AUTH_URL = auto()
    SET_UP = auto()
    STARTUP = auto()
    REMOTE_STATUS = auto()
    RESOLVED = auto()
    REPLAYED_USAGE = auto()
    GOAL_SNAPSHOT = auto()
    REQUEST = auto()
    JUNK = auto()


class Said(Struct, eq=False):
    """One line of Codex, and what it means; only the oracle reads more than `line`.

    `cause`: the request that it answers, or that brought it about. `opens`: the thread to which the answer attaches
    the asker. `before`: it comes before the answer that reveals its thread. `codex_id`: of a request of Codex. `item`: how the id of
    the item that it is about stands in the line.
    """

    line: bytes
    kind: Kind
    template: bytes = b""
    method: str = ""
    cause: Written | None = None
    ok: bool = True
    opens: str | None = None
    thread: str | None = None
    turn: str | None = None
    parent: str | None = None
    ephemeral: bool = False
    handle: str | None = None
    codex_id: int = -1
    item: bytes = b""


class Envelope(Struct):
    """A line, as far as it has to be read to know what it is."""

    id: Raw | UnsetType = UNSET
    method: str | UnsetType = UNSET
    params: Raw | UnsetType = UNSET
    result: Raw | UnsetType = UNSET
    error: Raw | UnsetType = UNSET


read_envelope = msgspec.json.Decoder(Envelope).decode
_read_params = msgspec.json.Decoder(Params).decode
read_object = msgspec.json.Decoder(dict[str, Any]).decode


def written(line: bytes) -> tuple[Written, Envelope]:
    """Reads a line that was written to Codex; raises `Wrong` for one that Codex would not take."""
    try:
        envelope = read_envelope(line)
        if b"\n" in line:
            raise Wrong(f"a line feed inside a line for Codex: {line!r}")
        if envelope.method is UNSET:
            return Written(line, answer_to=_number(envelope.id)), envelope
        if envelope.id is UNSET:
            return Written(line, method=envelope.method), envelope
        params = Params()
        if envelope.params is not UNSET and bytes(envelope.params)[:1] == b"{":
            params = _read_params(envelope.params)
        return Written(line, _number(envelope.id), envelope.method, params), envelope
    except msgspec.DecodeError as error:
        raise Wrong(f"Codex could not read {line!r}: {error}") from None


def _number(raw: Raw | UnsetType) -> int:
    text = bytes(raw) if not isinstance(raw, UnsetType) else b""
    if not text.isdigit():
        raise Wrong(f"codexd's ids are whole numbers, this is {text!r}")
    return int(text)


def in_text(handle: str) -> bytes:
    """A handle as it stands inside a JSON string."""
    return json.dumps(handle, ensure_ascii=False)[1:-1].encode()


def filled(template: bytes, raw_id: bytes, handle: str | None = None) -> bytes:
    """The line of a template."""
    line = template.replace(ID, raw_id)
    return line.replace(HANDLE, in_text(handle)) if handle is not None else line
