"""How a program of ours starts another one: the one command that means this installation, wherever it is run from.

The command is isolated. `-P` keeps the current directory out of the search for modules: a checkout that a user has not
looked at may have a directory `codexd`. `-E` does that for PYTHONPATH and other variables of Python's. What is installed
for the user alone (`pip install --user`) is found, which `-I` would rule out.
"""

import os
import site
import sys

CODEXD = "codexd.service.main"
CODEXCTL = "codexctl.main"
REAL_CODEX = "codexd.service.real_codex"
NOTIFY_DESCRIPTOR = "CODEXD_NOTIFY_DESCRIPTOR"
"""The environment variable by which `codexd start` names the socket that its child inherits, to say READY over it."""
SERVICE_MANAGER_VARIABLES = (
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_PID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
)
"""What a service manager tells the one process that it starts (sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3))."""
_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def own_command(module: str = CODEXD) -> list[str]:
    """The program and its first arguments; those of the module, one of ours that has a `main`, follow.

    Where the package is in a directory that Python knows by itself it is named by its module, which stays right when Python
    or the package are updated: the units of systemd hold this command. Else, as in a checkout, `run_module` is told by its path
    where the package is.
    """
    isolated = [sys.executable, "-E", "-P"]
    if _ROOT in map(os.path.abspath, (*site.getsitepackages(), site.getusersitepackages())):
        return [*isolated, "-m", module]
    return [*isolated, os.path.join(_ROOT, "codexd", "protocol", "run_module.py"), module]
