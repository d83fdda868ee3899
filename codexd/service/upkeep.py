"""What codexd stands on, looked after: its claim on the CODEX_HOME, its lock, its sockets, their directories, its timeline.

Somebody may remove or replace any of them while codexd runs: a cleaner of temporary files, a logout that removes
`/run/user/UID`, a user. codexd looks every `CHECK_SECONDS`, on SIGHUP, which codexctl sends when it finds the lock held
and no socket, and before it starts a Codex. What is gone is made anew; connected clients notice nothing. What somebody
else has put there is left alone and said in the log. A look costs a few `stat` in a worker thread, and so does mending,
because a directory on a network may not answer and a lock may have to be waited for.
"""

import logging
import os
import socket
from collections.abc import Callable, Sequence
from enum import Enum
from pathlib import Path
from typing import NamedTuple, NoReturn, Protocol

import trio

from codexd.protocol.program import sentence_of
from codexd.runtime.threads import in_thread
from codexd.service.errors import CannotServe
from codexd.service.home_claim import HomeClaim
from codexd.service.locks import AlreadyRunning, Lock
from codexd.service.sockets import OwnSocket, make_private_directory

logger = logging.getLogger(__name__)

CHECK_SECONDS = 30.0
"""How long something may be gone unnoticed, when nobody says so."""


class Part(Protocol):
    """Something that codexd stands on; all of it is called in a worker thread."""

    def is_whole(self) -> bool:
        """Whether it is there, and ours. Changes nothing."""

    def mend(self) -> None:
        """Makes it anew. Raises `AlreadyRunning` when another codexd has it, `CannotServe` when it cannot be had."""


class Outcome(Enum):
    """What became of something that was gone."""

    MENDED = "made anew"
    STILL_GONE = "cannot be had just now"
    TAKEN = "another codexd's now"


class Upkeep:
    """Looks after the parts, given by what they are called, in an order in which they can be made anew."""

    def __init__(
        self, parts: Sequence[tuple[str, Part]], mended: Callable[[], None], displaced: Callable[[], None]
    ) -> None:
        """`mended` is called after something was made anew, `displaced` when another codexd has taken over."""
        self._parts = parts
        self._mended = mended
        self._displaced = displaced
        self._asked = trio.Event()
        self._said: dict[str, str] = {}

    def ask(self) -> None:
        """Has it look now."""
        self._asked.set()

    async def run(self) -> NoReturn:
        """Looks, for ever."""
        while True:
            with trio.move_on_after(CHECK_SECONDS):
                await self._asked.wait()
            self._asked = trio.Event()
            await self.look()

    async def look(self) -> None:
        """Looks once, and makes anew what is gone."""
        try:
            broken = await in_thread(self._broken, abandon_on_cancel=True)
            if not broken:
                return
            done = await in_thread(self._mend_all, broken)
        except (
            OSError,
            MemoryError,
        ) as error:  # no thread, descriptor or memory now; the next look is not far
            logger.warning("cannot check whether socket and locks still exist: %s", sentence_of(error))
            return
        if Outcome.MENDED in done:
            self._mended()
        if Outcome.TAKEN in done:
            self._displaced()

    def _broken(self) -> list[tuple[str, Part]]:
        return [(name, part) for name, part in self._parts if not part.is_whole()]

    def _mend_all(self, broken: Sequence[tuple[str, Part]]) -> set[Outcome]:
        return {self._mend(name, part) for name, part in broken}

    def _mend(self, name: str, part: Part) -> Outcome:
        try:
            part.mend()
        except AlreadyRunning as other:
            logger.error("%s was gone, and another codexd has it now; this one ends: %s", name, other)
            return Outcome.TAKEN
        except CannotServe as refusal:
            if self._said.get(name) != str(refusal):
                self._said[name] = str(refusal)
                logger.error("%s is gone and cannot be made anew: %s", name, refusal)
            return Outcome.STILL_GONE
        self._said.pop(name, None)
        if not part.is_whole():
            return Outcome.STILL_GONE
        logger.warning("%s was gone, and has been made anew", name)
        return Outcome.MENDED


class LockedDirectory:
    """A private directory with a lock in it; both are made anew."""

    def __init__(self, lock: Lock) -> None:
        self._lock = lock

    def is_whole(self) -> bool:
        """Whether the lock is in the directory of that name."""
        return self._lock.is_ours()

    def mend(self) -> None:
        """Makes the directory if it is missing, and takes the lock."""
        make_private_directory(self._lock.path.parent)
        self._lock.take()


class ServedSocket:
    """A socket that clients are accepted on; `replaced` is given the old and the new one, and owns the old."""

    def __init__(self, own: OwnSocket, replaced: Callable[[socket.socket, socket.socket], None]) -> None:
        self._own = own
        self._replaced = replaced

    def is_whole(self) -> bool:
        """Whether the path leads to it."""
        return self._own.is_whole()

    def mend(self) -> None:
        """Listens anew. Another codexd that has the path has not taken over: it serves another CODEX_HOME."""
        was_handed_over = self._own.is_handed_over
        try:
            old = self._own.mend()
        except AlreadyRunning as other:
            raise CannotServe(str(other)) from None
        if old is None:
            return
        try:
            self._replaced(old, self._own.listener)
        except BaseException:  # codexd is ending
            old.close()
            raise
        if was_handed_over:
            logger.warning(
                "the socket %s of systemd is gone, and only systemd can make its own anew: until then codexd listens "
                "there itself; systemd does it with: systemctl --user stop codexd.socket codexd.service, and then "
                "systemctl --user start codexd.socket",
                self._own.path,
            )


class KeptFile:
    """A file that somebody in trio's thread makes anew, some time after being told to look."""

    def __init__(self, path: Path, look: Callable[[], None]) -> None:
        self._path = path
        self._look = look

    def is_whole(self) -> bool:
        """Whether there is one of that name."""
        return os.path.lexists(self._path)

    def mend(self) -> None:
        """Has it looked for."""
        trio.from_thread.run_sync(self._look)


class Grounds(NamedTuple):
    """All that a codexd holds while it serves; the sockets are codexd's own, then further ones."""

    claim: HomeClaim
    lock: Lock
    sockets: list[OwnSocket]

    def parts(self, replaced: Callable[[socket.socket, socket.socket], None]) -> list[tuple[str, Part]]:
        """What is to be looked after. `replaced` takes clients at the second socket, and owns the first from then on.

        It is called in trio's thread.
        """

        def in_trio(old: socket.socket, new: socket.socket) -> None:
            trio.from_thread.run_sync(replaced, old, new)

        return [
            (f"the claim on {self.claim.path}", self.claim),
            (f"the lock {self.lock.path}", LockedDirectory(self.lock)),
            *((f"the socket {own.path}", ServedSocket(own, in_trio)) for own in self.sockets),
        ]
