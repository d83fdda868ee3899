"""`--timeout`: one deadline for everything that a command does."""

import time


class TimeLimit:
    """The monotonic time at which the limit has passed; None without one."""

    def __init__(self, seconds: float | None) -> None:
        self.deadline = None if seconds is None else time.monotonic() + seconds

    def left(self) -> float | None:
        """The seconds that are left, 0 when it has passed."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())


NO_LIMIT = TimeLimit(None)
