"""A Codex that hangs: how it is told from one that has nothing to say.

Codex owes nobody a word while it thinks, so silence alone proves nothing. But it answers the marker at once, whatever
else it does: within 0.3 s beside MCP servers that do not start, searches through the whole disk, readers of a FIFO and
floods of output, and within 2 s while it starts a hundred commands (0.163, measured). So one that leaves the marker
unanswered, and says nothing else either, will not speak again.

Rule 1. The silence is counted in quarters of the limit, and only while something is open: a request under way, or a
        turn. Who has nothing to do with Codex does not ask it, and nothing wakes codexd up.
Rule 2. Any line of Codex begins the count anew.
Rule 3. After the second quarter Codex is asked for a sign; after the fourth it counts as hung.
Rule 4. A Codex that has a long line to read is not silent: it says nothing while it does (the marker waits behind the
        line). What it takes of its input counts as a line of it, and the count begins `1 / READ_BYTES_PER_SECOND`
        seconds later for each byte of lines longer than `LONG_BYTES`.
Rule 5. A quarter at whose end codexd itself came too late, because it was stopped or the machine was suspended, proves
        nothing: Codex may have slept as well, or its answer may be there and unread. The count begins anew.
"""

from enum import Enum, auto


class Step(Enum):
    """What is to be done now that time has passed."""

    NOTHING = auto()
    ASK_FOR_SIGN = auto()
    GIVE_UP = auto()


LONG_BYTES = 64 * 1024
READ_BYTES_PER_SECOND = 1_000_000
"""A quarter of the least that Codex reads on a core of its own (0.163 and 0.171, MB/s): arrays of numbers 4, of objects 6, of
arrays 7, of strings 14; one string of escapes 200, one plain string 400. On a loaded machine it was 0.8 of the first.
"""
_QUARTERS = 4
_STEPS = {2: Step.ASK_FOR_SIGN, _QUARTERS: Step.GIVE_UP}


class Silence:
    """For how long Codex has said nothing although something is open."""

    def __init__(self, limit: float) -> None:
        """`limit`: in seconds; 0: Codex may be silent for ever."""
        self.limit = limit
        self._quarter = limit / _QUARTERS
        self._is_watched = False
        self._since = 0.0
        self._quarters = 0
        self._heard_at = 0.0
        self._reads_until = 0.0

    def heard(self, now: float) -> None:
        """Codex has said something, or taken some of its input."""
        self._heard_at = max(now, self._reads_until)

    def handed(self, length: int, now: float) -> None:
        """A line was written to Codex."""
        if length > LONG_BYTES:
            self._reads_until = max(self._reads_until, now) + length / READ_BYTES_PER_SECOND
            self._heard_at = self._reads_until

    def answered(self, length: int, now: float) -> None:
        """Codex has answered a line of this length, so it has read it, and all before it."""
        if length > LONG_BYTES:
            self._reads_until = self._heard_at = now

    def codex_is_gone(self) -> None:
        """The next one has nothing of it to read."""
        self._reads_until = self._heard_at = 0.0

    def watch(self, is_open: bool, now: float) -> None:
        """Whether something is open; told after everything that may have changed that."""
        if is_open and not self._is_watched and self.limit:
            self._begin(now)
        self._is_watched = is_open and bool(self.limit)

    def tick(self, now: float) -> Step:
        """Time has passed."""
        due = self.deadline
        if due is None or now < due:
            return Step.NOTHING
        if now - due > self._quarter:
            self._begin(now)
            return Step.NOTHING
        if self._heard_at > self._since:
            self._begin(self._heard_at)
            if now < self._since + self._quarter:
                return Step.NOTHING
        self._quarters += 1
        return _STEPS.get(self._quarters, Step.NOTHING)

    @property
    def deadline(self) -> float | None:
        """When the present quarter is over; `None` while nothing is open."""
        return self._since + self._quarter * (self._quarters + 1) if self._is_watched else None

    def _begin(self, since: float) -> None:
        self._since = since
        self._quarters = 0
