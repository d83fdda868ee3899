"""Reaching codexd: at which socket, started where nobody listens, and whether it is the one that is meant."""

import os
import socket

from codexctl.unix_socket import connected
from codexd.protocol.errors import Unavailable
from codexd.protocol.socket_path import codex_home, socket_path

Reached = tuple[socket.socket, str, bool]
"""A connection; the socket it is to; whether the user chose this very socket, so that any CODEX_HOME behind it is right."""


def reach(path: str | None, *, start: bool) -> Reached:
    """Connects; starts codexd where none listens, unless `start` is false. `path`: as given with `--socket`.

    Raises:
        Unavailable: there is none, or it cannot be started or reached.
    """
    where = socket_path(os.environ, os.getuid(), path)
    try:
        connection = connected(where)
    except Unavailable as unavailable:
        raise Unavailable(_in_words(str(unavailable))) from unavailable
    if connection is None and start:
        _check_may_start()
        from codexctl.start import start_codexd

        start_codexd(path)
        connection = connected(where)
    if connection is None:
        raise Unavailable(_in_words(f"no codexd listens at {where}; `codexd start` starts one"))
    named = bool(path or os.environ.get("CODEXD_SOCKET")) and not os.environ.get("CODEX_HOME")
    return connection, where, named


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
