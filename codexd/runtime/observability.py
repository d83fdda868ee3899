"""The observability log: one line per message of Codex, written by a thread of its own.

The event loop only hands over what came; everything else is the thread's. It collects for a moment before it writes, so
that a lone message does not cost the loop a fight for the interpreter, and lets go of that after every piece. What a slow disk has not taken when the queue is full is dropped, and so is what a
full one refuses; how many those were is a line in the log when it goes on.
"""

import errno
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from msgspec import Struct

from codexd.routing.effects import Observed
from codexd.runtime import sse_line, threads
from codexd.runtime.rotated_file import RotatedFile

logger = logging.getLogger(__name__)

MAX_FILE_BYTES = 16 * 1024 * 1024
OLD_FILES = 3
MAX_QUEUED_BYTES = 8 * 1024 * 1024
"""The messages that wait, as long as they are; one that is longer than that may still be the last of them."""
ENTRY_BYTES = 200
"""What each costs beside its bytes."""
COLLECT_SECONDS = 0.1
CLOSE_SECONDS = 0.3
"""How long the end waits for the thread: codexd has to be gone five seconds after it was told to stop."""
PIECE_ENTRIES = 128
PIECE_BYTES = 64 * 1024
"""So much is written at once, or one message: the interpreter is the thread's for less than a millisecond."""


class _Dropped(Struct, frozen=True):
    at: float
    count: int


_Entry = Observed | _Dropped


class ObservabilityLog:
    """Takes what Codex has sent, never blocks, and writes it as long as its context lasts.

    The directory is made when there is something to write. A file that cannot be written is said once, and tried again
    with whatever comes next.
    """

    def __init__(
        self,
        path: Path,
        log_content: bool,
        *,
        max_file_bytes: int = MAX_FILE_BYTES,
        max_queued_bytes: int = MAX_QUEUED_BYTES,
    ) -> None:
        self._path = path
        self._log_content = log_content
        self._file = RotatedFile(path, max_file_bytes, OLD_FILES)
        self._max_queued_bytes = max_queued_bytes
        self._urgent_bytes = max_queued_bytes // 2
        self._thread = threading.Thread(target=self._run, name="observability", daemon=True)
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        # Guarded by the lock, which nobody holds for longer than a few assignments.
        self._pending: list[_Entry] = []
        self._queued_bytes = 0
        self._missed = _Dropped(0.0, 0)
        self._reopening = False
        self._closing = False
        # The thread's own.
        self._lost = 0

    def __enter__(self) -> Self:
        threads.start(self._thread)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Writes what waits, if that can be done in a moment."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(CLOSE_SECONDS)
        if self._thread.is_alive():
            logger.warning("%s is not written to its end: the disk is too slow", self._path)

    def put(self, burst: Sequence[Observed]) -> None:
        """What came at once, at least one message. Called by the event loop alone."""
        size = len(burst) * ENTRY_BYTES
        for observed in burst:
            size += len(observed.line)
        with self._lock:
            if self._queued_bytes > self._max_queued_bytes:
                self._missed = _Dropped(burst[-1].at, self._missed.count + len(burst))
                return
            if not self._pending or self._queued_bytes > self._urgent_bytes:
                self._changed.notify()
            if self._missed.count:
                self._take_in_missed()
            self._pending += burst
            self._queued_bytes += size

    def reopen(self) -> None:
        """What is not written yet goes to the file that then has the name; without one, the next line makes it."""
        with self._changed:
            self._reopening = True
            self._changed.notify()

    def _take_in_missed(self) -> None:
        self._pending.append(self._missed)
        self._missed = _Dropped(0.0, 0)

    def _is_urgent(self) -> bool:
        return self._closing or self._reopening or self._queued_bytes > self._urgent_bytes

    def _has_work(self) -> bool:
        return bool(self._pending or self._missed.count or self._reopening or self._closing)

    def _run(self) -> None:
        closing = False
        while not closing:
            with self._changed:
                self._changed.wait_for(self._has_work)
                self._changed.wait_for(self._is_urgent, COLLECT_SECONDS)
                if self._missed.count:
                    self._take_in_missed()
                entries, self._pending = self._pending, []
                taken_bytes = self._queued_bytes
                reopening, self._reopening = self._reopening, False
                closing = self._closing
            if reopening:
                self._file.close()
            for piece in _pieces(entries):
                self._write(piece)
            with self._changed:
                self._queued_bytes -= taken_bytes
        self._file.close()

    def _write(self, piece: Sequence[_Entry]) -> None:
        try:
            lines = [self._line(entry) for entry in piece]
            if self._lost:
                lines.insert(0, sse_line.of_dropped(piece[0].at, self._lost))
            self._file.append(b"".join(lines))
        except (OSError, MemoryError) as error:
            if not self._lost:
                logger.warning(
                    "%s cannot be written, what Codex sends is missing there: %s",
                    self._path,
                    error.strerror if isinstance(error, OSError) else os.strerror(errno.ENOMEM),
                )
            self._lost += sum(entry.count if isinstance(entry, _Dropped) else 1 for entry in piece)
        else:
            if self._lost:
                logger.info("%s is written again, %d messages are missing there", self._path, self._lost)
            self._lost = 0

    def _line(self, entry: _Entry) -> bytes:
        if isinstance(entry, _Dropped):
            return sse_line.of_dropped(entry.at, entry.count)
        return sse_line.of_message(entry, self._log_content)


def _pieces(entries: Sequence[_Entry]) -> Iterator[list[_Entry]]:
    piece: list[_Entry] = []
    size = 0
    for entry in entries:
        length = len(entry.line) if isinstance(entry, Observed) else 0
        if piece and (len(piece) == PIECE_ENTRIES or size + length > PIECE_BYTES):
            yield piece
            piece, size = [], 0
        piece.append(entry)
        size += length
    if piece:
        yield piece
