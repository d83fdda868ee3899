"""Starting a codexd that outlives its terminal, and hearing from it how that went.

It says READY to its starter as it would to a service manager, over a socket that it inherits: no directory for temporary
files is needed. Its own session keeps the terminal's end from it; its exit before READY is noticed by its exit status,
and why by the STATUS that it sent before.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from codexd.protocol.own_command import NOTIFY_DESCRIPTOR, SERVICE_MANAGER_VARIABLES, own_command
from codexd.service import options_on_stdin
from codexd.service.errors import CannotServe, ServiceError
from codexd.service.log_file import open_for_start

_GLANCE_SECONDS = 0.1  # how long an exit may go unnoticed
_LAST_WORDS_BYTES = 2000


class StartFailed(ServiceError):
    """The codexd that was started ended before it was ready; the message is why, `exit_code` its own.

    `was_stopped`: somebody told it to end, as another `codexd stop` does.
    """

    def __init__(self, message: str, exit_code: int, *, was_stopped: bool = False) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.was_stopped = was_stopped


def launch(arguments: Sequence[str], log: Path, environ: Mapping[str, str], seconds: float) -> None:
    """Starts `codexd run ARGUMENTS` on its own; returns when it has said READY.

    Raises:
        StartFailed: it ended before that.
        CannotServe: it was not ready in time, and is left to go on; or the log file cannot be written.
    """
    output = open_for_start(log)
    try:
        size = os.fstat(output).st_size
        heard, said = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        with heard, said, options_on_stdin.handed(arguments) as stdin:
            heard.settimeout(_GLANCE_SECONDS)
            child = subprocess.Popen(
                [*own_command(), "run", "--detached", *options_on_stdin.shown(arguments)],
                stdin=stdin,
                stdout=output,
                stderr=output,
                env=_environment(environ, said.fileno()),
                pass_fds=[said.fileno()],
                cwd=os.path.expanduser("~"),
                start_new_session=True,
            )
            try:
                status = _await_ready(child, heard, time.monotonic() + seconds)
            finally:
                code = child.returncode
                child.returncode = (
                    0  # Popen complains of a child that is left running, and here that is the point
                )
    finally:
        os.close(output)
    if code is None:
        return
    sentence = status or f"codexd ended with status {code} and said {_last_words(log, size) or 'nothing'}"
    # A death by a signal has no exit code that anybody could pass on.
    was_stopped = code in (0, -signal.SIGTERM)
    raise StartFailed(sentence, code if code > 0 else CannotServe.exit_code, was_stopped=was_stopped)


def _environment(environ: Mapping[str, str], descriptor: int) -> dict[str, str]:
    own = {name: value for name, value in environ.items() if name not in SERVICE_MANAGER_VARIABLES}
    return own | {NOTIFY_DESCRIPTOR: str(descriptor)}


def _await_ready(child: subprocess.Popen[bytes], heard: socket.socket, deadline: float) -> str:
    """The last STATUS, once the child is ready or has ended (then its `returncode` is set)."""
    status = ""
    while True:
        ended = child.poll() is not None
        try:
            message = heard.recv(65536).decode(errors="replace")
        except TimeoutError:
            # What it said before it ended has been heard by now: the messages of the dead are in the queue.
            if ended:
                return status
            if time.monotonic() >= deadline:
                raise CannotServe(
                    f"codexd (pid {child.pid}) was started and is not ready after a long wait; see: codexd logs"
                ) from None
            continue
        said = dict(line.partition("=")[::2] for line in message.splitlines())
        status = said.get("STATUS", status)
        if said.get("READY") == "1":
            return status


def _last_words(log: Path, size: int) -> str:
    """The last line of what it wrote since it was started: a traceback ends with what matters."""
    with log.open("rb") as file:
        file.seek(size)
        lines = file.read()[-_LAST_WORDS_BYTES:].decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
