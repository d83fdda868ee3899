"""What is done to the archive's database: synchronous, in one thread at a time, each call one transaction.

Numbers are reserved a block ahead of those in use, so that no number is used twice even where a codexd was killed and
the clock was set back. A life that did not end with a note of its end may have lost what it had handed out and not
committed: everything from its last committed number to the begin of the next life counts as lost.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from codexd.routing.events import Event
from codexd.runtime.archive import History, Size, Span
from codexd.runtime.archive_age import Ages, Uptime, uptime
from codexd.runtime.archive_file import (
    BUSY_MILLISECONDS,
    PAGE_BYTES,
    Unusable,
    Vanished,
    damaged,
    numbers_in,
    open_for_writing,
)

BLOCK = 10_000
"""How many numbers are reserved at a time."""
_MAX_LOST = 1000
_ERASED_AT_ONCE = 500
_VACUUMED_AT_ONCE = 256
_LOG_MILLISECONDS = 20
"""How long the log waits for a reader to leave it."""
_ROWS_OF_AN_INSERT = (256, 64, 16, 4, 1)
"""Many rows in one statement: between two statements the thread has to get Python's lock again, for which it waits up
to 5 ms while the loop is busy."""
_INSERTS = [
    (rows, "INSERT INTO event VALUES " + ",".join(["(?,?,?,?,?)"] * rows)) for rows in _ROWS_OF_AN_INSERT
]


class Store:
    """The database of this file, open for writing.

    Raises:
        Unusable: the file is none of ours.
        sqlite3.Error, OSError: every call; the transaction is undone then, and the call may be tried again.
    """

    def __init__(self, path: Path, max_wal_bytes: int) -> None:
        self._path = path
        self._wal = Path(f"{path}-wal")
        self._database = open_for_writing(path, max_wal_bytes)
        self._ages = Ages(self._database)
        self._reserved = 0
        self._inodes = (0, 0)

    def begin_life(self, now: int, up: Uptime | None = None) -> int:
        """Reserves the first numbers and returns the first of all: `now`, or more where that was used before.

        A life that has begun already goes on; one that was not ended well before it leaves a lost span. `up`: the
        machine's uptime, asked for when it is not given.
        """
        with self._transaction():
            first = self._begun(now)
            self._ages.begin(up or uptime())
        self._inodes = (os.stat(self._path).st_ino, os.stat(self._wal).st_ino)
        return first

    def history(self) -> History:
        """What there is."""
        numbers = self._numbers()
        return History(numbers["born"], numbers["floor"], tuple(self._lost()))

    def write(
        self, events: Sequence[Event], lost: Sequence[Span], deleted: dict[str, int], handed_out: int
    ) -> None:
        """Commits events, spans that were lost, and up to which number the events of which threads are deleted.

        Those are not read any more, and erased in steps (`erase`). `handed_out`: the newest number that is in use.
        """
        reserved = self._reserved
        with self._transaction():
            if handed_out + BLOCK >= reserved:
                reserved = handed_out + 2 * BLOCK
                self._set(reserved=reserved)
            self._insert(events)
            for span in lost:
                self._add_lost(span)
            self._database.executemany("REPLACE INTO deleted VALUES (?, ?)", deleted.items())
            self._count(len(events))
        self._reserved = reserved

    def oldest(self, limit: int) -> list[tuple[int, float, int]]:
        """Number, time and size of the oldest events."""
        rows = self._database.execute(
            "SELECT seq, at, length(line) + length(thread) * 2 + length(method) + 30 FROM event ORDER BY seq LIMIT ?",
            (limit,),
        ).fetchall()
        if not all(isinstance(at, float) and isinstance(size, int) for _, at, size in rows):
            raise damaged(self._path, "an event of it has no time or no line")
        return rows

    def mark_age(self, now: Uptime) -> None:
        """Notes that all events in the file have been recorded by this time."""
        newest = self._database.execute("SELECT max(seq) FROM event").fetchone()[0]
        if newest is not None:
            with self._transaction():
                self._ages.mark(newest + 1, now)

    def floor_of_age(self, seconds: float, now: Uptime) -> int:
        """The events below this number have provably been in the file for longer than this; 0 when none has."""
        return self._ages.floor(seconds, now)

    def trim(self, floor: int) -> None:
        """Deletes what is below `floor`."""
        with self._transaction():
            gone = self._database.execute("DELETE FROM event WHERE seq < ?", (floor,)).rowcount
            self._database.execute("DELETE FROM lost WHERE last < ?", (floor,))
            self._ages.forget(floor)
            self._set(floor=floor)
            self._count(-gone)

    def erase(self) -> bool:
        """Erases some events of a deleted thread. False: there was none left, and nothing of it is in the file.

        The pages are overwritten (`secure_delete`) and the log, where they still stood, is emptied; what the file
        system or the disk itself keeps of blocks that it took back is out of reach.
        """
        row = self._database.execute("SELECT thread, upto FROM deleted LIMIT 1").fetchone()
        if row is None:
            return False
        with self._transaction():
            gone = self._database.execute(
                "DELETE FROM event WHERE seq IN"
                " (SELECT seq FROM event WHERE thread = ? AND seq <= ? ORDER BY seq LIMIT ?)",
                (*row, _ERASED_AT_ONCE),
            ).rowcount
            self._count(-gone)
            if gone < _ERASED_AT_ONCE:
                self._database.execute("DELETE FROM deleted WHERE thread = ?", row[:1])
        return True

    def empty_log(self) -> bool:
        """Moves everything from the log into the database, and cuts the log to nothing. False: a reader is in it."""
        self._database.execute(f"PRAGMA busy_timeout = {_LOG_MILLISECONDS}")
        busy: int = self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        self._database.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
        return not busy

    def vacuum(self) -> bool:
        """Gives some free pages back to the file system. False: there were none."""
        if not self._pragma("freelist_count"):
            return False
        # Not `execute`: this pragma gives back a page for each row of a result without columns, and `execute` takes one.
        self._database.executescript(f"PRAGMA incremental_vacuum({_VACUUMED_AT_ONCE})")
        return True

    def used_bytes(self) -> int:
        """What the events take: the pages in use, and the log."""
        pages = self._pragma("page_count") - self._pragma("freelist_count")
        return pages * self._pragma("page_size") + self._log_bytes()

    def size(self) -> Size:
        """What the files take, and how many events there are."""
        return Size(os.stat(self._path).st_size + self._log_bytes(), self._numbers()["events"])

    def check_still_there(self) -> None:
        """Raises when what is written would be nobody's.

        Raises:
            Vanished: there is no file of that name any more.
            Unusable: the file was replaced or emptied, or its log is gone.
        """
        try:
            file = os.stat(self._path)
            is_same = (file.st_ino, os.stat(self._wal).st_ino) == self._inodes and file.st_size >= PAGE_BYTES
        except FileNotFoundError:
            is_same = False
        if not is_same and not os.path.lexists(self._path):
            raise Vanished(self._path)
        if not is_same:
            raise Unusable(
                f"the timeline {self._path} was replaced or emptied, or has lost its log: history is kept in memory only "
                "until: codexd restart",
                final=True,
            )

    def end_life(self) -> None:
        """Notes that everything is committed that was handed out."""
        with self._transaction():
            self._set(ended=1)
        self.empty_log()

    def close(self) -> None:
        """Closes without a note."""
        self._database.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            # SQLite has undone it by itself where the disk is full or fails.
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise

    def _insert(self, events: Sequence[Event]) -> None:
        at = 0
        for rows, statement in _INSERTS:
            while len(events) - at >= rows:
                values: list[object] = []
                for event in events[at : at + rows]:
                    values += (event.seq, event.at, event.thread, event.method, event.line)
                self._database.execute(statement, values)
                at += rows

    def _begun(self, now: int) -> int:
        numbers = self._numbers()
        if numbers.get("life") == now:
            self._reserved = numbers["reserved"]
            return now
        first = max(now, numbers.get("reserved", 0))
        if not numbers:
            self._set(born=first, floor=first, events=0)
        elif not numbers["ended"]:
            newest = self._database.execute("SELECT max(seq) FROM event").fetchone()[0] or 0
            self._add_lost(Span(max(newest + 1, numbers["life"]), first - 1))
        self._reserved = first + 2 * BLOCK
        self._set(life=first, reserved=self._reserved, ended=0)
        return first

    def _add_lost(self, span: Span) -> None:
        if span.last < span.first:
            return
        self._database.execute("REPLACE INTO lost VALUES (?, ?)", (span.first, span.last))
        spans = self._lost()
        if len(spans) > _MAX_LOST:
            oldest, second = spans[:2]
            self._database.execute("DELETE FROM lost WHERE first = ?", (second.first,))
            self._database.execute("UPDATE lost SET last = ? WHERE first = ?", (second.last, oldest.first))

    def _lost(self) -> list[Span]:
        rows = self._database.execute("SELECT first, last FROM lost ORDER BY first").fetchall()
        if not all(isinstance(last, int) for _, last in rows):
            raise damaged(self._path, "a span of it has no end")
        return [Span(*row) for row in rows]

    def _numbers(self) -> dict[str, int]:
        return numbers_in(self._database, self._path)

    def _set(self, **numbers: int) -> None:
        self._database.executemany("REPLACE INTO number VALUES (?, ?)", numbers.items())

    def _count(self, more: int) -> None:
        self._database.execute("UPDATE number SET value = value + ? WHERE name = 'events'", (more,))

    def _pragma(self, name: str) -> int:
        value: int = self._database.execute(f"PRAGMA {name}").fetchone()[0]
        return value

    def _log_bytes(self) -> int:
        return os.stat(self._wal).st_size if self._wal.exists() else 0


def begin_life_without(path: Path, now: int) -> int:
    """A life that keeps nothing begins beside the file of earlier ones; returns its first number.

    What happens in it is missing in the file, so it never ends well there: the next life has a lost span.

    Raises:
        Unusable, sqlite3.Error, OSError: as for `Store`.
    """
    store = Store(path, PAGE_BYTES)
    try:
        return store.begin_life(now)
    finally:
        store.close()
