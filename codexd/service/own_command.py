"""How codexd starts codexd: the one command that means this installation wherever it is run from."""

import sys


def own_command() -> list[str]:
    """The program and its first arguments; codexd's own follow.

    `-P`: the daemon starts in the home directory, and a directory `codexd` there must not be taken for this package.
    """
    return [sys.executable, "-P", "-m", "codexd"]
