"""A terminal of one's own for a program under test: what it shows, and keys for it."""

import fcntl
import os
import re
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable

from tests.e2e.harness_client import PATIENCE_S

ENTER = "\r"
CTRL_C = "\x03"
CTRL_D = "\x04"
UP = "\x1b[A"

_ESCAPES = re.compile(rb"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[@-Z\\-_=>]|[()][0-9A-Za-z])")


class Terminal:
    """The near side of a pseudo-terminal whose far side is ``tty``, to be the stdin, stdout and stderr of a program.

    ``raw`` is every byte the program wrote, ``text`` the same without escape sequences and carriage returns.
    Ctrl-C typed here becomes SIGINT for the program as at a desk, when the terminal is its controlling one:
    ``World.terminal`` sees to that.
    """

    def __init__(self, rows: int = 40, columns: int = 120) -> None:
        self._near, self.tty = os.openpty()
        self.raw = b""
        self._ended = False
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, name="test terminal", daemon=True)
        self.process: subprocess.Popen[bytes] | None = None
        self.resize(rows, columns)

    def attach(self, start: Callable[[int], subprocess.Popen[bytes]]) -> None:
        """Starts the program on the far side, which then belongs to it alone."""
        self.process = start(self.tty)
        os.close(self.tty)
        self._reader.start()

    @property
    def text(self) -> str:
        return _ESCAPES.sub(b"", self.raw).replace(b"\r", b"").decode(errors="replace")

    def mark(self) -> int:
        """Where the text that comes from now on will begin. Meant for ``since`` of ``wait_text``."""
        with self._changed:
            return len(self.text)

    def type(self, text: str) -> None:
        """Presses the keys of ``text``; ``ENTER`` and the like are constants of this module."""
        os.write(self._near, text.encode())

    def wait_text(self, wanted: str | re.Pattern[str], *, since: int = 0, timeout: float = PATIENCE_S) -> str:
        """Waits until the text from ``since`` on has ``wanted``; that text. AssertionError when it never will."""
        pattern = re.compile(re.escape(wanted)) if isinstance(wanted, str) else wanted
        deadline = time.monotonic() + timeout
        with self._changed:
            while not pattern.search(self.text, since):
                if self._ended or not self._changed.wait(deadline - time.monotonic()):
                    why = "the program ended" if self._ended else f"{timeout} s passed"
                    raise AssertionError(f"{why} without {wanted!r}; the terminal shows\n{self.text[since:]}")
            return self.text[since:]

    def wait_exit(self, timeout: float = PATIENCE_S) -> int:
        """The exit code of the program, when it has ended and all that it wrote is in ``text``."""
        assert self.process
        code = self.process.wait(timeout)
        self._reader.join(timeout)
        return code

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._near, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def close(self) -> None:
        """Hangs up. To be called when the program has ended."""
        self._reader.join(PATIENCE_S)
        os.close(self._near)

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._near, 65536)
            except OSError:  # EIO: the last process has closed the far side (Linux)
                data = b""
            with self._changed:
                self.raw += data
                self._ended = not data
                self._changed.notify_all()
            if not data:
                return
