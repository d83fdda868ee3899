"""Whether this process is run by Codex, and whether in its sandbox: what programs of ours find out of themselves.

It is for good advice only. codexd does not believe a client what it says of itself (`codexd.runtime.provenance`).

Measured with Codex 0.163 and 0.171 on Linux: a command has the environment of the Codex that runs it. In the sandbox it
is in a pid namespace of its own, whose first process is `codex-linux-sandbox`, and which ends with the command.
`CODEX_SANDBOX_NETWORK_DISABLED` tells nothing: approved commands outside of the sandbox have it, too. On macOS there
are no such namespaces, and `CODEX_SANDBOX` is `seatbelt`.
"""

import os
from collections.abc import Mapping
from typing import Literal

from codexd.protocol.socket_path import home_hash, state_dir

MARK_VARIABLE = "CODEXD_MARK"
"""The environment variable that says which codexd a process comes from; its value is one for each CODEX_HOME."""
Inside = Literal["refuse", "observe", "all"]
"""What codexd does with a client that Codex itself runs (`codexd.routing.rights`)."""
_FIRST_PROCESS = b"codex-linux-sandbox"


def mark_of(environ: Mapping[str, str], codex_home: str) -> str:
    """The mark of the codexd that serves this CODEX_HOME."""
    return home_hash(os.path.join(state_dir(environ), f"home-{home_hash(codex_home)}"))


def why_not_to_start(environ: Mapping[str, str], codex_home: str) -> str | None:
    """A sentence that says why no codexd is to be started here; None where one may be."""
    if is_sandbox(environ):
        return (
            "this is a command in Codex's sandbox, and a codexd that is started here would end with it; "
            "start it from a shell of your own: codexd start"
        )
    if environ.get(MARK_VARIABLE) == mark_of(environ, codex_home):
        return (
            f"this is a command of the Codex that codexd runs ({MARK_VARIABLE} says so), which does not start codexd; "
            "do it from a shell of your own: codexd start"
        )
    return None


def is_sandbox(environ: Mapping[str, str]) -> bool:
    """Whether this process is in Codex's sandbox, as far as can be seen from here."""
    return environ.get("CODEX_SANDBOX") == "seatbelt" or _first_process_is_codexs() or _is_below_proc()


def _first_process_is_codexs() -> bool:
    name = _read("/proc/1/cmdline").partition(b"\0")[0]
    return os.path.basename(name) == _FIRST_PROCESS


def _is_below_proc() -> bool:
    """Whether our pid namespace is below the one that `/proc` shows: where no `/proc` can be mounted, Codex's sandbox
    leaves the one outside."""
    lines = _read("/proc/self/status").splitlines()
    return any(line.startswith(b"NSpid:") and len(line.split()) > 2 for line in lines)


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""
