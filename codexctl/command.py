"""One command: reads the command line and runs the verb."""

import importlib
import sys
from collections.abc import Callable, Sequence

from codexctl.arguments import parse
from codexctl.endings import ended
from codexctl.exits import Exit
from codexd.protocol.visible import plain


def run_command(argv: Sequence[str], notes: Sequence[str] = ()) -> int:
    """Runs one command; returns its exit code (`codexctl --help` lists them).

    `notes`: what the user should know of the environment.
    """
    for note in notes:
        print(plain(f"codexctl: {note}"), file=sys.stderr)
    return ended("codexctl", lambda: _run(argv))


def _run(argv: Sequence[str]) -> Exit:
    arguments = parse(argv)
    module, _, name = arguments.run.partition(":")

    def run() -> Exit:
        verb: Callable[..., Exit] = getattr(importlib.import_module(f"codexctl.{module}"), name)
        return verb(arguments)

    return ended("codexctl", run, arguments.socket)
