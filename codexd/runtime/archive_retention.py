"""How long events are kept: by age and by size, the oldest first, in small steps."""

import time
from collections.abc import Callable
from typing import NamedTuple

from codexd.runtime.archive_store import Store

_ROWS_OF_A_STEP = 500
_BYTES_OF_A_STEP = 4 * 1024 * 1024
"""No more than a sixteenth of the limit: what is deleted stands in the log first, which counts."""
_CHECK_SECONDS = 600.0
_DAY_SECONDS = 86400.0


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
        self, keep: Keep, allow: Callable[[int, bool], int], clock: Callable[[], float] = time.time
    ) -> None:
        self._keep = keep
        self._allow = allow
        self._clock = clock
        self._unchecked_bytes = 0
        self._check_at = 0.0

    def wrote(self, count: int) -> None:
        """So many bytes have come: when they are many, the size is looked at again."""
        self._unchecked_bytes += count

    def is_due(self) -> bool:
        """Whether there may be something to do."""
        return self._unchecked_bytes > self._keep.bytes // 64 or self._clock() >= self._check_at

    def step(self, store: Store) -> bool:
        """Deletes some of the oldest events. False: nothing more is to be done now."""
        excess = store.used_bytes() - self._keep.bytes
        wanted = self._wanted(store, excess)
        if wanted:
            granted = self._allow(wanted, excess > self._keep.bytes // 4)
            oldest = store.oldest(1)
            store.trim(granted)
            if oldest and oldest[0][0] < granted:
                return True
        self._unchecked_bytes = 0
        self._check_at = self._clock() + _CHECK_SECONDS
        return False

    def _wanted(self, store: Store, excess: int) -> int:
        """Below which number the events of one step are; 0 when there are none."""
        too_old = self._clock() - self._keep.days * _DAY_SECONDS
        most = min(_BYTES_OF_A_STEP, self._keep.bytes // 16)
        floor = size = 0
        for seq, at, row_bytes in store.oldest(_ROWS_OF_A_STEP):
            if (at >= too_old and size >= excess) or size >= most:
                break
            floor = seq + 1
            size += row_bytes
        return floor
