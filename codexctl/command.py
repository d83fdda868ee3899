"""One command: reads the command line and runs the verb."""

import importlib
import io
import signal
import sys
from collections.abc import Callable, Sequence

from codexctl.arguments import parse
from codexctl.descriptors import open_missing
from codexctl.endings import ended
from codexctl.exits import Exit


def run_command(argv: Sequence[str]) -> int:
    """Runs one command; returns its exit code (`codexctl --help` lists them)."""
    open_missing()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    arguments = parse(argv)
    module, _, name = arguments.run.partition(":")

    def run() -> Exit:
        verb: Callable[..., Exit] = getattr(importlib.import_module(f"codexctl.{module}"), name)
        return verb(arguments)

    return ended("codexctl", run, arguments.socket)
