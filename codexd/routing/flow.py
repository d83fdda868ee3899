"""When a request may be handed to Codex: the window, the clients' turns, and the second tries.

Codex takes lines from its stdin in order into a queue of 128, and refuses, or drops without a word, what does not
fit (measured: of 3,000 requests in a burst 705 were never answered). It says nothing of how full the queue is. But
an answer proves that the request was taken from the queue, and so was all that had been sent before it. So:

Rule 1. At most `WINDOW` requests are under way beyond the newest one that an answer has proven to be taken. How long
        any of them takes, or whether it is ever answered, does not matter. A client's notification counts like one:
        it is never answered, and takes a place in Codex's queue.
Rule 2. At most `SHARE` of those belong to one client.
Rule 3. Not more is in service than Codex takes `IN_SERVICE_SECONDS` for, as far as is known (`service_times`), but
        `LEAST_IN_SERVICE` requests may always be, to use its threads. A client with nothing in service and nothing that
        waits is a newcomer: its request is sent at once, and so is what ends something and has nothing before it. So it
        waits for little more than one request of those that flood; with the window alone it waited for 96.
Rule 4. The client goes next whose requests have taken the least time so far, length included; time in which it asked for
        nothing counts as the others'. codexd itself is one of them.
Rule 5. When something waits and the window keeps it back, or what is in service is answered by nobody for a while, a
        marker is sent: a request that Codex answers at once. One place of the window is kept for it.
Rule 6. A request that Codex refused as overloaded was not executed. It proves nothing, gives its place back, and is
        sent again after a while, before what came after it.
Rule 7. While large answers wait for a client, none of its requests is sent, so that one that asks and does not read
        costs no more memory. What ends something is sent if it is first in its client's queue.

Invariant: the requests under way beyond the newest proven one are the keys of `_unproven`, in the order of sending.
"""

import heapq
import itertools
from collections import deque
from collections.abc import Container, Iterable
from typing import NamedTuple

from codexd.routing.effects import ClientId
from codexd.routing.handles import ends_something
from codexd.routing.requests import Call
from codexd.routing.service_times import ServiceTimes

WINDOW = 96
SHARE = 32
IN_SERVICE_SECONDS = 0.001
LEAST_IN_SERVICE = 4
LEAST_SECONDS = 0.00005
"""What a turn costs at least: a method that takes no time is a turn all the same."""
BYTES_PER_SECOND = 10_000_000
"""How fast Codex reads a line, about: 4 MB of numbers, 400 MB of one string (0.163 and 0.171)."""
QUEUE_REQUESTS = 256
QUEUE_BYTES = 8 * 1024 * 1024
"""A client with more than this waiting is not read until half of it has gone."""
RETRY_SECONDS = (0.02, 0.05, 0.1, 0.25, 0.5)
"""How long a refused request waits before its second, third, ... try; the last one holds for all further ones."""

Owner = ClientId | None
"""Whose request it is; `None` is codexd itself."""


class _Queue:
    """One owner's. `time`: how much of Codex's time its requests have taken, in seconds."""

    def __init__(self) -> None:
        self.calls: deque[Call] = deque()
        self.bytes = 0
        self.unproven = 0
        self.time = 0.0

    @property
    def is_full(self) -> bool:
        return len(self.calls) >= QUEUE_REQUESTS or self.bytes >= QUEUE_BYTES

    @property
    def is_low(self) -> bool:
        return len(self.calls) <= QUEUE_REQUESTS // 2 and self.bytes <= QUEUE_BYTES // 2


class _Turn(NamedTuple):
    """It is this owner's: a name of its own for `None` is codexd."""

    of: Owner


