"""Looking at the file of a timeline from outside, while a codexd may be writing it."""

from pathlib import Path

from msgspec import Struct

from codexd.runtime.archive_file import FAILURES, in_words, numbers_in, open_for_reading

_NEWEST = "SELECT at FROM event ORDER BY seq DESC LIMIT 1"
_OLDEST = "SELECT at FROM event ORDER BY seq LIMIT 1"


class Inspection(Struct, frozen=True):
    """What was found: bytes on disk, events, the times of the oldest and the newest (seconds since the epoch)."""

    bytes: int
    events: int
    oldest: float | None
    newest: float | None


def inspect(path: Path) -> Inspection | str:
    """What is in it; or what is wrong with it, a sentence.

    Reads the whole file once, to find damage that nobody has met yet.
    """
    try:
        size = sum(file.stat().st_size for file in (path, Path(f"{path}-wal")) if file.exists())
        if not size:
            return Inspection(0, 0, None, None)
        database = open_for_reading(path)
    except FAILURES as error:
        return str(in_words(error, path))
    try:
        ((found, *_), *more) = database.execute("PRAGMA quick_check").fetchall()
        if found != "ok":
            return f"the timeline {path} is damaged: {found}{f', and {len(more)} more' if more else ''}"
        events = numbers_in(database, path).get("events", 0)
        oldest, newest = (database.execute(each).fetchone() or (None,) for each in (_OLDEST, _NEWEST))
        return Inspection(size, events, *oldest, *newest)
    except FAILURES as error:
        return str(in_words(error, path))
    finally:
        database.close()
