"""Bytes to lines, where a long line is checked and reduced while it comes, so that it takes little time at its end."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from codexd.protocol.bulk import LongLine
from codexd.protocol.framing import HEAD_BYTES, MAX_MESSAGE_BYTES, LineSplitter, TooLong, head_of
from codexd.protocol.reducer import Reducer

SLICE_BYTES = 64 * 1024
"""It takes less than a millisecond to check so much and to take it out (measured)."""
LONG_SLICES = 16
"""A longer line is reduced. A shorter one is read in less than 20 ms (measured), and reducing it would take longer."""
SLICES_AT_ONCE = 4


LONG_BYTES = LONG_SLICES * SLICE_BYTES


class Unread(NamedTuple):
    """A long line that has come at once, without its line feed: it is still to be reduced, a slice at a time."""

    parts: Sequence[bytes]

    def slices(self) -> Iterator[bytes]:
        """The line in pieces that a `Reducer` takes in a few milliseconds each, with a tab for each line feed in it."""
        for part in self.parts:
            for at in range(0, len(part), SLICES_AT_ONCE * SLICE_BYTES):
                yield part[at : at + SLICES_AT_ONCE * SLICE_BYTES].replace(b"\n", b"\t")


class Parts:
    """A message that comes in parts, of a byte each if the sender likes: short ones are put together."""

    def __init__(self) -> None:
        self.length = 0
        self._parts: list[bytes] = []
        self._short = bytearray()

    def add(self, part: bytes) -> None:
        """Takes the next part."""
        self.length += len(part)
        if len(part) < SLICE_BYTES:
            self._short += part
            if len(self._short) < SLICE_BYTES:
                return
            part = b""
        self._parts += [bytes(self._short), part]
        self._short.clear()

    def take(self) -> bytes | Unread:
        """The message as one line, if it is short. The next part begins another."""
        length, parts = self.length, self._take_parts()
        return Unread(parts) if length > LONG_BYTES else b"".join(parts).replace(b"\n", b"\t")

    def take_head(self) -> bytes:
        """The beginning of a message that is given up."""
        return head_of(self._take_parts())

    def _take_parts(self) -> list[bytes]:
        parts = [*self._parts, bytes(self._short)]
        self.length = 0
        self._parts.clear()
        self._short.clear()
        return parts


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
