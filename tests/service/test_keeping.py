"""Which archive the settings want."""

from codexd.runtime.archive import NoArchive
from codexd.runtime.sqlite_archive import SqliteArchive
from codexd.service import locks
from codexd.service.keeping import archive_of
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