class Flow:
    """The queues of all clients and the window they share. Times are in seconds.

    `in_service`: how much of Codex's time may be in service.
    """

    def __init__(self, in_service: float = IN_SERVICE_SECONDS) -> None:
        self._in_service = in_service
        self._times = ServiceTimes()
        self._time = 0.0
        self._queues: dict[Owner, _Queue] = {}
        self._turns: dict[Owner, None] = {}
        self._newcomers: set[Owner] = set()
        self._unproven: dict[int, Owner] = {}
        self._marker: int | None = None
        self._held: set[Owner] = set()
        self._retries: list[tuple[float, int, Call]] = []
        self._order = itertools.count()

    def offer(self, call: Call, *, first: bool = False) -> None:
        """Queues a request of its owner; `first`: before what the owner has waiting."""
        queue = self._queues.setdefault(call.owner, _Queue())
        if not queue.calls:
            self._begin_to_wait(call.owner, queue, call.method)
        (queue.calls.appendleft if first else queue.calls.append)(call)
        queue.bytes += call.size

    def _begin_to_wait(self, owner: Owner, queue: _Queue, method: str) -> None:
        """codexd itself goes behind all who wait: its release of a thread must not overtake somebody's resume."""
        if owner is None:
            queue.time = max([queue.time, self._time, *(self._queues[other].time for other in self._turns)])
        else:
            queue.time = max(queue.time, self._time)
            if ends_something(method) or not self._times.is_serving(owner):
                self._newcomers.add(owner)
        self._turns[owner] = None

    def take(self) -> Call | None:
        """The next request that may be sent now, or `None`. The caller sends it, or parks or answers it."""
        if not self._turns or len(self._unproven) >= WINDOW - 1:
            return None
        owner = self._next(self._newcomers) if self._newcomers else None
        if owner is None and (len(self._times) < LEAST_IN_SERVICE or self._times.seconds < self._in_service):
            owner = self._next(self._turns)
        return None if owner is None else self._take_from(owner.of)

    def _next(self, owners: Iterable[Owner]) -> "_Turn | None":
        """Of those of the owners who may send something, the one whose requests have taken the least time."""
        found, least = None, float("inf")
        for owner in owners:
            queue = self._queues[owner]
            if queue.time < least and queue.unproven < SHARE and not self._is_held(owner):
                found, least = _Turn(owner), queue.time
        return found

    def _take_from(self, owner: Owner) -> Call:
        queue = self._queues[owner]
        call = queue.calls.popleft()
        queue.bytes -= call.size
        self._time = max(self._time, queue.time)
        queue.time += max(self._times.of(call.method), LEAST_SECONDS) + call.size / BYTES_PER_SECOND
        self._newcomers.discard(owner)
        del self._turns[owner]
        if queue.calls:
            self._turns[owner] = None
        return call

    def hold(self, owner: ClientId) -> None:
        """Large answers wait for the client."""
        self._held.add(owner)

    def let_go_on(self, owner: ClientId) -> None:
        """The client has taken them, or has left."""
        self._held.discard(owner)

    def sent(self, number: int, call: Call, now: float) -> None:
        """Request `number` was written to Codex; numbers grow."""
        call.sent_at = now
        self._unproven[number] = call.owner
        self._queues.setdefault(call.owner, _Queue()).unproven += 1
        if call.wants_answer and number != self._marker:
            self._times.sent(number, call)

    def wants_marker(self, now: float) -> bool:
        """Whether something waits that an answer could let go on, and none is sure to come: no marker is on its way."""
        if self.has_marker or not self._something_waits():
            return False
        if len(self._unproven) >= WINDOW - 1:
            return True
        ends = self._times.patience_ends
        if ends is not None and now >= ends:
            return True
        return len(self._unproven) >= SHARE and any(self._has_its_share(owner) for owner in self._turns)

    def _has_its_share(self, owner: Owner) -> bool:
        return self._queues[owner].unproven >= SHARE and not self._is_held(owner)

    def _something_waits(self) -> bool:
        """Whether there is anything that room in the window would let go on."""
        if not self._held:
            return bool(self._turns)
        return any(not self._is_held(owner) for owner in self._turns)

    @property
    def has_marker(self) -> bool:
        """Whether a marker is on its way."""
        return self._marker is not None

    def marker_sent(self, number: int, call: Call, now: float) -> None:
        """The marker was written to Codex as request `number`."""
        self._marker = number
        self.sent(number, call, now)

    def answered(self, number: int, call: Call, now: float) -> None:
        """Codex answered request `number`: it was taken, and all that was sent before it."""
        self._times.answered(number, call, now)
        while self._unproven and (first := next(iter(self._unproven))) <= number:
            self._free(first)

    def refused(self, number: int) -> None:
        """Codex had no room for request `number`: nothing is proven, and its own place is free."""
        self._times.drop(number)
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

    @property
    def marker_due(self) -> float | None:
        """When a marker is wanted, to find out what is in service for long; `None` while none will be."""
        if self.has_marker or not self._something_waits():
            return None
        return self._times.patience_ends

    def forget_window(self) -> None:
        """There is a new Codex: nothing is under way. What waits goes on waiting."""
        self._unproven.clear()
        self._times.clear()
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
            self._newcomers.discard(owner)
            self._turns.pop(owner, None)
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
    def unproven(self) -> Container[int]:
        """The numbers of the requests that Codex is not known to have taken."""
        return self._unproven.keys()

    @property
    def under_way(self) -> int:
        """How many requests are beyond the newest proven one."""
        return len(self._unproven)

    def _is_held(self, owner: Owner) -> bool:
        """Whether what the owner has first in its queue is held back."""
        if owner not in self._held:
            return False
        return not ends_something(self._queues[owner].calls[0].method)

    def _free(self, number: int) -> None:
        owner = self._unproven.pop(number)
        if number == self._marker:
            self._marker = None
        if (queue := self._queues.get(owner)) is not None:
            queue.unproven -= 1
            if not queue.calls and not queue.unproven:
                del self._queues[owner]
