"""A file of lines that is bounded, private, and whole whatever happens."""

import errno
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from codexd.runtime.rotated_file import RotatedFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is to be; its directory is not there yet."""
    return tmp_path / "logs" / "lines"


@pytest.fixture
def file(path: Path) -> Iterator[RotatedFile]:
    """One of 100 bytes, with two old ones."""
    file = RotatedFile(path, 100, 2)
    yield file
    file.close()


def test_it_is_private(file: RotatedFile, path: Path) -> None:
    """For its owner alone, whatever it was before; so is the directory that is made for it."""
    file.append(b"one\n")
    assert path.read_bytes() == b"one\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    path.chmod(0o644)
    file.close()
    file.append(b"two\n")
    assert path.read_bytes() == b"one\ntwo\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_it_is_rotated_by_size(file: RotatedFile, path: Path) -> None:
    """The newest lines are kept: in the file, then in .1, then in .2; none is longer than it may be."""
    for number in range(25):
        file.append(b"%039d\n" % number)
    kept = {each.name: [int(line) for line in each.read_text().split()] for each in path.parent.iterdir()}
    assert kept == {"lines": [24], "lines.1": [22, 23], "lines.2": [20, 21]}
    assert {each.stat().st_mode & 0o777 for each in path.parent.iterdir()} == {0o600}


def test_what_is_too_long_for_any_file_is_written(file: RotatedFile, path: Path) -> None:
    """To a file of its own."""
    file.append(b"x" * 199 + b"\n")
    file.append(b"short\n")
    assert path.read_bytes() == b"short\n"
    assert path.with_name("lines.1").stat().st_size == 200
    assert not path.with_name("lines.2").exists()


def test_what_was_there_counts(file: RotatedFile, path: Path) -> None:
    """An earlier codexd's file is gone on with, and rotated when it is full."""
    path.parent.mkdir()
    path.write_bytes(b"x" * 98 + b"\n")
    file.append(b"new\n")
    assert path.read_bytes() == b"new\n"
    assert path.with_name("lines.1").stat().st_size == 99


def test_it_goes_on_under_its_name(file: RotatedFile, path: Path) -> None:
    """After a close: somebody moved it away."""
    file.append(b"one\n")
    moved = path.rename(path.with_name("moved"))
    file.append(b"two\n")
    file.close()
    file.append(b"three\n")
    assert (moved.read_bytes(), path.read_bytes()) == (b"one\ntwo\n", b"three\n")


@pytest.mark.parametrize(
    ("found", "left"), [(b"one\nhal", b"one\n"), (b"half", b""), (b"one\n", b"one\n"), (b"", b"")]
)
def test_half_a_line_of_a_killed_process_is_cut_off(
    file: RotatedFile, path: Path, found: bytes, left: bytes
) -> None:
    """Each line of the file is a whole one."""
    path.parent.mkdir()
    path.write_bytes(found)
    file.append(b"new\n")
    assert path.read_bytes() == left + b"new\n"


def test_a_full_disk_leaves_no_half_line(file: RotatedFile, path: Path) -> None:
    """What does not fit is not there at all, and with room again the next is, in the file that then has the name."""
    file.append(b"one\n")
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        with pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
            file.append(b"this is too long\n")
        with pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
            file.append(b"this is too long\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert path.read_bytes() == b"one\n"
    moved = path.rename(path.with_name("moved"))
    file.append(b"two\n")
    assert (moved.read_bytes(), path.read_bytes()) == (b"one\n", b"two\n")


def test_a_place_where_no_file_can_be(path: Path) -> None:
    """A file in the place of its directory, until that is gone."""
    path.parent.write_text("in the way")
    file = RotatedFile(path, 100, 2)
    with pytest.raises(OSError, match=os.strerror(errno.EEXIST)):
        file.append(b"one\n")
    path.parent.unlink()
    file.append(b"two\n")
    file.close()
    assert path.read_bytes() == b"two\n"
