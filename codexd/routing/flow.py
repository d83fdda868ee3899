"""When a request may be handed to Codex: the window, the clients' turns, and the second tries.

Codex takes lines from its stdin in order into a queue of 128, and refuses, or drops without a word, what does not
fit (measured: of 3,000 requests in a burst 705 were never answered). It says nothing of how full the queue is. But
an answer proves that the request was taken from the queue, and so was all that had been sent before it. So:

Rule 1. At most `WINDOW` requests are under way beyond the newest one that an answer has proven to be taken. How long
        any of them takes, or whether it is ever answered, does not matter. A client's notification counts like one:
        it is never answered, and takes a place in Codex's queue.
Rule 2. At most `SHARE` of those belong to one client, so that a newcomer's request has a handful before it.
Rule 3. Clients take turns, one request each. codexd itself is one of them.
Rule 4. When something waits and cannot be sent, a marker is sent: a request that Codex answers at once. One place of
        the window is kept for it.
Rule 5. A request that Codex refused as overloaded was not executed. It proves nothing, gives its place back, and is
        sent again after a while, before what came after it.
Rule 6. While large answers wait for a client, none of its requests is sent, so that one that asks and does not read
        costs no more memory. What ends something is sent if it is first in its client's queue.

Invariant: the requests under way beyond the newest proven one are the keys of `_unproven`, in the order of sending.
"""

import heapq
import itertools
from collections import deque

from codexd.routing.effects import ClientId
from codexd.routing.handles import ENDS_SOMETHING
from codexd.routing.requests import Call

WINDOW = 96
SHARE = 32
QUEUE_REQUESTS = 256
QUEUE_BYTES = 8 * 1024 * 1024
"""A client with more than this waiting is not read until half of it has gone."""
RETRY_SECONDS = (0.02, 0.05, 0.1, 0.25, 0.5)
"""How long a refused request waits before its second, third, ... try; the last one holds for all further ones."""

Owner = ClientId | None
"""Whose request it is; `None` is codexd itself."""


class _Queue:
    def __init__(self) -> None:
        self.calls: deque[Call] = deque()
        self.bytes = 0
        self.unproven = 0

    @property
    def is_full(self) -> bool:
        return len(self.calls) >= QUEUE_REQUESTS or self.bytes >= QUEUE_BYTES

    @property
    def is_low(self) -> bool:
        return len(self.calls) <= QUEUE_REQUESTS // 2 and self.bytes <= QUEUE_BYTES // 2


