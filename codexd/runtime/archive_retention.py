"""How long events are kept: by age and by size, the oldest first, in small steps.

Age is the time that has provably passed (`archive_age`), never a difference between times of day.
"""

from collections.abc import Callable
from typing import NamedTuple

from codexd.runtime.archive_age import Uptime, uptime
from codexd.runtime.archive_store import Store

_ROWS_OF_A_STEP = 500
_BYTES_OF_A_STEP = 4 * 1024 * 1024
"""No more than a sixteenth of the limit: what is deleted stands in the log first, which counts."""
_CHECK_SECONDS = 600.0
_DAY_SECONDS = 86400.0
_MARK_SECONDS = 3600.0
_MARKS = 16
"""Age is marked once an hour, or a sixteenth of the age where that is less."""


class Keep(NamedTuple):
    """How much is kept: what is younger than `days`, and no more than `bytes` on disk."""

    days: float = 14.0
    bytes: int = 1024 * 1024 * 1024


class Retention:
    """Trims a store down to what is to be kept.

    `allow` is asked before anything is deleted: the floor that is wanted, and whether no reader may hold it up, which
    is so when the size is over its limit by a quarter; it answers how far retention may go.
    """

    def __init__(
        self, keep: Keep, allow: Callable[[int, bool], int], clock: Callable[[], Uptime] = uptime
    ) -> None:
        self._keep = keep
        self._allow = allow
        self._clock = clock
        self._unchecked_bytes = 0
        self._check_at = 0.0
        self._age = keep.days * _DAY_SECONDS
        self._mark_at = 0.0

    def wrote(self, count: int) -> None:
        """So many bytes have come: when they are many, the size is looked at again."""
        self._unchecked_bytes += count

    def is_due(self) -> bool:
        """Whether there may be something to do."""
        return self._unchecked_bytes > self._keep.bytes // 64 or self._clock().seconds >= self._check_at

    def step(self, store: Store) -> bool:
        """Deletes some of the oldest events. False: nothing more is to be done now."""
        self._mark(store)
        excess = store.used_bytes() - self._keep.bytes
        wanted = self._wanted(store, excess)
        if wanted:
            granted = self._allow(wanted, excess > self._keep.bytes // 4)
            oldest = store.oldest(1)
            store.trim(granted)
            if oldest and oldest[0][0] < granted:
                return True
        self._unchecked_bytes = 0
        self._check_at = self._clock().seconds + min(_CHECK_SECONDS, self._age)
        return False

    def _mark(self, store: Store) -> None:
        now = self._clock()
        if now.seconds >= self._mark_at:
            store.mark_age(now)
            self._mark_at = now.seconds + min(_MARK_SECONDS, self._age / _MARKS)

    def _wanted(self, store: Store, excess: int) -> int:
        """Below which number the events of one step are; 0 when there are none."""
        too_old = store.floor_of_age(self._age, self._clock())
        most = min(_BYTES_OF_A_STEP, self._keep.bytes // 16)
        floor = size = 0
        for seq, _, row_bytes in store.oldest(_ROWS_OF_A_STEP):
            if (seq >= too_old and size >= excess) or size >= most:
                break
            floor = seq + 1
            size += row_bytes
        return floor
