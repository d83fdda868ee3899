"""How old events are, as far as that can be proven: a clock that is wrong must not delete a timeline.

The time of day proves nothing. One start with a clock ten years ahead would make every event too old, and what is
deleted does not come back when the clock is set right. So age is counted in the time that has provably passed: by
the clock of the machine's uptime, which nobody sets, and which goes on while the machine is suspended. While the
machine is switched off no age is counted. So events are kept for at least as long as the setting says, and longer
where the machine is often off; the limit of size holds in any case.

The database has two tables for this. `uptime` has one row: the proven time so far, and the uptime at which it was last
written. A `mark` says how much time had been proven when all events below its number had been recorded.
"""

import sqlite3
import time
from pathlib import Path
from typing import NamedTuple

_UPTIME = Path("/proc/uptime")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_TABLES = """
CREATE TABLE IF NOT EXISTS uptime (one INTEGER PRIMARY KEY CHECK (one = 1), boot TEXT NOT NULL, seconds REAL NOT NULL,
                                   proven REAL NOT NULL);
CREATE TABLE IF NOT EXISTS mark (seq INTEGER PRIMARY KEY, proven REAL NOT NULL);
"""


class Uptime(NamedTuple):
    """For how long the machine has been up, in seconds, and which of its boots this is. An empty `boot`: not known."""

    boot: str
    seconds: float


def uptime() -> Uptime:
    """The present uptime. On Linux it includes the time in which the machine was suspended (proc(5), `/proc/uptime`)."""
    try:
        return Uptime(_BOOT_ID.read_text().strip(), float(_UPTIME.read_text().split()[0]))
    except OSError:  # no Linux, or no /proc here
        return Uptime("", time.monotonic())


class Ages:
    """The proven ages of the events in a database. Every method belongs to a transaction of the caller's.

    Raises:
        sqlite3.Error: every call; the transaction is to be undone then.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._began: Uptime | None = None
        self._proven_before = 0.0

    def begin(self, now: Uptime) -> None:
        """Starts counting in this process, from what earlier ones have proven.

        Between two processes, time has passed for certain if the machine is up since; after a reboot, its uptime has.
        Where the boot is not known, nothing is certain.
        """
        for statement in _TABLES.split(";"):
            self._database.execute(statement)
        boot, seconds, proven = self._written() or (now.boot, now.seconds, 0.0)
        if not now.boot:
            passed = 0.0
        elif boot == now.boot:
            passed = max(0.0, now.seconds - seconds)
        else:
            passed = now.seconds
        self._began, self._proven_before = now, proven + passed
        self._write(now)

    def proven(self, now: Uptime) -> float:
        """How many seconds have provably passed since the first mark could have been made."""
        assert self._began is not None, "begin comes first"
        return self._proven_before + max(0.0, now.seconds - self._began.seconds)

    def mark(self, seq: int, now: Uptime) -> None:
        """All events below `seq` have been recorded by now. Where that was known before, the earlier time stays."""
        self._database.execute("INSERT OR IGNORE INTO mark VALUES (?, ?)", (seq, self.proven(now)))
        self._write(now)

    def floor(self, seconds: float, now: Uptime) -> int:
        """Every event below this number is provably older than this; 0 when none is."""
        found: int | None = self._database.execute(
            "SELECT max(seq) FROM mark WHERE proven <= ?", (self.proven(now) - seconds,)
        ).fetchone()[0]
        return found or 0

    def forget(self, floor: int) -> None:
        """No events are left below `floor`; the marks below it are not needed any more."""
        self._database.execute("DELETE FROM mark WHERE seq < ?", (floor,))

    def _written(self) -> tuple[str, float, float] | None:
        """What the last process noted; None where there is nothing, or nothing that can be read."""
        match self._database.execute("SELECT boot, seconds, proven FROM uptime").fetchone():
            case (str(boot), float(seconds), float(proven)):
                return boot, seconds, proven
            case _:
                return None

    def _write(self, now: Uptime) -> None:
        self._database.execute(
            "REPLACE INTO uptime VALUES (1, ?, ?, ?)", (now.boot, now.seconds, self.proven(now))
        )
