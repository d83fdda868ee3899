"""Bytes to lines, where a long line is checked and reduced while it comes, so that it takes little time at its end."""

from codexd.protocol.bulk import LongLine
from codexd.protocol.framing import HEAD_BYTES, MAX_MESSAGE_BYTES, LineSplitter, TooLong
from codexd.protocol.reducer import Reducer

SLICE_BYTES = 64 * 1024
"""It takes less than a millisecond to check so much and to take it out (measured)."""
LONG_SLICES = 16
"""A longer line is reduced. A shorter one is read in less than 20 ms (measured), and reducing it would take longer."""


class LongLineSplitter:
    """A `LineSplitter` whose long lines are `LongLine`s, where they can be reduced.

    It holds as much of an unfinished line as has come, at most `limit`.
    """

    def __init__(self, limit: int = MAX_MESSAGE_BYTES, slice_bytes: int | None = None) -> None:
        self._limit = limit
        self._slice_bytes = slice_bytes or SLICE_BYTES
        self._short = LineSplitter(limit)
        self._long: Reducer | None = None
        self._long_bytes = 0
        self._head = b""

    @property
    def buffered_bytes(self) -> int:
        """How much of an unfinished line is held."""
        return self._short.buffered_bytes if self._long is None else self._long_bytes

    def feed(self, chunk: bytes) -> list[bytes | TooLong | LongLine]:
        """Takes the next chunk; returns the lines it completes, in order."""
        found: list[bytes | TooLong | LongLine] = []
        if self._long is not None:
            piece, line_feed, chunk = chunk.partition(b"\n")
            self._long_bytes += len(piece)
            if self._long_bytes > self._limit:
                found.append(self._end_too_long(has_ended=bool(line_feed)))
            elif line_feed:
                found += self._finished(self._long.finish(piece))
            else:
                self._long.feed(piece)
        if chunk:
            found += self._short.feed(chunk)
            if self._short.buffered_bytes > LONG_SLICES * self._slice_bytes:
                self._begin_long()
        return found

    def give_up(self) -> TooLong | None:
        """Treats the unfinished line as too long (the shared buffer is full); `None` if there is none."""
        return self._short.give_up() if self._long is None else self._end_too_long(has_ended=False)

    def _begin_long(self) -> None:
        begun = self._short.take_begun()
        self._head = begun[:HEAD_BYTES]
        self._long_bytes = len(begun)
        self._long = Reducer(self._slice_bytes)
        self._long.feed(begun)

    def _finished(self, line: bytes | LongLine) -> list[bytes | LongLine]:
        self._long = None
        return [] if isinstance(line, bytes) and line.isspace() else [line]

    def _end_too_long(self, *, has_ended: bool) -> TooLong:
        self._long = None
        if not has_ended:
            self._short.skip()
        return TooLong(self._head)
