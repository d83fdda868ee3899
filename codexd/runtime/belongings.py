"""What is Codex's own, looked up while Codex lives and kept on disk for the codexd that comes after a `kill -9`.

See `ownership` for what that is, and docs/processes.md for what is done with it.
"""

import logging
import os
import threading
import time
from pathlib import Path

import msgspec

from codexd.runtime import ownership, process_table
from codexd.runtime.ownership import Record

logger = logging.getLogger(__name__)

DYING_SECONDS = 2.0
"""How long the end of a killed Codex may take, thread by thread, each of which takes its children with it."""


class Belongings:
    """The record of one Codex after another. Everything here blocks for milliseconds: call it in a thread.

    `file`: where it is kept, its directory exists and is private; None: in memory alone.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = None if file is None else _RecordFile(file)
        self._lock = threading.Lock()
        self._record: Record | None = None
        self._recent: list[tuple[float, Record]] = []

    def look(self, codex: int, *, last: bool = False) -> None:
        """Takes down what is Codex's own now. Nothing happens when Codex does not live, or after the last look.

        Args:
            codex: its pid.
            last: Codex is told to end right after this.

        Raises:
            OSError: there is no descriptor or memory left to look with.
        """
        with self._lock:
            before = self._record if self._record is not None and self._record.codex == codex else None
            if before is not None and before.is_last:
                return
            table = process_table.look()
            if codex not in table:
                return
            now = ownership.record(codex, table, before, process_table.era())
            # While Codex dies its children change hands: such a look would say that all of them have left.
            living = process_table.at(codex)
            if living is None or living.ended or living.started != table[codex].started:
                return
            now = msgspec.structs.replace(now, is_last=last)
            self._remember(now)
            if self._file is not None and now != before:
                self._file.write(now)

    def _remember(self, record: Record) -> None:
        self._recent = [*self._undoubted(), (time.monotonic(), record)]
        self._record = record

    def _undoubted(self) -> list[tuple[float, Record]]:
        """The looks of the last `DYING_SECONDS`, and the last one before them: then Codex was not dying yet."""
        begin = time.monotonic() - DYING_SECONDS
        older = [look for look in self._recent if look[0] < begin]
        return older[-1:] + [look for look in self._recent if look[0] >= begin]

    def of(self, codex: int) -> Record:
        """What the last look at this Codex found, its end included; an empty record when there was none.

        A look while Codex was dying may have found that somebody has left who has only lost a parent that died with
        Codex. So who was there a moment before is recorded, too, as long as Codex was not told to end.
        """
        with self._lock:
            record = self._record
            if record is None or record.codex != codex:
                return Record(process_table.era(), codex, [], [])
            if record.is_last:
                return record
            members = {member.pid: member for _, look in self._undoubted() for member in look.members}
            return msgspec.structs.replace(record, members=list(members.values()))

    def left_by_a_killed_codexd(self) -> Record | None:
        """What the file says; None when there is none, or it is of another boot."""
        found = None if self._file is None else self._file.read()
        return found if found is not None and found.era == process_table.era() else None

    def forget(self) -> None:
        """Everything that was recorded has ended."""
        with self._lock:
            self._record = None
            self._recent = []
            if self._file is not None:
                self._file.remove()


class _RecordFile:
    """Replaced as a whole, never written in place. What goes wrong costs the codexd after a `kill -9` what it would do."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_writable = True

    def read(self) -> Record | None:
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            with open(descriptor, "rb") as file:
                return msgspec.json.decode(file.read(), type=Record)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            logger.warning(
                "%s is of no use (%s): what an earlier codexd left is not ended", self._path, error
            )
            return None

    def write(self, record: Record) -> None:
        fresh = self._path.with_name(self._path.name + ".new")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            fresh.unlink(missing_ok=True)
            with open(os.open(fresh, flags, 0o600), "wb") as file:
                file.write(msgspec.json.encode(record))
            fresh.replace(self._path)
        except OSError as error:
            if self._is_writable:
                logger.warning(
                    "%s cannot be written, so nobody could end what is left should codexd be killed: %s",
                    self._path,
                    error.strerror,
                )
            self._is_writable = False
        else:
            self._is_writable = True

    def remove(self) -> None:
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            logger.warning("%s cannot be removed: %s", self._path, error.strerror)
