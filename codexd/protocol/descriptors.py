"""stdin, stdout and stderr: closed at the start, as with `<&-`, on a disk that is full, or with no reader any more.

Each of them costs only what would have gone there. What is lost of stdout is an error of the command (`OutputLost`);
what is lost of stderr is not.
"""

import io
import os
import select
import sys

from codexd.protocol.errors import CodexdError

TYPE_CHECKING = False  # `typing` itself would be a tenth of a command's start
if TYPE_CHECKING:
    from typing import Any

STDIN, STDOUT, STDERR = 0, 1, 2


class OutputLost(CodexdError):
    """stdout could not be written to. Raised once; what is written later is dropped."""


class ReaderGone(OutputLost):
    """Whoever read stdout has closed it, as `head` does when it has read enough."""


class _Stdout(io.FileIO):
    """What is left of a whole output after it failed once is of no use, and must not fail again at the interpreter's end."""

    _is_lost = False

    def write(self, data: "Any") -> int:
        if self._is_lost:
            return len(data)
        try:
            # None: whoever shares the other end has made it non-blocking.
            while (written := super().write(data)) is None:
                select.select((), (STDOUT,), ())
        except BrokenPipeError:
            self._is_lost = True
            raise ReaderGone("nobody reads stdout any more") from None
        except OSError as error:
            self._is_lost = True
            raise OutputLost(f"stdout cannot be written to: {error.strerror}") from None
        return written


class _Stderr(io.FileIO):
    """What cannot be written here is dropped."""

    def write(self, data: "Any") -> int:
        try:
            super().write(data)
        except OSError:
            pass
        return len(data)


def open_missing() -> None:
    """Opens /dev/null in place of what is closed, as Codex does: else the next file or socket would get its number.

    What this program becomes or starts inherits them.
    """
    for descriptor in (STDIN, STDOUT, STDERR):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets this number: the lowest that is free
            os.set_inheritable(descriptor, True)


def guard_streams() -> None:
    """Gives `sys.stdin`, `sys.stdout` and `sys.stderr` the manners that this module describes.

    Python has None where nothing was open, and prints on stdout what was meant for a stderr that is None.
    """
    open_missing()
    sys.stdin = sys.stdin or open(STDIN, closefd=False)  # noqa: SIM115
    sys.stdout = _text(_Stdout(STDOUT, "w", closefd=False), sys.stdout)
    sys.stderr = _text(_Stderr(STDERR, "w", closefd=False), sys.stderr)


def _text(raw: io.FileIO, before: object) -> io.TextIOWrapper:
    """A stream of text that has no trouble with a character that its encoding lacks."""
    unbuffered = isinstance(before, io.TextIOWrapper) and before.write_through
    encoding = before.encoding if isinstance(before, io.TextIOWrapper) else None
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=encoding,
        errors="backslashreplace",
        line_buffering=raw.fileno() == STDERR or raw.isatty(),
        write_through=unbuffered,
    )


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
