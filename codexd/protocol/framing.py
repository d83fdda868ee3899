"""Bytes to lines: JSON lines as Codex speaks them, one object per `\\n`.

The splitter hands out `bytes`, never views of a buffer that grows: msgspec's `Raw` keeps its source alive, and a
`bytearray` that is being looked at cannot be resized (`BufferError`).
"""

from collections.abc import Iterable
from typing import NamedTuple

MAX_MESSAGE_BYTES = 128 * 1024 * 1024
HEAD_BYTES = 4096
"""How much of a line that is too long is kept, so that its id can be read and the error be addressed."""


class TooLong(NamedTuple):
    """A line beyond the limit. It stands in the result where the line would have stood; the rest of it is skipped.

    `head` is its beginning (at most `HEAD_BYTES`).
    """

    head: bytes


def head_of(parts: Iterable[bytes]) -> bytes:
    """The beginning of a line that has come in parts, for `TooLong`."""
    head = b""
    for part in parts:
        head += part[: HEAD_BYTES - len(head)]
    return head


class LineSplitter:
    """Splits a stream of chunks into lines without their line feed; blank lines are skipped.

    A line may be `limit` bytes long. A longer one is reported once, as soon as it is known to be too long, and is
    skipped to its end; memory stays within the limit however much of it comes.
    """

    def __init__(self, limit: int = MAX_MESSAGE_BYTES) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._buffered = 0
        self._skipping = False

    @property
    def buffered_bytes(self) -> int:
        """How much of an unfinished line is held."""
        return self._buffered

    def feed(self, chunk: bytes) -> list[bytes | TooLong]:
        """Takes the next chunk; returns the lines it completes, in order."""
        *complete, rest = chunk.split(b"\n")
        found: list[bytes | TooLong] = []
        for piece in complete:
            self._end_line(piece, found)
        if rest:
            self._grow(rest, found)
        return found

    def give_up(self) -> TooLong | None:
        """Treats the unfinished line as too long (the shared buffer is full); `None` if there is none."""
        if self._skipping or not self._parts:
            return None
        head = head_of(self._parts)
        self._clear()
        self.skip()
        return TooLong(head)

    def take_begun(self) -> bytes:
        """Takes the unfinished line out, as if nothing of it had come."""
        begun = b"".join(self._parts)
        self._clear()
        return begun

    def skip(self) -> None:
        """Skips what comes up to the next line feed."""
        self._skipping = True

    def _end_line(self, piece: bytes, found: list[bytes | TooLong]) -> None:
        if self._skipping:
            self._skipping = False
            return
        if not self._parts:
            line = piece
        else:
            self._parts.append(piece)
            line = b"".join(self._parts)
            self._clear()
        if len(line) > self._limit:
            found.append(TooLong(line[:HEAD_BYTES]))
        elif not line.isspace() and line:
            found.append(line)

    def _grow(self, rest: bytes, found: list[bytes | TooLong]) -> None:
        if self._skipping:
            return
        self._parts.append(rest)
        self._buffered += len(rest)
        if self._buffered > self._limit:
            too_long = self.give_up()
            assert too_long is not None
            found.append(too_long)

    def _clear(self) -> None:
        self._parts.clear()
        self._buffered = 0
