"""Reading the archive beside its writer, on a connection of its own; in one thread at a time."""

import sqlite3
from pathlib import Path

from codexd.routing.events import Event
from codexd.runtime.archive import Page
from codexd.runtime.archive_file import open_for_reading

_SELECT = "SELECT seq, at, thread, method, line FROM event AS e WHERE seq BETWEEN :first AND :last"
_OF_THREAD = " AND thread = :thread"
_NOT_DELETED = " AND NOT EXISTS (SELECT 1 FROM deleted AS d WHERE d.thread = e.thread AND e.seq <= d.upto)"
_IN_ORDER = " ORDER BY seq LIMIT :limit"


class Reader:
    """Opens the file when it is first asked for something.

    Raises:
        Unusable, sqlite3.Error, OSError: every call but `close`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database: sqlite3.Connection | None = None

    def read(self, first: int, last: int, thread: str | None, max_bytes: int, max_events: int) -> Page:
        """Events in order, one at least where there is one."""
        if self._database is None:
            self._database = open_for_reading(self._path)
        of_thread = "" if thread is None else _OF_THREAD
        rows = self._database.execute(
            _SELECT + of_thread + _NOT_DELETED + _IN_ORDER,
            {"first": first, "last": last, "thread": thread, "limit": max_events + 1},
        )
        events: list[Event] = []
        size = 0
        for row in rows:
            size += len(row[4])
            if events and (size > max_bytes or len(events) >= max_events):
                return Page(events, row[0])
            events.append(Event(*row))
        return Page(events, last + 1)

    def close(self) -> None:
        """Closes the file; it is opened again when it is asked for something."""
        if self._database is not None:
            self._database.close()
            self._database = None
