"""How events are kept: the archive that the settings want."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from codexd.runtime.archive import Archive, NoArchive, number_of_now
from codexd.runtime.archive_file import FAILURES, in_words
from codexd.runtime.archive_retention import Keep
from codexd.runtime.archive_store import begin_life_without
from codexd.runtime.sqlite_archive import SqliteArchive
from codexd.service import locks
from codexd.service.settings import Settings
from codexd.service.upkeep import KeptFile, Part

logger = logging.getLogger(__name__)


def archive_of(settings: Settings, environ: Mapping[str, str]) -> Archive:
    """The archive; the directory of the CODEX_HOME must exist. It takes some disk: to be called in a worker thread."""
    file = locks.timeline_file(environ, settings.codex_home)
    if settings.timeline == "off":
        return NoArchive(_first_beside(file) if file.exists() else None)
    return SqliteArchive(file, Keep(settings.timeline_days, settings.timeline_bytes))


def kept_file(
    settings: Settings, environ: Mapping[str, str], look: Callable[[], None]
) -> list[tuple[str, Part]]:
    """The archive's file, to be looked after; none with `timeline = "off"`. `look`: has the archive look for it."""
    file = locks.timeline_file(environ, settings.codex_home)
    return [] if settings.timeline == "off" else [(f"the timeline {file}", KeptFile(file, look))]


def _first_beside(file: Path) -> int | None:
    """The first number of a life that is not kept, above those of a time when it was on; what is kept there stays."""
    try:
        return begin_life_without(file, number_of_now())
    except FAILURES as error:
        logger.warning("%s; it will not be said there that this time is missing", in_words(error, file))
        return None
