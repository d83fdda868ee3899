"""Starting codexd where none listens."""

import os
import subprocess
import sys
import tempfile

from codexd.protocol import stand_in
from codexd.protocol.errors import Unavailable


def start_codexd(socket: str | None) -> None:
    """Runs `codexd start` and returns when codexd is ready. `socket`: as given with `--socket`.

    Raises:
        Unavailable: it did not start; the message is what it said.
    """
    argv = [*codexd_command(), "start", *(["--socket", socket] if socket else [])]
    # A file and no pipe: what it leaves running may keep stderr open, and a pipe would be waited on for ever.
    with tempfile.TemporaryFile() as said:
        code = subprocess.run(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said
        ).returncode
        said.seek(0)
        reason = said.read().decode(errors="replace").strip()
    if code != 0:
        raise Unavailable(
            reason.removeprefix("codexd: ") or f"codexd did not start (`{' '.join(argv)}` exited with {code})"
        )


def codexd_command() -> list[str]:
    """`codexd` beside this `codexctl` or `codexd-codex`, or beside this Python, else the module."""
    ours = [sys.argv[0]] if os.path.basename(sys.argv[0]) in ("codexctl", stand_in.NAME) else []
    for program in (*ours, sys.executable):
        beside = os.path.join(os.path.dirname(os.path.abspath(program)), "codexd")
        if os.path.isfile(beside) and os.access(beside, os.X_OK):
            return [beside]
    return [sys.executable, "-m", "codexd.service.main"]
