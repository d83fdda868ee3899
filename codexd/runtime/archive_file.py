"""The file of the archive: a SQLite database, opened, told from other files, and what is wrong with it in words.

A file that is damaged, of a newer format, or somebody else's is never written to and never moved: its history may be
worth something to its owner.
"""

import errno
import os
import sqlite3
from pathlib import Path

from codexd.runtime.private_file import open_private
from codexd.runtime.shortage import is_shortage

FORMAT = 1
"""Counts up when a codexd of before could not read what is written any more."""
APPLICATION_ID = 0x636F6478
"""`codx`: tells the file from every other SQLite database."""
PAGE_BYTES = 4096
BUSY_MILLISECONDS = 1000
"""How long a lock of another process on the file is waited for; what it holds up is tried again."""

_SCHEMA = """
CREATE TABLE number (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE event (seq INTEGER PRIMARY KEY, at REAL NOT NULL, thread TEXT NOT NULL, method TEXT NOT NULL,
                    line BLOB NOT NULL);
CREATE INDEX event_of_thread ON event (thread, seq);
CREATE TABLE lost (first INTEGER PRIMARY KEY, last INTEGER NOT NULL);
CREATE TABLE deleted (thread TEXT PRIMARY KEY, upto INTEGER NOT NULL) WITHOUT ROWID;
"""
_FINAL = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


_CODE_OF_PYTHON: dict[type[sqlite3.Error], int] = {sqlite3.OperationalError: sqlite3.SQLITE_CORRUPT}
"""What Python's own errors mean, which have no code: this one is of a text in the file that is none."""


class Unusable(Exception):
    """The archive can't be used now. `final`: nor will it be before codexd is started again.

    The message is a sentence that names the file, what is wrong with it, and the way out.
    """

    def __init__(self, problem: str, *, final: bool) -> None:
        super().__init__(problem)
        self.final = final


class Vanished(Unusable):
    """The file was removed while it was open. What was in it is gone, and another one can take its place."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"the timeline {path} was removed while codexd ran, and the history in it is gone: a new file is created there",
            final=False,
        )


def open_for_writing(path: Path, max_wal_bytes: int) -> sqlite3.Connection:
    """The database, made when there is none. It may be used in any thread, in one at a time.

    Raises:
        Unusable: it is none of ours.
        sqlite3.Error, OSError: it can't be opened or made.
    """
    # Made here and not by SQLite, which would give it the rights that the umask leaves.
    os.close(open_private(path, os.O_RDWR | os.O_CREAT))
    database = _connected(path, "rw")
    try:
        _check_kind(database, path)
        # Before the first table; in a database that has one, it is as it was made.
        database.execute("PRAGMA auto_vacuum = INCREMENTAL")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("PRAGMA secure_delete = ON")
        database.execute(f"PRAGMA wal_autocheckpoint = {max(16, max_wal_bytes // PAGE_BYTES)}")
        database.execute(f"PRAGMA journal_size_limit = {max_wal_bytes}")
        if not _number(database, "user_version"):
            database.executescript(
                f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA application_id = {APPLICATION_ID};"
                f"PRAGMA user_version = {FORMAT}; COMMIT;"
            )
    except BaseException:
        database.close()
        raise
    return database


def open_for_reading(path: Path) -> sqlite3.Connection:
    """A connection that changes nothing, beside one that writes or alone.

    Raises:
        Unusable: it is none of ours.
        sqlite3.Error: it can't be opened; there may be none.
    """
    database = _connected(path, "rw" if os.access(path, os.W_OK) else "ro")
    try:
        database.execute("PRAGMA query_only = ON")
        _check_kind(database, path)
    except BaseException:
        database.close()
        raise
    return database


Failure = sqlite3.Error | OSError | MemoryError | UnicodeDecodeError | Unusable
FAILURES = (sqlite3.Error, OSError, MemoryError, UnicodeDecodeError, Unusable)
"""`UnicodeDecodeError`: what SQLite says of a damaged schema is no text. `MemoryError`: also what SQLITE_NOMEM is in Python."""
_NUMBERS = {"born", "floor", "events", "life", "reserved", "ended"}


def in_words(error: Failure, path: Path) -> Unusable:
    """What is wrong, as a sentence."""
    if isinstance(error, Unusable):
        return error
    if isinstance(error, OSError) and is_shortage(error):
        return _short_of(path, error.strerror or str(error))
    if isinstance(error, OSError):
        return _not_usable(path, error.strerror or str(error))
    if isinstance(error, MemoryError):
        return _short_of(path, os.strerror(errno.ENOMEM))
    if isinstance(error, UnicodeDecodeError):
        return damaged(path, "its schema is no text")
    code = getattr(error, "sqlite_errorcode", _CODE_OF_PYTHON.get(type(error), sqlite3.SQLITE_ERROR)) & 0xFF
    if code in _FINAL:
        return damaged(path, str(error))
    if code == sqlite3.SQLITE_FULL:
        return Unusable(
            f"the disk with the timeline {path} is full: until there is room again, history is kept in memory only",
            final=False,
        )
    return _not_usable(path, str(error))


def damaged(path: Path, what: str) -> Unusable:
    """There is something in the file that codexd never wrote."""
    return Unusable(
        f"the timeline {path} is damaged ({what}), and is left as it is: there is no history until it is moved "
        f"away: codexd stop; mv {path} {path}.broken; codexd start",
        final=True,
    )


def numbers_in(database: sqlite3.Connection, path: Path) -> dict[str, int]:
    """What the archive knows of itself: all of its numbers, or none when it has just been made.

    Raises:
        Unusable: some are missing. SQLite has no checksums and does not notice.
    """
    numbers = dict(database.execute("SELECT name, value FROM number"))
    if numbers and (numbers.keys() != _NUMBERS or not all(isinstance(n, int) for n in numbers.values())):
        raise damaged(path, "its numbers are not those of a timeline")
    return numbers


def _short_of(path: Path, what: str) -> Unusable:
    return Unusable(
        f"the timeline {path} can't be used just now ({what}): until that is over, history is kept in memory only",
        final=False,
    )


def _not_usable(path: Path, why: str) -> Unusable:
    return Unusable(
        f"the timeline {path} can't be used ({why}): until that is mended, history is kept in memory only; "
        f"the file and {path.parent} have to be writable for this user",
        final=False,
    )


def _connected(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.as_uri()}?mode={mode}",
        uri=True,
        timeout=BUSY_MILLISECONDS / 1000,
        isolation_level=None,
        check_same_thread=False,
    )


def _number(database: sqlite3.Connection, pragma: str) -> int:
    value: int = database.execute(f"PRAGMA {pragma}").fetchone()[0]
    return value


def _check_kind(database: sqlite3.Connection, path: Path) -> None:
    """A file without a format has to be an empty one."""
    found, application = _number(database, "user_version"), _number(database, "application_id")
    way_out = f"there is no history until it is moved away: codexd stop; mv {path} {path}.other; codexd start"
    is_empty = found == application == 0 and not _number(database, "schema_version")
    if not is_empty and application != APPLICATION_ID:
        raise Unusable(f"{path} is no timeline of codexd: {way_out}", final=True)
    if found > FORMAT:
        raise Unusable(
            f"the timeline {path} is of a newer codexd (format {found}, this one knows {FORMAT}): update codexd; or "
            + way_out,
            final=True,
        )
