"""Files that codexd writes: nothing that somebody else has put in their place is written to."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from codexd.runtime.private_file import check_directory, open_private

FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT
ONLY_ROOT = pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file to somebody else")


def link(path: Path, victim: Path) -> None:
    path.symlink_to(victim)


def dangling_link(path: Path, victim: Path) -> None:
    path.symlink_to(victim.with_name("missing"))


def hard_link(path: Path, victim: Path) -> None:
    path.hardlink_to(victim)


def directory(path: Path, _: Path) -> None:
    path.mkdir()


def fifo_without_reader(path: Path, _: Path) -> None:
    os.mkfifo(path)


def fifo_with_reader(path: Path, _: Path) -> None:
    os.mkfifo(path)
    os.open(path, os.O_RDONLY | os.O_NONBLOCK)


@pytest.mark.parametrize(
    ("plant", "why"),
    [
        (link, "it is a symbolic link, and codexd writes through none"),
        (dangling_link, "it is a symbolic link, and codexd writes through none"),
        (hard_link, "it has another name as well, a hard link"),
        (directory, "Is a directory"),
        (fifo_without_reader, "it is no regular file"),
        (fifo_with_reader, "it is no regular file"),
    ],
)
def test_what_is_planted_in_a_files_place_is_not_touched(
    tmp_path: Path, plant: Callable[[Path, Path], None], why: str
) -> None:
    """A planted link once had codexd append to, cut and change the mode of its target."""
    victim = tmp_path / "victim"
    victim.write_text("half a line")
    victim.chmod(0o644)
    path = tmp_path / "codexd.log"
    plant(path, victim)
    with pytest.raises(OSError, match=why):
        open_private(path, FLAGS)
    assert victim.read_text() == "half a line"
    assert stat.S_IMODE(victim.stat().st_mode) == 0o644
    assert not (tmp_path / "missing").exists()


@ONLY_ROOT
def test_a_file_of_another_user_is_not_used(tmp_path: Path) -> None:
    """Whoever owns it reads what is written to it."""
    path = tmp_path / "codexd.log"
    path.touch()
    os.chown(path, 1, 1)
    with pytest.raises(OSError, match="it belongs to another user"):
        open_private(path, FLAGS)


def test_a_file_of_ones_own_is_for_oneself(tmp_path: Path) -> None:
    """It is made with mode 0600, and has it afterwards if it was there already."""
    path = tmp_path / "codexd.log"
    for _ in range(2):
        os.close(open_private(path, FLAGS))
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        path.chmod(0o666)


def test_a_directory_that_others_write_to_is_refused(tmp_path: Path) -> None:
    """Whatever is in it may be somebody else's by the next look."""
    tmp_path.chmod(0o755)
    check_directory(tmp_path)
    tmp_path.chmod(0o1777)
    with pytest.raises(
        OSError, match=f"others may write to the directory; forbid it with: chmod go-w {tmp_path}"
    ):
        check_directory(tmp_path)


@ONLY_ROOT
def test_a_directory_of_another_user_is_refused(tmp_path: Path) -> None:
    """Its owner can put anything there."""
    os.chown(tmp_path, 1, 1)
    with pytest.raises(OSError, match="the directory belongs to another user"):
        check_directory(tmp_path)
