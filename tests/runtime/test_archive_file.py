"""The file: made privately, told from what is none of ours, and its troubles in words."""

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from codexd.runtime import archive_file
from codexd.runtime.archive_file import (
    FAILURES,
    FORMAT,
    Unusable,
    in_words,
    open_for_reading,
    open_for_writing,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A timeline."""
    path = tmp_path / "timeline.db"
    open_for_writing(path, 10**6).close()
    return path


def refusal(path: Path) -> str:
    """Why it is refused, by who writes and who reads alike; it stays as it is."""
    before = path.read_bytes()
    reasons = []
    for opened in (lambda: open_for_writing(path, 10**6), lambda: open_for_reading(path)):
        with pytest.raises((Unusable, sqlite3.Error)) as raised:
            opened()
        assert isinstance(raised.value, FAILURES)
        unusable = in_words(raised.value, path)
        assert unusable.final
        reasons.append(str(unusable))
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert reasons[0] == reasons[1]
    return reasons[0]


def test_it_is_opened_again(path: Path) -> None:
    """With what it was made with, which is all that a later codexd can rely on."""
    database = open_for_writing(path, 10**6)
    pragmas = ("journal_mode", "synchronous", "auto_vacuum", "secure_delete", "user_version", "page_size")
    found = [database.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas]
    database.close()
    assert found == ["wal", 1, 2, 1, FORMAT, archive_file.PAGE_BYTES]


def test_one_that_was_never_written(tmp_path: Path) -> None:
    """An empty file is a new one: it has nothing to lose."""
    path = tmp_path / "timeline.db"
    path.touch()
    open_for_writing(path, 10**6).close()
    open_for_reading(path).close()
    assert path.stat().st_size


def test_a_damaged_file(path: Path) -> None:
    """It is left as it is; the sentence says what to do."""
    path.write_bytes(b"no database at all, " * 1000)
    assert refusal(path) == (
        f"the timeline {path} is damaged (file is not a database), and is left as it is: there is no history until "
        f"it is moved away: codexd stop; mv {path} {path}.broken; codexd start"
    )


def test_a_truncated_file(path: Path) -> None:
    """A page is missing at its end."""
    os.truncate(path, path.stat().st_size - archive_file.PAGE_BYTES)
    assert "is damaged (database disk image is malformed)" in refusal(path)


def test_a_newer_format(path: Path) -> None:
    """Two ways out: a newer codexd, or a new timeline."""
    with sqlite3.connect(path) as database:
        database.execute(f"PRAGMA user_version = {FORMAT + 1}")
    database.close()
    assert refusal(path) == (
        f"the timeline {path} is of a newer codexd (format {FORMAT + 1}, this one knows {FORMAT}): update codexd; or "
        f"there is no history until it is moved away: codexd stop; mv {path} {path}.other; codexd start"
    )


def test_the_database_of_somebody_else(tmp_path: Path) -> None:
    """No table is made in it."""
    path = tmp_path / "timeline.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE theirs (a)")
    database.close()
    assert refusal(path).startswith(f"{path} is no timeline of codexd: there is no history until it is moved")


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """Who can plant one in our directory could have us write where it leads."""
    (tmp_path / "timeline.db").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="it is a symbolic link"):
        open_for_writing(tmp_path / "timeline.db", 10**6)
    assert not (tmp_path / "elsewhere").exists()


def test_a_directory_that_is_missing(tmp_path: Path) -> None:
    """What the system says is in the sentence; it is tried again."""
    path = tmp_path / "none" / "timeline.db"
    with pytest.raises(OSError) as raised:  # noqa: PT011
        open_for_writing(path, 10**6)
    unusable = in_words(raised.value, path)
    assert (str(unusable), unusable.final) == (
        f"the timeline {path} can't be used (No such file or directory): until that is mended, history is kept in "
        f"memory only; the file and {path.parent} have to be writable for this user",
        False,
    )


def test_a_reader_without_the_right_to_write(path: Path, tmp_path: Path) -> None:
    """It reads all the same: a copy in a place of somebody else is looked at, too."""
    copy = tmp_path / "copy" / "timeline.db"
    copy.parent.mkdir()
    shutil.copy(path, copy)
    copy.chmod(0o400)
    database = open_for_reading(copy)
    assert database.execute("SELECT count(*) FROM event").fetchone() == (0,)
    database.close()


def test_words_stay_words(path: Path) -> None:
    """What is a sentence already is not made another one; a full disk has its own; what has no code is told as it is."""
    said = Unusable("as it is", final=True)
    assert in_words(said, path) is said
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL
    assert (str(in_words(full, path)), in_words(full, path).final) == (
        f"the disk with the timeline {path} is full: until there is room again, history is kept in memory only",
        False,
    )
    assert "can't be used (odd)" in str(in_words(sqlite3.Error("odd"), path))
    assert "can't be used ([Errno" not in str(in_words(OSError("bare"), path))
