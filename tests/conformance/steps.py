"""What a script is made of. Steps are data; ``player`` carries them out.

A string in params may hold ``$name``: a directory of the world (``$project``, ``$home``, ``$outside``) or what an
earlier step has saved. A step whose method the Codex at hand does not know is sent all the same, and its answer
compared; what it would save or cause is not waited for.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

Json = object


@dataclass(frozen=True)
class Note:
    """A notification that a step is known to cause, recognized by its method and some members of its params.

    A member's name may be a path: ``turn.id``. ``count``: how many of them.
    """

    method: str
    params: Mapping[str, Json] = field(default_factory=dict)
    count: int = 1


@dataclass(frozen=True)
class Ask:
    """A request of Codex that a step causes, and the answer: ``result``, or ``error`` when it has one.

    ``silent``: left open. ``then``: calls made while it is open, before it is answered.
    """

    method: str
    result: Json = None
    error: Json = None
    silent: bool = False


@dataclass(frozen=True)
class Call:
    """One request and, unless ``held``, its answer.

    ``save``: a name for a member of the result, by its path: ``{"thread": "thread.id"}``. ``until``: what has to have
    come before the next step. ``held``: a name; ``Join`` waits for the answer under it. ``id``: the id to send it with
    instead of the next number. ``good``: the answer has to be a result. ``bare``: sent without ``params``.
    """

    method: str
    params: Json = field(default_factory=dict)
    save: Mapping[str, str] = field(default_factory=dict)
    asks: tuple[Ask, ...] = ()
    until: tuple[Note, ...] = ()
    held: str = ""
    id: Json = None
    bare: bool = False


@dataclass(frozen=True)
class Join:
    """Waits for the answer of a held call, and for what else that causes."""

    held: str
    asks: tuple[Ask, ...] = ()
    until: tuple[Note, ...] = ()


@dataclass(frozen=True)
class Notify:
    """A notification of the client's."""

    method: str
    params: Json = None


@dataclass(frozen=True)
class Line:
    """A line as it is, for what no call can express. ``answered``: the id under which it is answered by Codex."""

    text: str
    answered: Json = None
    dropped: bool = False


@dataclass(frozen=True)
class Do:
    """Something beside the conversation, done to the world: see ``player.DEEDS``."""

    deed: str
    subject: str
    text: str = ""


@dataclass(frozen=True)
class Answer:
    """A request of Codex that another's step has caused, answered by this client."""

    ask: Ask


@dataclass(frozen=True)
class Wait:
    """Something that another's step has caused has to have come."""

    note: Note


@dataclass(frozen=True)
class Leave:
    """The connection is closed."""


Step = Call | Join | Notify | Line | Do | Answer | Wait | Leave


@dataclass(frozen=True)
class Session:
    """One connection from its first line on. ``capabilities`` None: the steps do the handshake themselves."""

    steps: tuple[Step, ...]
    capabilities: Mapping[str, Json] | None = field(default_factory=lambda: {"experimentalApi": True})


@dataclass(frozen=True)
class Script:
    """Sessions after each other, in a world of their own."""

    name: str
    sessions: tuple[Session, ...]


@dataclass(frozen=True)
class Together:
    """Several clients of one Codex, by their names; each step is one client's, and the next one waits for it.

    ``needs``: a method without which there is nothing to compare. ``plain``: the clients without `experimentalApi`.
    """

    name: str
    clients: tuple[str, ...]
    steps: tuple[tuple[str, Step], ...]
    needs: str = "initialize"
    plain: frozenset[str] = frozenset()


def script(name: str, *steps: Step) -> Script:
    """A script of one session with the usual handshake."""
    return Script(name, (Session(steps),))


def turn(thread: str, prompt: str, *asks: Ask, until: tuple[Note, ...] = (), **params: Json) -> Call:
    """A turn of the scripted model, to its end. ``thread`` is the name that the thread's id is saved under."""
    return Call(
        "turn/start",
        {"threadId": f"${thread}", "input": [{"type": "text", "text": prompt}], **params},
        save={"turn": "turn.id"},
        asks=asks,
        until=(Note("turn/completed", {"turn.id": "$turn"}), *until),
    )


def thread(name: str = "thread", **params: Json) -> Call:
    """A new thread in the project, with its MCP server started."""
    return Call(
        "thread/start",
        {"cwd": "$project", **params},
        save={name: "thread.id"},
        until=(
            Note("thread/started", {"thread.id": f"${name}"}),
            Note("mcpServer/startupStatus/updated", {"threadId": f"${name}", "status": "ready"}),
        ),
    )
