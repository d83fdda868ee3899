"""The log: where it goes, that it is private, that it is rotated and can be opened again."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import TextIO

import pytest

from codexd.protocol import socket_path
from codexd.service import log_file
from codexd.service.errors import CannotServe
from tests.service.place import Place

logger = logging.getLogger("test")


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """The tests set the root logger up; pytest's own handlers come back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers, root.level = handlers, level


@contextmanager
def stderr_in(place: Place) -> Iterator[TextIO]:
    """A file in the place of stderr."""
    with (place.root / "stderr").open("w+") as file, redirect_stderr(file):
        yield file


def written(file: TextIO) -> str:
    """What stands in it."""
    file.seek(0)
    return file.read()


def test_detached_it_is_a_private_file(place: Place) -> None:
    """A detached codexd logs to the user's log directory, for his eyes only, and not to stderr."""
    with stderr_in(place) as stderr:
        log_file.configure(place.instance().settings, place.environ, detached=True)
        logger.info("hello")
        assert place.log.read_text().endswith(" INFO test: hello\n")
        assert place.log.stat().st_mode & 0o777 == 0o600
        assert place.log.parent.stat().st_mode & 0o777 == 0o700
        assert written(stderr) == ""


def test_in_the_foreground_it_is_stderr(place: Place) -> None:
    """In the foreground the log is what one sees; no file is made that nobody asked for."""
    with stderr_in(place) as stderr:
        assert log_file.configure(place.instance().settings, place.environ, detached=False) is None
        logger.info("hello")
        assert written(stderr).endswith(" INFO test: hello\n")
        assert not place.log.exists()


def test_in_the_foreground_a_file_is_written_when_asked_for(place: Place) -> None:
    """--log-dir means a file, in the foreground too, beside what one sees."""
    with stderr_in(place) as stderr:
        settings = place.instance(log_dir=str(place.root / "logs")).settings
        log_file.configure(settings, place.environ, detached=False)
        logger.info("hello")
        assert (place.root / "logs" / "codexd.log").read_text() == written(stderr)


def test_another_codex_home_has_another_file(place: Place) -> None:
    """Two codexds do not rotate one file under each other's hands."""
    home = place.home / "other"
    settings = place.instance(codex_home=str(home)).settings
    hashed = socket_path.home_hash(home)
    assert log_file.path_of(settings, place.environ) == place.log.with_name(f"codexd-{hashed}.log")


def test_the_observability_log_is_among_the_users_centralized_logs(place: Place) -> None:
    """If there are any; --log-dir comes first, else it is beside the log, whose place never changes."""
    settings = place.instance().settings
    asked = place.instance(log_dir="/l").settings
    own = place.instance(codex_home=str(place.home / "other")).settings
    hashed = socket_path.home_hash(place.home / "other")
    centralized = place.home / "centralized-logs" / "codex"
    assert log_file.observability_path_of(settings, place.environ) == place.log.with_name("sse_lines.jsonl")
    centralized.mkdir(parents=True)
    assert log_file.observability_path_of(settings, place.environ) == centralized / "sse_lines.jsonl"
    assert log_file.observability_path_of(own, place.environ) == centralized / f"sse_lines-{hashed}.jsonl"
    assert log_file.observability_path_of(asked, place.environ) == Path("/l/sse_lines.jsonl")
    assert log_file.path_of(settings, place.environ) == place.log


def test_the_level_is_the_settings(place: Place) -> None:
    """What is below the level is not written."""
    with stderr_in(place) as stderr:
        settings = place.instance().settings._replace(log_level="warning")
        log_file.configure(settings, place.environ, detached=False)
        logger.info("no")
        logger.warning("yes")
        assert written(stderr).endswith("yes\n")
        assert "no" not in written(stderr)


def test_the_journal_gets_priorities_and_no_time(place: Place) -> None:
    """The journal has the time itself; the priority is in the prefix, and a text of two lines stays one entry's."""
    with stderr_in(place) as stderr:
        status = os.fstat(stderr.fileno())
        environ = place.environ | {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        log_file.configure(place.instance().settings, environ, detached=False)
        logger.error("two\nlines")
        logger.log(25, "between")
        assert written(stderr) == "<3>two\n  lines\n<6>between\n"


def test_a_journal_of_somebody_else_is_none(place: Place) -> None:
    """A terminal that was started by a service inherits the variable, and is still a terminal."""
    with stderr_in(place):
        assert not log_file.is_journal(place.environ | {"JOURNAL_STREAM": "1:2"})


def test_it_is_rotated_and_every_piece_is_private(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is bounded, and the old ones too, in size and number."""
    monkeypatch.setattr(log_file, "MAX_FILE_BYTES", 500)
    log_file.configure(place.instance().settings, place.environ, detached=True)
    for number in range(100):
        logger.info("line %d", number)
    files = sorted(place.log.parent.iterdir())
    assert [file.name for file in files] == ["codexd.log", *(f"codexd.log.{n}" for n in (1, 2, 3))]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert max(file.stat().st_size for file in files) <= 500


def test_it_can_be_opened_again(place: Place) -> None:
    """After somebody moved the file away, a reopen goes on in a new one of the old name."""
    file = log_file.configure(place.instance().settings, place.environ, detached=True)
    assert file is not None
    logger.info("before")
    moved = place.log.rename(place.log.with_name("moved"))
    file.reopen()
    logger.info("after")
    assert moved.read_text().endswith("before\n")
    assert place.log.read_text().endswith("after\n")


def test_a_log_that_cannot_be_written_is_said(place: Place) -> None:
    """Better not to start than to be silent for ever."""
    settings = place.instance(log_dir="/proc/logs").settings
    with pytest.raises(
        CannotServe, match=r"the log file /proc/logs/codexd.log cannot be written: No such file"
    ):
        log_file.configure(settings, place.environ, detached=True)


def test_a_planted_link_is_not_written_through(place: Place) -> None:
    """In a log directory that others could write to once, it led codexd to any file of its user."""
    victim = place.root / "victim"
    victim.write_text("mine")
    place.log.parent.mkdir(parents=True, mode=0o700)
    place.log.symlink_to(victim)
    with pytest.raises(
        CannotServe, match=f"the log file {place.log} cannot be written: it is a symbolic link"
    ):
        log_file.configure(place.instance().settings, place.environ, detached=True)
    assert victim.read_text() == "mine"


def test_what_cannot_be_logged_is_dropped(place: Place) -> None:
    """Something in the file's place after a rotation is no traceback on stderr, and ends nobody."""
    with stderr_in(place) as stderr:
        file = log_file.configure(place.instance().settings, place.environ, detached=True)
        assert file is not None
        place.log.unlink()
        place.log.symlink_to("/dev/full")
        file.reopen()
        logger.info("hello")
        assert written(stderr) == ""


def test_a_full_disk_does_not_keep_it_from_being_opened_again(place: Place) -> None:
    """What the disk did not take is tried again when the file is closed: that ended codexd at the next SIGHUP."""
    file = log_file.configure(place.instance().settings, place.environ, detached=True)
    assert file is not None
    logger.info("before")
    assert file.stream is not None
    os.dup2(os.open("/dev/full", os.O_WRONLY), file.stream.fileno())
    logger.info("lost")
    file.reopen()
    logger.info("after")
    assert [line.rpartition(" ")[2] for line in place.log.read_text().splitlines()] == ["before", "after"]
