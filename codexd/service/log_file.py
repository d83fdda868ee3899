"""Where the log goes: to the journal under systemd, to stderr in the foreground, else to a file that is rotated."""

import logging
import logging.handlers
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path

from codexd.protocol import socket_path
from codexd.protocol.visible import plain
from codexd.runtime.private_file import check_directory, open_private
from codexd.service.errors import CannotServe
from codexd.service.settings import DEFAULT, Settings

MAX_FILE_BYTES = 5 * 1024 * 1024
OLD_FILES = 3
CENTRALIZED = "~/centralized-logs/codex"
"""Where some users collect what their programs say of Codex."""
_WITH_TIME = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_SYSLOG = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


class LogFile(logging.handlers.RotatingFileHandler):
    """The log file: 0600, rotated by size, and opened again on request when somebody else moved it away."""

    def reopen(self) -> None:
        """Goes on, with the next record, in the file that then has the name; makes it if there is none."""
        with suppress(OSError):  # what a full disk has not taken is lost; the file is closed all the same
            self.close()  # the next record opens it
        with suppress(OSError):  # the next record says so
            os.makedirs(os.path.dirname(self.baseFilename), 0o700, exist_ok=True)

    def handleError(self, record: logging.LogRecord) -> None:
        """A disk that is full costs the lines that would have gone there, and nobody a traceback on stderr."""

    def _open(self) -> TextIOWrapper:
        return open(self.baseFilename, "a", encoding="utf-8", errors="backslashreplace", opener=_open_checked)


class PlainFormatter(logging.Formatter):
    """Lines that can be read on a terminal: what Codex says on its stderr is among them."""

    def format(self, record: logging.LogRecord) -> str:
        return plain(super().format(record))


class JournalFormatter(PlainFormatter):
    """Lines for the journal: it has the time itself, and takes the priority from the prefix (sd-daemon(3))."""

    def format(self, record: logging.LogRecord) -> str:
        lines = super().format(record).replace("\n", "\n  ")
        return f"<{_SYSLOG.get(record.levelno, 6)}>{lines}"


def path_of(settings: Settings, environ: Mapping[str, str]) -> Path:
    """The log file of the codexd of these settings: `codexd.log`, for a CODEX_HOME of its own `codexd-HASH.log`."""
    return settings.log_dir / f"codexd{_of_home(settings, environ)}.log"


def observability_path_of(settings: Settings, environ: Mapping[str, str]) -> Path:
    """The observability log, `sse_lines.jsonl` or `sse_lines-HASH.jsonl`: among the user's centralized logs, if there are any.

    A directory that was asked for comes first.
    """
    directory = settings.log_dir
    if settings.sources["log_dir"] == DEFAULT and os.path.isdir(
        centralized := os.path.expanduser(CENTRALIZED)
    ):
        directory = Path(centralized)
    return directory / f"sse_lines{_of_home(settings, environ)}.jsonl"


def _of_home(settings: Settings, environ: Mapping[str, str]) -> str:
    """What the names have for a CODEX_HOME of its own: two codexds do not write to one file."""
    home = settings.codex_home
    return "" if home == Path(socket_path.default_codex_home(environ)) else f"-{socket_path.home_hash(home)}"


def configure(settings: Settings, environ: Mapping[str, str], detached: bool) -> LogFile | None:
    """Sends the log where it belongs; returns the file when there is one.

    A detached codexd writes the file. One in the foreground writes to stderr, and the file as well when a directory
    for it was asked for.

    Raises:
        CannotServe: the file cannot be made.
    """
    handlers: list[logging.Handler] = []
    file = None
    if detached or settings.sources["log_dir"] != DEFAULT:
        file = _make_file(path_of(settings, environ))
        file.setFormatter(PlainFormatter(_WITH_TIME))
        handlers.append(file)
    if not detached:
        stderr = logging.StreamHandler(sys.stderr)
        stderr.setFormatter(
            JournalFormatter("%(message)s") if is_journal(environ) else PlainFormatter(_WITH_TIME)
        )
        handlers.append(stderr)
    logging.basicConfig(level=settings.log_level.upper(), handlers=handlers, force=True)
    return file


def open_for_start(path: Path) -> int:
    """A descriptor of the log file for what a codexd writes before, or beside, its log: an interpreter's last words.

    Raises:
        CannotServe: the file cannot be made.
    """
    try:
        path.parent.mkdir(0o700, parents=True, exist_ok=True)
        return _open_checked(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    except OSError as error:
        raise CannotServe(f"the log file {path} cannot be written: {error.strerror}") from None


def is_journal(environ: Mapping[str, str]) -> bool:
    """Whether stderr is connected to systemd's journal: JOURNAL_STREAM is inherited by terminals started there."""
    status = os.fstat(sys.stderr.fileno())
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def _make_file(path: Path) -> LogFile:
    os.close(open_for_start(path))
    return LogFile(path, maxBytes=MAX_FILE_BYTES, backupCount=OLD_FILES)


def _open_checked(path: str | Path, flags: int) -> int:
    check_directory(Path(path).parent)
    return open_private(path, flags)
