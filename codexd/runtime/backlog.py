"""What waits for a client behind a stretch of the timeline: bytes, further stretches, and questions, in order."""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import trio

from codexd.routing.events import Event, Gap, Selection, View
from codexd.runtime.transport import Framing

Errand = Callable[[], Awaitable[Callable[[], None]]]
"""Something that is done when all before it has been sent; what it returns is called then, and may queue the outcome."""


class Stretch:
    """Events that are read back from the timeline: what `selection` says of those from `next` to `last`.

    `last`: None as long as the stretch is open; it reaches as far as events have come. `told`: what the client knows to be missing of it; None: nothing may be.
    """

    def __init__(self, first: int, last: int | None, selection: Selection, told: Gap | None = None) -> None:
        self.next = first
        self.last = last
        self.selection = selection
        self.told = told

    def chunk(self, events: Sequence[Event], framing: Framing) -> bytes:
        """The bytes of those of these events that the client is sent; empty when there is none among them."""
        lines = [line for event in events if (line := self.selection.line(event)) is not None]
        return framing.chunk(lines) if lines else b""


Waiting = bytes | Stretch | Errand


class Backlog:
    """A queue whose bytes are counted. Empty as long as a client keeps up and asks for nothing past.

    `asked`: how many times the client, which takes nothing, has asked for something all the same.
    """

    def __init__(self) -> None:
        self._queue: deque[Waiting] = deque()
        self._filled = trio.Event()
        self._empty = trio.Event()
        self._empty.set()
        self.bytes = self.asked = 0

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def first(self) -> Waiting | None:
        """What is next; `None` when nothing waits."""
        return self._queue[0] if self._queue else None

    @property
    def oldest_needed(self) -> int | None:
        """The oldest number that is still to be read."""
        return min((waiting.next for waiting in self._queue if isinstance(waiting, Stretch)), default=None)

    def add(self, waiting: Waiting) -> None:
        """Queues something."""
        if not self._queue:
            self._empty = trio.Event()
        self._queue.append(waiting)
        if isinstance(waiting, bytes):
            self.bytes += len(waiting)
        self.asked += _is_asked_for(waiting)
        self._filled.set()

    def pop(self) -> Waiting:
        """Takes what is next."""
        waiting = self._queue.popleft()
        if isinstance(waiting, bytes):
            self.bytes -= len(waiting)
        self.asked -= _is_asked_for(waiting)
        if not self._queue:
            self._has_emptied()
        return waiting

    def clear(self) -> None:
        """Nothing of it will be sent."""
        self._queue.clear()
        self.bytes = self.asked = 0
        self._has_emptied()

    async def wait_filled(self) -> None:
        """Waits until there is something."""
        await self._filled.wait()

    async def wait_empty(self) -> None:
        """Waits until there is nothing."""
        await self._empty.wait()

    def _has_emptied(self) -> None:
        self._filled = trio.Event()
        self._empty.set()


def _is_asked_for(waiting: Waiting) -> bool:
    """A question, or what one is answered with; everything else comes unasked."""
    if isinstance(waiting, Stretch):
        return not isinstance(waiting.selection, View)
    return not isinstance(waiting, bytes)
