"""When to look at what is Codex's own: soon after something that may have started or ended a process.

And then again at growing distances, because what was started goes on to start others. When nothing has happened for
a while nobody looks: an idle codexd does not wake up.
"""

import math
import re
from collections.abc import Awaitable, Callable
from typing import NoReturn

import trio

from codexd.protocol.catalogue import SAFE_TO_RETRY

AFTER_SECONDS = (0.02, 0.1, 0.5, 2.5, 12.5, 60.0)
"""The distances between the looks after a stir: the first one lets a command be started that was just asked for."""
LEAST_SECONDS = 0.1
"""Between two looks. One takes 1 ms for each hundred processes of the system (measured)."""

_HEAD_BYTES = 300
_METHOD = re.compile(rb'"method"\s*:\s*"([^"]+)"')


class Watch:
    """Calls `look` when it is time."""

    def __init__(self, look: Callable[[], Awaitable[None]]) -> None:
        self._look = look
        self._scope = trio.CancelScope()
        self._distances = iter(AFTER_SECONDS)
        self._looked_at = -math.inf
        self._due = -math.inf

    def stir(self) -> None:
        """Something has passed that may have started or ended a process."""
        self._distances = iter(AFTER_SECONDS)
        earliest = max(self._looked_at + LEAST_SECONDS, trio.current_time() + next(self._distances))
        self._due = min(self._due, earliest)
        self._scope.deadline = self._due

    async def run(self) -> NoReturn:
        """Looks at once, and from then on as it is stirred."""
        while True:
            with trio.CancelScope(deadline=self._due) as self._scope:
                await trio.sleep_forever()
            self._due = math.inf
            await self._look()
            self._looked_at = trio.current_time()
            # A stir during the look has set a time that may be over by now.
            earliest = max(self._due, self._looked_at + LEAST_SECONDS)
            self._due = min(earliest, self._looked_at + next(self._distances, math.inf))


def may_matter(line: bytes, answered: str | None = None) -> bool:
    """Whether what this line says, or asks for, may start or end a process.

    Args:
        line: a message in either direction.
        answered: the method that it answers, where that is known.

    Most messages are pieces of text, and most requests of idle clients only read: those are told by their methods.
    """
    method = answered or _method_of(line)
    return not (method in SAFE_TO_RETRY or method.lower().endswith("delta")) or method in _STARTS


_STARTS = frozenset({"thread/resume", "turn/interrupt"})
"""Among the requests that may be repeated, those that start MCP servers or end a command."""


def _method_of(line: bytes) -> str:
    found = _METHOD.search(line, 0, _HEAD_BYTES)
    return found[1].decode(errors="replace") if found else ""
