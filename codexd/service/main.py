"""The program `codexd`."""

import sys
from collections.abc import Sequence

from codexd.protocol.program import begin


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command, by default the one of this process; returns its exit code."""
    notes = begin("codexd") if argv is None else ()
    from codexd.service.command import run_command

    return run_command(sys.argv[1:] if argv is None else argv, notes)


if __name__ == "__main__":
    sys.exit(main())
