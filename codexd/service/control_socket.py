"""Codex's own control socket: while codexd listens there, plain `codex` attaches to it without a flag.

So do `codex agents`, `codex resume` and `codex queue`. What Codex does there (tried on 0.169): a server of its own makes
the path a link to a socket in `/tmp/codex-daemon-UID`, which a killed one leaves behind; it replaces what nobody
listens on, and gives way to who listens, whatever kind of socket that is. Meanwhile it holds `flock` on
`app-server-startup.lock` beside it. Who attaches connects to the path as it stands, so the path has to fit into a
socket's address.
"""

import os
import socket
from pathlib import Path

from codexd.protocol.socket_path import MAX_SOCKET_PATH_BYTES
from codexd.service import locks, sockets
from codexd.service.sockets import Occupant, OwnSocket, SocketRefused

STARTUP_SECONDS = 5.0
"""How long a server of Codex that is just starting is waited for: it holds its lock for some ten milliseconds."""

_WAY_OUT = "or leave out --control-socket (setting control_socket)"


def path_in(codex_home: Path) -> Path:
    """Where the control socket of this CODEX_HOME is."""
    return codex_home / "app-server-control" / "app-server-control.sock"


def listening(codex_home: Path) -> OwnSocket:
    """A listening socket at the control socket's path.

    Raises:
        CannotServe: another server listens there, or the path cannot be had; the message is why, and the way out.
    """
    return OwnSocket(path_in(codex_home), _listener)


def _listener(path: Path) -> socket.socket:
    check_length(path)
    sockets.make_private_directory(path.parent)
    startup_lock = path.with_name("app-server-startup.lock")
    with locks.waited_for(startup_lock, STARTUP_SECONDS, "a server of Codex that is just starting"):
        _make_room(path)
        return sockets.bound(path)


def check_length(path: Path) -> None:
    """Whether clients can connect to the path.

    Raises:
        SocketRefused: it is too long for a socket's address.
    """
    length = len(os.fsencode(path))
    if length > MAX_SOCKET_PATH_BYTES:
        raise SocketRefused(
            f"Codex's control socket {path} has a path of {length} bytes, and a socket's address holds "
            f"{MAX_SOCKET_PATH_BYTES}; choose a CODEX_HOME with a shorter path, {_WAY_OUT}"
        )


def occupant(path: Path) -> tuple[Occupant, int | None]:
    """What is at the control socket, and who listens, as `sockets.occupant`; a link of Codex's is followed.

    A link that leads nowhere, or to a socket that nobody listens on, is as stale as a socket.
    """
    found, pid = sockets.occupant(path)
    if found is not Occupant.LINK:
        return found, pid
    found, pid = sockets.occupant(Path(os.path.realpath(path)))
    return (Occupant.STALE if found is Occupant.NOTHING else found), pid


def refusal(path: Path, found: Occupant, pid: int | None) -> str:
    """Why codexd cannot listen there, and the ways out."""
    if found is not Occupant.LIVE:
        return f"Codex's control socket {path} is {found.value}; remove it, {_WAY_OUT}"
    who, kill = (f" (pid {pid})", f" (or: kill {pid})") if pid else ("", "")
    return (
        f"another server{who} listens at Codex's control socket {path}; "
        f"end it with: codex app-server daemon stop{kill}, {_WAY_OUT}"
    )


def check_free(path: Path, own_pid: int | None = None) -> Occupant:
    """As `sockets.check_free`, for the control socket."""
    found, pid = occupant(path)
    if found in (Occupant.NOTHING, Occupant.STALE) or (pid is not None and pid == own_pid):
        return found
    raise SocketRefused(refusal(path, found, pid))


def _make_room(path: Path) -> None:
    if check_free(path) is Occupant.STALE:
        path.unlink(missing_ok=True)
