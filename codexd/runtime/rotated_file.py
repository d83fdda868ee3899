"""A file of whole lines that is bounded in size: the present one, and a few old ones with a number behind their names."""

import os
from contextlib import suppress
from pathlib import Path

from codexd.runtime.private_file import check_directory, open_private

_TAIL_BYTES = 1024 * 1024
"""How far from its end half a line is looked for; no line is as long."""


class RotatedFile:
    """Appends to a file of mode 0600, which it opens when it is needed, its directory made. Everything here may block."""

    def __init__(self, path: Path, max_bytes: int, old_files: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._old_files = old_files
        self._descriptor: int | None = None

    def append(self, lines: bytes) -> None:
        """Adds whole lines, all of them to one file. Only a first piece that is too long makes a file too long.

        Raises:
            OSError: none of them is there, and the next call tries with the file opened anew.
        """
        try:
            descriptor = self._opened()
            size = os.fstat(descriptor).st_size
            if size and size + len(lines) > self._max_bytes:
                self._rotate()
                descriptor, size = self._opened(), 0
            self._write(descriptor, size, lines)
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Lets go of the file: the next `append` opens the one that then has the name, or makes it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _opened(self) -> int:
        if self._descriptor is None:
            self._path.parent.mkdir(0o700, parents=True, exist_ok=True)
            check_directory(self._path.parent)
            self._descriptor = open_private(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
            _cut_off_half_line(self._descriptor)
        return self._descriptor

    def _rotate(self) -> None:
        self.close()
        names = [self._path, *(Path(f"{self._path}.{number + 1}") for number in range(self._old_files))]
        for older, newer in zip(reversed(names), reversed(names[:-1]), strict=False):
            with suppress(FileNotFoundError):
                newer.replace(older)

    def _write(self, descriptor: int, size: int, lines: bytes) -> None:
        left = memoryview(lines)
        try:
            while left:
                left = left[os.write(descriptor, left) :]
        except OSError:
            if len(left) < len(lines):
                os.ftruncate(descriptor, size)
            raise


def _cut_off_half_line(descriptor: int) -> None:
    """What a process leaves that was killed while it wrote."""
    size = os.fstat(descriptor).st_size
    if not size:
        return
    start = max(0, size - _TAIL_BYTES)
    tail = os.pread(descriptor, size - start, start)
    if not tail.endswith(b"\n"):
        os.ftruncate(descriptor, start + tail.rfind(b"\n") + 1)
