"""Reading the archive beside its writer, on a connection of its own; in one thread at a time.

SQLite has no checksums: a bit that a disk has turned over stands in an event as if it had been written. So each event is
looked at before it is sent to anybody, as far as clients and codexd rely on it.
"""

import sqlite3
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw, Struct

from codexd.routing.events import Event
from codexd.runtime.archive import Page
from codexd.runtime.archive_file import damaged, open_for_reading

_SELECT = "SELECT seq, at, thread, method, line FROM event AS e WHERE seq BETWEEN :first AND :last"
_OF_THREAD = " AND thread = :thread"
_NOT_DELETED = " AND NOT EXISTS (SELECT 1 FROM deleted AS d WHERE d.thread = e.thread AND e.seq <= d.upto)"
_IN_ORDER = " ORDER BY seq LIMIT :limit"


class _Line(Struct):
    params: Raw


_line = msgspec.json.Decoder(_Line)


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
            event = self._event(*row)
            size += len(event.line)
            if events and (size > max_bytes or len(events) >= max_events):
                return Page(events, event.seq)
            events.append(event)
        return Page(events, last + 1)

    def _event(self, seq: int, at: Any, thread: Any, method: Any, line: Any) -> Event:
        is_whole = isinstance(at, float) and isinstance(thread, str) and isinstance(method, str)
        if not is_whole or not isinstance(line, bytes) or not _is_notification(line):
            raise damaged(self._path, f"its event {seq} is none")
        return Event(seq, at, thread, method, line)

    def close(self) -> None:
        """Closes the file; it is opened again when it is asked for something."""
        if self._database is not None:
            self._database.close()
            self._database = None


def _is_notification(line: bytes) -> bool:
    try:
        line.decode()
        _line.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True
