"""Reaching codexd: at which socket, started where nobody listens, and whether it is the one that is meant."""

import os
import socket
import sys
import time

from codexctl.unix_socket import connected
from codexd.protocol.errors import Unavailable
from codexd.protocol.running import Holder, ask_to_listen, home_lock, running, socket_lock
from codexd.protocol.socket_path import codex_home, socket_path
from codexd.protocol.visible import plain

Reached = tuple[socket.socket, str, bool]
"""A connection; the socket it is to; whether the user chose this very socket, so that any CODEX_HOME behind it is right."""

LISTEN_SECONDS = 5.0
"""How long a codexd that was asked to make its socket anew is waited for. It takes milliseconds."""
_GLANCE_SECONDS = 0.02


def reach(path: str | None, *, start: bool) -> Reached:
    """Connects; starts codexd where none runs, unless `start` is false. `path`: as given with `--socket`.

    Without `path`, the codexd that runs for this CODEX_HOME is found wherever it listens, whatever the environment says;
    a socket that CODEXD_SOCKET names comes first where CODEX_HOME is not set. A codexd that runs and whose socket is
    gone is asked to make it anew.

    Raises:
        Unavailable: there is none, or it cannot be started or reached.
    """
    named = bool(path or os.environ.get("CODEXD_SOCKET")) and not os.environ.get("CODEX_HOME")
    runs = None if path else running(home_lock(codex_home(os.environ)))
    if runs is None or named:
        where = socket_path(os.environ, os.getuid(), path)
        if (connection := _reachable(where)) is not None:
            return connection, where, named
        named = named and runs is None
        runs = runs or running(socket_lock(where))
    if runs is not None and (connection := _connected_to(runs)) is not None:
        return connection, runs.socket, named
    if start:
        _check_may_start()
        from codexctl.start import start_codexd

        start_codexd(path)
        started = None if path else running(home_lock(codex_home(os.environ)))
        where = started.socket if started is not None else socket_path(os.environ, os.getuid(), path)
        if (connection := connected(where)) is not None:
            return connection, where, named
    if runs is not None:
        raise Unavailable(
            f"codexd (pid {runs.pid}) is just starting, and does not listen at {runs.socket} yet"
        )
    raise Unavailable(_in_words(f"no codexd listens at {where}; `codexd start` starts one"))


def _connected_to(runs: Holder) -> socket.socket | None:
    """A connection to the codexd that runs; None while it is just starting.

    Raises:
        Unavailable: it has no socket, and does not make it anew.
    """
    connection = _reachable(runs.socket)
    if connection is not None or not runs.pid:
        return connection
    own = home_lock(runs.codex_home)
    newer = running(own)
    if newer is not None and newer.pid == runs.pid and not newer.is_listening:
        return None
    if runs.machine not in ("", os.uname().nodename):
        raise Unavailable(
            f"codexd runs for CODEX_HOME {runs.codex_home} on the machine {runs.machine} (pid {runs.pid}), "
            "and is out of reach from here"
        )
    if not any(ask_to_listen(lock) for lock in (own, socket_lock(runs.socket))):
        return _waited_for(runs, 0.5)
    _say(f"the socket {runs.socket} of codexd (pid {runs.pid}) is gone; it was asked to make it anew")
    return _waited_for(runs, LISTEN_SECONDS)


def _waited_for(runs: Holder, seconds: float) -> socket.socket | None:
    """A connection; None when the codexd has ended meanwhile. Raises `Unavailable` when it still has no socket."""
    deadline = time.monotonic() + seconds
    while True:
        connection = connected(runs.socket)
        if connection is not None:
            return connection
        if running(home_lock(runs.codex_home)) is None and running(socket_lock(runs.socket)) is None:
            return None
        if time.monotonic() >= deadline:
            raise Unavailable(
                f"codexd runs (pid {runs.pid}), and its socket {runs.socket} is gone; why it is not made anew is in: "
                "codexd logs; `codexd restart` ends it and starts another"
            )
        time.sleep(_GLANCE_SECONDS)


def _say(what: str) -> None:
    print(f"codexctl: {plain(what)}", file=sys.stderr, flush=True)


def _reachable(where: str) -> socket.socket | None:
    """A connection, or None where nobody listens."""
    try:
        return connected(where)
    except Unavailable as unavailable:
        raise Unavailable(_in_words(str(unavailable))) from unavailable


def _check_may_start() -> None:
    from codexd.protocol.sandbox import why_not_to_start  # late: who finds a codexd has no use for it

    if (sentence := why_not_to_start(os.environ, codex_home(os.environ))) is not None:
        raise Unavailable(sentence)


def _in_words(problem: str) -> str:
    """The problem, and that it is one of Codex's sandbox, if it is run there: that withholds sockets and directories."""
    from codexd.protocol.sandbox import is_sandbox

    where = (
        "this is a command in Codex's sandbox, which codexd does not serve: "
        if is_sandbox(os.environ)
        else ""
    )
    return where + problem


def check_home(path: str, served: str | None, *, named: bool) -> None:
    """Raises `Unavailable` when the codexd at `path` serves another CODEX_HOME than the one that is meant."""
    meant = codex_home(os.environ)
    if served is None or named or os.path.realpath(served) == meant:
        return
    raise Unavailable(
        f"the codexd at {path} serves CODEX_HOME {served}, and yours is {meant}; "
        "name its socket with --socket PATH and leave CODEX_HOME unset to use it all the same"
    )
