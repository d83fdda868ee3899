"""Which login the present Codex has, and whether another one lies in its home (`login_change` has the rules)."""

from collections.abc import Callable

WAIT_SECONDS = 2.0


class Logins:
    """The table. `in_home` says which login lies in Codex's home now: the same word for the same login."""

    def __init__(self, in_home: Callable[[], str]) -> None:
        self._in_home = in_home
        self._of_codex = ""
        self._waits_since: float | None = None
        self._has_waited = False
        self.is_stale = False
        self.by_codex = False
        """A client changes it through Codex, which has not said so yet."""

    def taken_up(self) -> None:
        """Codex has the login that lies there now: it starts, or has said that it changed it."""
        self._of_codex = self._in_home()
        self.is_stale = self.by_codex = False
        self.rest()

    def differs(self) -> bool:
        """Whether another login lies there than Codex has."""
        return self._in_home() != self._of_codex

    def look(self) -> None:
        """Takes note of that."""
        self.is_stale = self.differs()
        if not self.is_stale:
            self.rest()

    def wait(self, now: float) -> bool:
        """Waits for what is short; False when that has been for long enough."""
        if self._waits_since is None:
            self._waits_since = now
        self._has_waited = self._has_waited or now >= self._waits_since + WAIT_SECONDS
        return not self._has_waited

    def rest(self) -> None:
        """There is nothing to wait for, or what there is takes its time."""
        self._waits_since, self._has_waited = None, False

    @property
    def is_waiting(self) -> bool:
        """Whether nothing is to be handed to Codex, because it is about to be replaced."""
        return self._waits_since is not None and not self._has_waited

    @property
    def deadline(self) -> float | None:
        """When waiting has been for long enough."""
        return self._waits_since + WAIT_SECONDS if self._waits_since is not None and self.is_waiting else None
