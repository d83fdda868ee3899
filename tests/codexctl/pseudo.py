"""A pseudo-terminal in this process: what a program writes to its terminal, and somebody who types."""

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import threading
import time
from collections.abc import Callable
from types import TracebackType

PATIENCE_S = 90.0


class Pseudo:
    """A terminal of 30 columns (or `width`). `input` and `output` are the program's ends."""

    def __init__(self, width: int = 30) -> None:
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, width, 0, 0))
        attributes = termios.tcgetattr(theirs)
        attributes[1] &= ~termios.OPOST  # line feeds as they are written
        termios.tcsetattr(theirs, termios.TCSANOW, attributes)
        self.input, self.output = os.fdopen(theirs, "r"), os.fdopen(os.dup(theirs), "w")
        self._seen = ""

    def written(self) -> str:
        """What came since this was last asked for."""
        self.output.write("\x00")
        self.output.flush()
        return self.expect("\x00")[:-1]

    def expect(self, text: str) -> str:
        """Waits until `text` was written; returns everything up to its end that was not returned before."""
        deadline = time.monotonic() + PATIENCE_S
        while text not in self._seen:
            left = deadline - time.monotonic()
            if left < 0 or not select.select([self.ours], [], [], left)[0]:
                raise TimeoutError(f"no {text!r} in {self._seen!r}")
            self._seen += os.read(self.ours, 65536).decode()
        before, _, self._seen = self._seen.partition(text)
        return before + text

    def type(self, text: str) -> None:
        os.write(self.ours, text.encode())

    def close(self) -> None:
        for end in (self.input, self.output):
            end.close()
        os.close(self.ours)


class Typist:
    """Somebody at the terminal, in a thread: `with Typist(script):`. What the script raises comes out at the end."""

    def __init__(self, script: Callable[[], None]) -> None:
        self._script = script
        self._raised: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            self._script()
        except (TimeoutError, AssertionError, LookupError) as error:
            self._raised = error
            for _ in range(2):  # the program at the terminal would wait for ever
                os.kill(os.getpid(), signal.SIGINT)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.join(PATIENCE_S)
        if self._raised is not None:
            raise self._raised
