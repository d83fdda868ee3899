"""How `codexd start`, or a restart, hands on the options that may hold secrets: over stdin, as everybody can read a command line."""

import json
import os
from collections.abc import Sequence
from typing import IO

from codexd.service.errors import UsageError

FLAG = "--options-on-stdin"
_PRIVATE = "--codex-config="


def shown(arguments: Sequence[str]) -> list[str]:
    """The options that may stand on the command line, and whether others follow on stdin."""
    public = [argument for argument in arguments if not argument.startswith(_PRIVATE)]
    return public if len(public) == len(arguments) else [*public, FLAG]


def names(arguments: Sequence[str]) -> list[str]:
    """The options as an error can show them: what a setting of Codex is set to may be a secret."""
    return [
        f"{_PRIVATE}{argument.removeprefix(_PRIVATE).partition('=')[0]}=…"
        if argument.startswith(_PRIVATE)
        else argument
        for argument in arguments
    ]


def handed(arguments: Sequence[str]) -> IO[bytes]:
    """What stdin has to be for the others: a file without a name that is read from its beginning. Raises `OSError`."""
    private = [argument for argument in arguments if argument.startswith(_PRIVATE)]
    if not private:
        return open(os.devnull, "rb")
    file = os.fdopen(os.memfd_create("options"), "w+b")
    file.write(json.dumps(private).encode())
    file.seek(0)
    return file


def completed(argv: Sequence[str]) -> list[str]:
    """The command line with the options that were handed over, in the process that got them. stdin is empty from then on."""
    if FLAG not in argv:
        return list(argv)
    with open(0, "rb", closefd=False) as stdin, open(os.devnull, "rb") as nothing:
        said = stdin.read()
        os.dup2(nothing.fileno(), 0)
    try:
        private = list(map(str, json.loads(said)))
    except (ValueError, TypeError):
        raise UsageError(f"{FLAG} is for codexd start, and nothing that it says is on stdin") from None
    return [*(argument for argument in argv if argument != FLAG), *private]
