"""The program `codexd-codex`: stands in for the `codex` binary, for programs that take a path to it.

`app-server` on stdin and stdout becomes a client of codexd; everything else becomes the real Codex.
"""

import os
import sys
from collections.abc import MutableMapping, Sequence

from codexd import __version__
from codexd.protocol import stand_in
from codexd.protocol.own_command import REAL_CODEX, own_command
from codexd.protocol.program import begin
from codexd.protocol.socket_path import without_ignored
from codexd.protocol.visible import plain


def main(argv: Sequence[str] | None = None) -> int:
    """Runs as `codex` with these arguments; returns the exit code, unless it has become the real one.

    Asked by codexd who it is, it says so, whatever the arguments: a script that starts it may add some of its own, and
    were it to look for the real Codex then, it would ask that script again, without end.
    """
    notes = begin(stand_in.NAME) if argv is None else ()
    words = sys.argv[1:] if argv is None else argv
    if os.environ.get(stand_in.QUESTION) == "1":
        print(stand_in.NAME, __version__)
        return 0
    from codexctl import app_server_line, stdio
    from codexctl.endings import ended

    leave_codex_path(os.environ, sys.argv[0])
    line = app_server_line.read(words)
    if line is not None and (ignored := without_ignored(os.environ, os.getuid())) is not None:
        notes = (*notes, ignored)
    for note in notes:
        print(plain(f"{stand_in.NAME}: {note}"), file=sys.stderr)
    if line is None:
        return become_codex(words)
    return ended(stand_in.NAME, lambda: stdio.serve(stand_in.NAME, line, None, start=True))


def leave_codex_path(environ: MutableMapping[str, str], program: str) -> None:
    """Takes this program out of CODEX_PATH, where it is named so that others find it: a codexd would ask it for a Codex."""
    named = environ.get("CODEX_PATH")
    if not named:
        return
    found = named if "/" in named else _on_path(named, environ)
    if found and os.path.exists(found) and os.path.exists(program) and os.path.samefile(found, program):
        del environ["CODEX_PATH"]


def become_codex(words: Sequence[str]) -> int:
    """Replaces this process; codexd's half of this installation knows where the real Codex is."""
    sys.stdout.flush()
    sys.stderr.flush()
    command = own_command(REAL_CODEX)
    os.execv(command[0], [*command, *words])


def _on_path(name: str, environ: MutableMapping[str, str]) -> str | None:
    from shutil import which

    return which(name, path=environ.get("PATH", os.defpath))


if __name__ == "__main__":
    sys.exit(main())
