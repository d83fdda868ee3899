"""Coming back to codexd when the connection was lost, in a thread: a terminal goes on meanwhile."""

import os
import threading
import time
from collections.abc import Callable
from typing import Generic, Self, TypeVar

from codexctl.client import RpcError
from codexd.protocol.errors import Code, CodexdError, Unavailable

PATIENCE_SECONDS = 30.0
"""How long is tried. A codexd that has to be started is there in less than one second, save on a machine that is busy."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 2.0

Result = TypeVar("Result")


class ComingBack(Generic[Result]):
    """Tries again and again; `fileno` becomes readable when that has succeeded, or can't any more.

    A codexd that was killed leaves its socket behind and is started again, where the command may. One that was told to end
    takes its socket away; whoever told it so may not want it back, so it is waited for.
    """

    def __init__(self, attempt: Callable[[bool], Result], path: str, *, start: bool) -> None:
        """`attempt`: connects, and starts codexd if it is given True. `path`: the socket. `start`: whether that may be."""
        self._attempt = attempt
        self._path = path
        self._start = start
        self._until = time.monotonic() + PATIENCE_SECONDS
        self._given_up = threading.Event()
        self._failure: CodexdError | None = None
        self._results: list[Result] = []
        self._thread = threading.Thread(target=self._run, name="coming back", daemon=True)

    def __enter__(self) -> Self:
        self._read_end, self._write_end = os.pipe()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leaves an attempt that is under way to itself."""
        self._given_up.set()
        os.close(self._read_end)

    def fileno(self) -> int:
        return self._read_end

    @property
    def seconds_left(self) -> float:
        """How long it is still tried."""
        return max(0.0, self._until - time.monotonic())

    def result(self) -> Result | None:
        """What the attempt that succeeded has returned; None while there is none.

        Raises:
            CodexdError: it can't succeed, or has not in all the time.
        """
        if self._results:
            return self._results[0]
        failure = self._failure
        if failure is not None and not self._may_pass(failure):
            raise failure
        if self.seconds_left > 0:
            return None
        why = f": {failure}" if failure is not None else ""
        raise Unavailable(f"codexd did not come back within {PATIENCE_SECONDS:.0f} s{why}")

    def _run(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        try:
            while not self._given_up.is_set():
                try:
                    self._results.append(self._attempt(self._start and os.path.lexists(self._path)))
                    return
                except CodexdError as failure:
                    self._failure = failure
                    if not self._may_pass(failure):
                        return
                except (
                    OSError
                ) as failure:  # nothing can be started just now: no descriptor, no process, no disk
                    self._failure = Unavailable(str(failure))
                self._given_up.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        finally:
            os.close(self._write_end)

    def _may_pass(self, failure: CodexdError) -> bool:
        """Whether the next attempt may succeed."""
        if isinstance(failure, RpcError):
            return failure.code == Code.CODEX_UNAVAILABLE
        return isinstance(failure, Unavailable)
