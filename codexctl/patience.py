"""How long codexd may be silent at first: a daemon that is stopped or stuck takes connections and never answers.

Asked for its status, codexd answers at once, in every state of Codex. So who connects asks that first. What comes
later, a turn say, may take as long as it takes.
"""

import time

from codexd.protocol.errors import Unavailable
from codexd.protocol.running import running, socket_lock

ANSWER_SECONDS = 5.0
"""How long a codexd that serves may take to answer for the first time."""
START_SECONDS = 75.0
"""How long one may take that is just being started: systemd has its socket before there is a codexd."""


class Patience:
    """Begins now. `until`: the monotonic time at which `check` has to be called if nothing was heard till then."""

    def __init__(self, path: str) -> None:
        """`path`: the socket."""
        self._path = path
        self._last = time.monotonic() + START_SECONDS
        self.until = time.monotonic() + ANSWER_SECONDS

    def left(self) -> float:
        """Seconds until then."""
        return max(0.0, self.until - time.monotonic())

    def check(self) -> None:
        """Grants more time to a codexd that is just being started.

        Raises:
            Unavailable: codexd does not answer.
        """
        serving = running(socket_lock(self._path))
        if serving is not None:
            raise Unavailable(
                f"codexd (pid {serving.pid}) at {self._path} has not answered within {ANSWER_SECONDS:.0f} s: it is "
                f"stopped or stuck; `kill -CONT {serving.pid}` lets a stopped one go on, `codexd restart` ends it and "
                "starts another"
            )
        if time.monotonic() >= self._last:
            raise Unavailable(f"what listens at {self._path} has not answered within {START_SECONDS:.0f} s")
        self.until = min(time.monotonic() + 1.0, self._last)