class Flow:
    """The queues of all clients and the window they share."""

    def __init__(self) -> None:
        self._queues: dict[Owner, _Queue] = {}
        self._turns: deque[Owner] = deque()
        self._unproven: dict[int, Owner] = {}
        self._marker: int | None = None
        self._held: set[Owner] = set()
        self._retries: list[tuple[float, int, Call]] = []
        self._order = itertools.count()

    def offer(self, call: Call, *, first: bool = False) -> None:
        """Queues a request of its owner; `first`: before what the owner has waiting."""
        queue = self._queues.setdefault(call.owner, _Queue())
        if not queue.calls:
            self._turns.append(call.owner)
        (queue.calls.appendleft if first else queue.calls.append)(call)
        queue.bytes += call.size

    def take(self) -> Call | None:
        """The next request that may be sent now, or `None`. The caller sends it, or parks or answers it."""
        if len(self._unproven) >= WINDOW - 1:
            return None
        for _ in range(len(self._turns)):
            owner = self._turns.popleft()
            queue = self._queues[owner]
            if queue.unproven >= SHARE or self._is_held(owner):
                self._turns.append(owner)
                continue
            call = queue.calls.popleft()
            queue.bytes -= call.size
            if queue.calls:
                self._turns.append(owner)
            return call
        return None

    def hold(self, owner: ClientId) -> None:
        """Large answers wait for the client."""
        self._held.add(owner)

    def let_go_on(self, owner: ClientId) -> None:
        """The client has taken them, or has left."""
        self._held.discard(owner)

    def sent(self, number: int, owner: Owner) -> None:
        """Request `number` was written to Codex; numbers grow."""
        self._unproven[number] = owner
        self._queues.setdefault(owner, _Queue()).unproven += 1

    def wants_marker(self) -> bool:
        """Whether something waits that the window keeps back, and no marker is on its way to open it."""
        if self.has_marker or not self._unproven:
            return False
        return any(not self._is_held(owner) for owner in self._turns)

    @property
    def has_marker(self) -> bool:
        """Whether a marker is on its way."""
        return self._marker is not None

    def marker_sent(self, number: int) -> None:
        """The marker was written to Codex as request `number`."""
        self._marker = number
        self.sent(number, None)

    def answered(self, number: int) -> None:
        """Codex answered request `number`: it was taken, and all that was sent before it."""
        while self._unproven and (first := next(iter(self._unproven))) <= number:
            self._free(first)

    def refused(self, number: int) -> None:
        """Codex had no room for request `number`: nothing is proven, and its own place is free."""
        if number in self._unproven:
            self._free(number)

    def retry_later(self, call: Call, now: float) -> None:
        """Keeps a refused request for another try."""
        pause = RETRY_SECONDS[min(call.tries, len(RETRY_SECONDS)) - 1]
        heapq.heappush(self._retries, (now + pause, next(self._order), call))

    def retry_due(self, now: float) -> None:
        """Queues the refused requests whose time has come, each before what its owner has waiting."""
        due: list[Call] = []
        while self._retries and self._retries[0][0] <= now:
            due.append(heapq.heappop(self._retries)[2])
        for call in reversed(due):
            self.offer(call, first=True)

    @property
    def deadline(self) -> float | None:
        """When the next refused request is due."""
        return self._retries[0][0] if self._retries else None

    def forget_window(self) -> None:
        """There is a new Codex: nothing is under way. What waits goes on waiting."""
        self._unproven.clear()
        self._marker = None
        for queue in self._queues.values():
            queue.unproven = 0

    def drop(self, owner: Owner) -> list[Call]:
        """Takes out what an owner has waiting, in order; what it has under way still counts in the window."""
        retries = sorted(entry for entry in self._retries if entry[2].owner == owner)
        self._retries = [entry for entry in self._retries if entry[2].owner != owner]
        heapq.heapify(self._retries)
        dropped = [call for _, _, call in retries]
        queue = self._queues.pop(owner, None)
        if queue is not None:
            dropped += queue.calls
            if queue.calls:
                self._turns.remove(owner)
        return dropped

    def owners(self) -> list[Owner]:
        """Everybody who has something waiting."""
        return list(dict.fromkeys([*self._turns, *(entry[2].owner for entry in self._retries)]))

    def is_full(self, owner: Owner) -> bool:
        """Whether the owner has so much waiting that nothing more should be taken from it."""
        queue = self._queues.get(owner)
        return queue is not None and queue.is_full

    def is_low(self, owner: Owner) -> bool:
        """Whether an owner that was full has room again."""
        queue = self._queues.get(owner)
        return queue is None or queue.is_low

    def waiting(self, owner: Owner) -> int:
        """How many requests of the owner were not handed to Codex yet, refused ones included."""
        queue = self._queues.get(owner)
        return (len(queue.calls) if queue else 0) + sum(entry[2].owner == owner for entry in self._retries)

    @property
    def under_way(self) -> int:
        """How many requests are beyond the newest proven one."""
        return len(self._unproven)

    def _is_held(self, owner: Owner) -> bool:
        """Whether what the owner has first in its queue is held back."""
        return owner in self._held and self._queues[owner].calls[0].method not in ENDS_SOMETHING

    def _free(self, number: int) -> None:
        owner = self._unproven.pop(number)
        if number == self._marker:
            self._marker = None
        if (queue := self._queues.get(owner)) is not None:
            queue.unproven -= 1
            if not queue.calls and not queue.unproven:
                del self._queues[owner]
