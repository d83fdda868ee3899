"""`codexctl app-server`: what would spawn `codex app-server` can spawn this."""

import argparse

from codexctl import stdio
from codexctl.app_server_line import SUBCOMMAND, read
from codexctl.exits import Exit, Failure


def run(arguments: argparse.Namespace) -> Exit:
    """The verb, which takes the options of Codex's."""
    line = read([SUBCOMMAND, *arguments.codex_options])
    if line is None:
        raise Failure(
            Exit.USAGE,
            "app-server makes stdin and stdout a client of codexd, and can do nothing else; "
            "`codexd-codex` hands what it cannot do to Codex",
        )
    return stdio.serve("codexctl", line, arguments.socket, start=not arguments.no_start)
