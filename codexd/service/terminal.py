"""The terminal that codexd was started from: when it is gone, a SIGHUP asks for the end and not for a reload."""

import os
from collections.abc import Sequence

STREAMS = (0, 1, 2)


class Terminal:
    """The standard streams that are a terminal when codexd starts.

    `/dev/null` is opened then, too: when the terminal goes away there may be no descriptor left for it.
    """

    def __init__(self, streams: Sequence[int] = STREAMS) -> None:
        self._streams = [stream for stream in streams if os.isatty(stream)]
        self._nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC) if self._streams else None

    def is_gone(self) -> bool:
        """Whether there was one and it was closed. What is still to be written to it is discarded from then on."""
        if self._nowhere is None or os.isatty(self._streams[0]):
            return False
        for stream in self._streams:
            os.dup2(self._nowhere, stream)
        return True
