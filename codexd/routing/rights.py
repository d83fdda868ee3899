"""What a client may do: the one place that decides it.

Whoever may open the socket is the user, and may do everything. The exception is what Codex itself runs: a command that
could talk to codexd would approve its own escalation, or run the next command without a sandbox. Such a client is
*inside*. The setting `inside` says what becomes of it: `refuse` (the default) turns it away before its first message
is read, `observe` lets it call the methods of `OBSERVABLE` and nothing else, `all` makes no difference.
"""

from msgspec import Struct

from codexd.protocol import extension
from codexd.protocol.errors import NotPermitted
from codexd.protocol.messages import Request
from codexd.protocol.sandbox import Inside

_ITSELF = "says how codexd is"
_EVENTS = "tells what has happened"
_THREADS = "reads what is stored of threads; loads none and attaches to none"
_CATALOGUES = "lists what there is to choose from"
_SETTINGS = "reads settings, which a command can read from the file as well"

OBSERVABLE = {
    "initialize": "introduces the client",
    extension.STATUS: _ITSELF,
    extension.CLIENTS_LIST: _ITSELF,
    extension.APPROVALS_LIST: "tells what is waiting, and decides nothing",
    extension.EVENTS_READ: _EVENTS,
    extension.EVENTS_FOLLOW: _EVENTS,
    "thread/list": _THREADS,
    "thread/loaded/list": _THREADS,
    "thread/read": _THREADS,
    "thread/turns/list": _THREADS,
    "thread/items/list": _THREADS,
    "thread/items/read": _THREADS,
    "thread/timeline/list": _THREADS,
    "thread/search": _THREADS,
    "thread/searchOccurrences": _THREADS,
    "thread/goal/get": _THREADS,
    "thread/queue/list": _THREADS,
    "threadSection/list": _THREADS,
    "project/list": _THREADS,
    "project/read": _THREADS,
    "model/list": _CATALOGUES,
    "modelProvider/capabilities/read": _CATALOGUES,
    "collaborationMode/list": _CATALOGUES,
    "experimentalFeature/list": _CATALOGUES,
    "permissionProfile/list": _CATALOGUES,
    "config/read": _SETTINGS,
    "configRequirements/read": _SETTINGS,
}
"""The methods of an observer, each with the reason why it is harmless. None writes, runs, approves or attaches; none reads
files or credentials, which the sandbox may withhold. The notifications of an observer are dropped, and Codex's requests
are never offered to it."""


class Peer(Struct, frozen=True):
    """The process behind a connection, as far as the system tells.

    Attributes:
        pid: None where the system does not tell, as for another pid namespace.
        inside: why it counts as run by Codex, a clause that begins with `it`; None when it is outside.
        cwd: the working directory that it had when it connected.
    """

    pid: int | None = None
    inside: str | None = None
    cwd: str | None = None


def why_refused(peer: Peer, setting: Inside) -> str | None:
    """The sentence to turn a peer away with; None when it is to be served."""
    if peer.inside is None or setting != "refuse":
        return None
    return (
        f"codexd does not serve what its own Codex runs, and this client counts as that: {peer.inside}; "
        'in codexd\'s config.toml the setting inside = "observe" lets such clients read, '
        'and inside = "all" lets them do everything'
    )


def is_observer(peer: Peer, setting: Inside) -> bool:
    """Whether the peer may only read."""
    return peer.inside is not None and setting == "observe"


def check_observer(request: Request) -> None:
    """Raises `NotPermitted` for a request that an observer may not make."""
    if request.method not in OBSERVABLE:
        raise NotPermitted(
            f"{request.method} is not permitted: this client is run by Codex and may only read; "
            'in codexd\'s config.toml the setting inside = "all" permits everything',
            request.id,
        )
