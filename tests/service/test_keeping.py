"""Which archive the settings want."""

import pytest

from codexd.runtime.archive import NoArchive, Span
from codexd.runtime.sqlite_archive import SqliteArchive
from codexd.service import locks
from codexd.service.keeping import archive_of, kept_file
from tests.service.place import Place


def test_on_disk_or_not_at_all(place: Place) -> None:
    """On, it is in the directory of the CODEX_HOME; off, no file is made."""
    file = locks.timeline_file(place.environ, place.codex_home)
    file.parent.mkdir(parents=True)
    settings = place.instance().settings
    assert isinstance(archive_of(settings._replace(timeline="off"), place.environ), NoArchive)
    assert not file.exists()
    archive = archive_of(settings._replace(timeline_days=1.5, timeline_bytes=10**7), place.environ)
    assert isinstance(archive, SqliteArchive)
    assert archive.status.state == "on"
    assert archive._writer._keep == (1.5, 10**7)
    assert file.parent == locks.home_lock(place.environ, place.codex_home).parent
    assert file.exists()
    assert archive._writer._store is not None
    archive._writer._store.close()


def test_a_time_when_nothing_is_kept_is_noted_in_the_file(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """Its numbers stand above those that are kept, and it is known to be missing. A file of no use is left alone."""
    file = locks.timeline_file(place.environ, place.codex_home)
    file.parent.mkdir(parents=True)
    on = place.instance().settings
    off = on._replace(timeline="off")
    before = archive_of(on, place.environ)
    assert isinstance(before, SqliteArchive)
    assert before._writer._store is not None
    before._writer._store.end_life()
    before._writer._store.close()
    without = archive_of(off, place.environ)
    after = archive_of(on, place.environ)
    assert isinstance(after, SqliteArchive)
    assert after._writer._store is not None
    assert before.first_seq < without.first_seq < after.first_seq
    assert after._writer._store.history().lost == (Span(without.first_seq, after.first_seq - 1),)
    after._writer._store.close()
    assert not caplog.records
    file.write_bytes(b"no database, but some text that is long enough to be none" * 100)
    assert isinstance(archive_of(off, place.environ), NoArchive)
    assert "it will not be said there that this time is missing" in caplog.text


def test_the_file_is_looked_after_where_there_is_one(place: Place) -> None:
    """With the timeline off there is none that could be missed."""
    settings = place.instance().settings
    ((name, part),) = kept_file(settings, place.environ, lambda: None)
    file = locks.timeline_file(place.environ, place.codex_home)
    assert name == f"the timeline {file}"
    assert not part.is_whole()
    file.parent.mkdir(parents=True)
    file.touch()
    assert part.is_whole()
    assert kept_file(settings._replace(timeline="off"), place.environ, lambda: None) == []
