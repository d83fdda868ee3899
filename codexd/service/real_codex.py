"""`codexd-codex` becoming the Codex that codexd would start: `python -m codexd.service.real_codex ARGUMENTS`.

It becomes what was named or found and not the binary behind it: npm's wrapper tells its Codex how it was installed.
"""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from codexd.protocol import stand_in
from codexd.protocol.errors import Unavailable
from codexd.protocol.visible import plain
from codexd.service import settings
from codexd.service.discovery import Finder
from codexd.service.errors import UNAVAILABLE_EXIT_CODE, ServiceError


def main(argv: Sequence[str] | None = None) -> int:
    """Replaces this process; returns an exit code when there is no Codex, or none that can be run."""
    words = sys.argv[1:] if argv is None else argv
    try:
        codex = Finder(settings.load({}, os.environ).codex, os.environ).find()
    except ServiceError as error:
        return _fail(error, error.exit_code)
    except Unavailable as error:
        return _fail(error, UNAVAILABLE_EXIT_CODE)
    return _become(codex.found_as if os.access(codex.found_as, os.X_OK) else codex.binary, words)


def _become(program: Path, words: Sequence[str]) -> NoReturn:
    # Python ignores these two; a program that is replaced hands on what it ignores.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    os.execv(program, [str(program), *words])


def _fail(error: Exception, code: int) -> int:
    print(plain(f"{stand_in.NAME}: {error}"), file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
