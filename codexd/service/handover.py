"""A restart that was asked for below the very codexd that it ends, by a command of its Codex: an agent's, say.

Such a command ends with its Codex, between the stop and the start. So another process does the restart: in a session of
its own, and no child of that command any more, which makes it one that has left Codex (docs/processes.md).
"""

import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from codexd.protocol.own_command import own_command
from codexd.protocol.running import Holder
from codexd.protocol.sandbox import MARK_VARIABLE
from codexd.service import log_file, options_on_stdin
from codexd.service.arguments import DRAIN_SECONDS
from codexd.service.errors import ServiceError
from codexd.service.instance import Instance

PARTING_SECONDS = 60.0
"""How long the command that has asked may take to end; it has nothing left to do."""
NO_OTHER_DRAIN = (
    f"a command of Codex can restart codexd only with a wait of {DRAIN_SECONDS:g} seconds for running turns; leave out "
    "--drain and --now, or do it from a shell of your own"
)
"""codexd does as its signal to end says, because it takes no requests from what Codex runs (the setting `inside`)."""
_GLANCE_SECONDS = 0.01
_WHICH = ("CODEX_HOME", "CODEXD_SOCKET", "CODEXD_CONFIG")
"""The variables that say which codexd a command means."""


def is_below(runner: Holder) -> bool:
    """Whether this process descends from that codexd. Orphans of its Codex do, where codexd takes them in."""
    if runner.machine not in ("", os.uname().nodename):
        return False
    import psutil  # late: 23 ms

    return any(above.pid == runner.pid for above in psutil.Process().parents())


def hand_over(instance: Instance, runner: Holder) -> Path:
    """Starts a process that restarts codexd as soon as this one has ended; returns the log in which it says how that went.

    Raises:
        CannotServe: the log cannot be written.
    """
    log = log_file.path_of(instance.settings, instance.environ)
    output = log_file.open_for_start(log)
    try:
        with options_on_stdin.handed(instance.arguments) as stdin:
            child = subprocess.Popen(
                [
                    *(*own_command(), "restart", f"--after={os.getpid()}"),
                    *options_on_stdin.shown(instance.arguments),
                ],
                stdin=stdin,
                stdout=output,
                stderr=output,
                env=_environment(runner, instance.environ),
                cwd=os.path.expanduser("~"),
                start_new_session=True,
            )
    finally:
        os.close(output)
    child.returncode = 0  # Popen complains of a child that is left running, and here that is the point
    return log


def wait_until_left(parent: int) -> None:
    """Returns when this process is no child of that one any more, so that it is not ended with what is Codex's.

    Raises:
        ServiceError: the parent is still there `PARTING_SECONDS` later. Nothing was stopped.
    """
    deadline = time.monotonic() + PARTING_SECONDS
    while os.getppid() == parent:
        if time.monotonic() >= deadline:
            raise ServiceError(
                f"not restarted: the command that has asked for it (pid {parent}) does not end; "
                "do it from a shell of your own: codexd restart"
            )
        time.sleep(_GLANCE_SECONDS)


def _environment(runner: Holder, environ: Mapping[str, str]) -> dict[str, str]:
    """That of the codexd that runs: Codex adds variables to the environment of its commands, and may take some away."""
    import psutil

    try:
        own: Mapping[str, str] = psutil.Process(runner.pid).environ()
    except psutil.Error:
        own = environ
    which = {name: environ[name] for name in _WHICH if name in environ}
    return {name: value for name, value in {**own, **which}.items() if name != MARK_VARIABLE}
