"""How events are kept: the archive that the settings want."""

from collections.abc import Mapping

from codexd.runtime.archive import Archive, NoArchive
from codexd.runtime.archive_retention import Keep
from codexd.runtime.sqlite_archive import SqliteArchive
from codexd.service import locks
from codexd.service.settings import Settings


def archive_of(settings: Settings, environ: Mapping[str, str]) -> Archive:
    """The archive; the directory of the CODEX_HOME must exist. It takes some disk: to be called in a worker thread."""
    if settings.timeline == "off":
        return NoArchive()
    keep = Keep(settings.timeline_days, settings.timeline_bytes)
    return SqliteArchive(locks.timeline_file(environ, settings.codex_home), keep)
