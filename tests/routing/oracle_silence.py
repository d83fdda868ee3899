"""When a Codex that says nothing must be given up, and when it must not."""

from tests.routing.oracle_books import Books, Life

_TOLERANCE = 1e-6
_SIGN = "thread/loaded/list"


class SilenceSide:
    """Counts from what was said, written and ticked. `limit` in seconds; 0: a silent Codex is never given up."""

    def __init__(self, books: Books, limit: float) -> None:
        self._books = books
        self._limit = limit
        self.verdict = f"Codex has not answered for {limit:g} s"
        self._quarter = limit / 4
        self._heard_at = 0.0
        self._open_since: float | None = None
        self._late_at = 0.0
        self._last_look = 0.0

    def hears(self) -> None:
        """codexd is about to read a line of Codex."""
        self._heard_at = self._books.now

    def time_passes(self, deadline: float | None) -> None:
        """codexd is about to be woken; `deadline`: when it wanted to be."""
        books = self._books
        if not self._limit or self._open_since is None or books.life is not Life.READY:
            return
        if deadline is not None and books.now > deadline + self._quarter:
            self._late_at = books.now
        silent_since = max(self._heard_at, self._open_since)
        if books.now >= max(silent_since, self._late_at) + self._limit + self._quarter + _TOLERANCE:
            books.condemn(self.verdict)
            books.counts["hung"] += 1
            books.orders.append("kill")
        has_slept = books.now > self._last_look + 2 * self._quarter + _TOLERANCE
        is_long = books.now >= silent_since + self._limit - _TOLERANCE
        books.may_kill = is_long and not has_slept and books.requests.is_unproven(_SIGN)

    def look(self) -> None:
        """Everything that followed on an input is judged."""
        self._last_look = self._books.now
        if not self._limit:
            return
        if not self._books.is_open():
            self._open_since = None
        elif self._open_since is None:
            self._open_since = self._books.now
