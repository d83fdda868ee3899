"""Ctrl-C as something to wait for, beside sockets and keys, instead of an exception out of nowhere."""

import os
import signal
from types import FrameType
from typing import Self


class Interrupts:
    """While entered, the given signals make `fileno` readable; `read` tells which came."""

    def __init__(self, *signals: signal.Signals) -> None:
        self._signals = signals

    def __enter__(self) -> Self:
        self._read_end, self._write_end = os.pipe()
        os.set_blocking(self._read_end, False)
        os.set_blocking(self._write_end, False)
        self._old_wakeup = signal.set_wakeup_fd(self._write_end)
        self._old_handlers = {number: signal.signal(number, _nothing) for number in self._signals}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._old_handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._old_wakeup)
        os.close(self._read_end)
        os.close(self._write_end)

    def fileno(self) -> int:
        return self._read_end

    def read(self) -> list[signal.Signals]:
        """The signals that came since the last call, in order."""
        try:
            return [signal.Signals(number) for number in os.read(self._read_end, 4096)]
        except BlockingIOError:
            return []


def _nothing(number: int, frame: FrameType | None) -> None:
    """The number has been written to the pipe already; the handler is only there so that Python does that."""
