"""The program `codexctl`."""

import gc
import sys
from collections.abc import Sequence

from codexd.protocol.program import begin


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command, by default the one of this process; returns its exit code (`codexctl --help` lists them)."""
    notes: tuple[str, ...] = ()
    if argv is None:
        notes = begin("codexctl")
        # A process of a tenth of a second has no garbage, and looking for it took 5 of its 30 ms (measured).
        gc.disable()
    from codexctl.command import run_command

    code = run_command(sys.argv[1:] if argv is None else argv, notes)
    if argv is None:
        gc.freeze()  # what is left is not gone through once more at the end
    return code


if __name__ == "__main__":
    sys.exit(main())
