"""stdin, stdout and stderr as descriptors: closed at the start, as with `<&-`, or with nobody at the other end any more."""

import os
import select
import sys

STDIN, STDOUT = 0, 1


def open_missing() -> None:
    """Opens /dev/null in place of what is closed, as Codex does: else the next file or socket would get its number.

    What this program becomes or starts inherits them.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            assert os.open(os.devnull, os.O_RDWR) == descriptor, "the lowest number that is free"
            os.set_inheritable(descriptor, True)
    # Python has none where nothing was open, and prints on stdout what was meant for a stderr that is None.
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", errors="backslashreplace", closefd=False)  # noqa: SIM115


def waited(either: select.poll) -> bool:
    """Waits for one of these or for the end of who reads stdout, which is among them without any event; False for that."""
    while True:
        events = dict(either.poll())
        stdout = events.pop(STDOUT, 0)
        if stdout & (select.POLLERR | select.POLLHUP):
            return False
        if stdout:  # where this file cannot be watched
            either.unregister(STDOUT)
        if events:
            return True
