"""Reaching the codexd that runs, also when its socket has been removed under it."""

import sys
import time
from pathlib import Path

from codexd.protocol import running
from codexd.protocol.errors import Unavailable
from codexd.protocol.running import Holder
from codexd.protocol.visible import plain
from codexd.service.ask import Asker

LISTEN_SECONDS = 5.0
"""How long a codexd that was asked to make its socket anew is waited for. It takes milliseconds."""
ANSWER_SECONDS = 5.0
"""How long a codexd that listens may take for an answer of its own, in which Codex has no part."""
_GLANCE_SECONDS = 0.02


def reached(socket: Path, runner: Holder | None, seconds: float) -> Asker:
    """A connection; where nobody listens although `runner` should, that one is asked to listen, and stderr says so.

    `seconds`: as for `Asker`. Raises `Unavailable`.
    """
    try:
        return Asker(socket, seconds)
    except Unavailable as nobody:
        if runner is None or not runner.is_listening or not _ask(runner):
            raise
        print(
            plain(
                f"codexd: the socket {socket} of codexd (pid {runner.pid}) is gone; it was asked to make it anew"
            ),
            file=sys.stderr,
        )
        return _waited_for(socket, seconds, nobody)


def _ask(runner: Holder) -> bool:
    files = (running.home_lock(runner.codex_home), running.socket_lock(runner.socket))
    return any(running.ask_to_listen(file) for file in files)


def _waited_for(socket: Path, seconds: float, nobody: Unavailable) -> Asker:
    deadline = time.monotonic() + LISTEN_SECONDS
    while time.monotonic() < deadline:
        time.sleep(_GLANCE_SECONDS)
        try:
            return Asker(socket, seconds)
        except Unavailable as still:
            nobody = still
    raise Unavailable(f"{nobody}; why it was not made anew is in: codexd logs") from None
