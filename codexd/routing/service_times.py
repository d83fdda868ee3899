"""How long requests keep Codex busy, by method: measured as answers come, and how much of that is in service.

Codex serves requests at once, and its answers leave one after the other. So what a request keeps others waiting is not how
long its answer takes, but how long after the answer before it comes: of a thousand `model/list` at once the last one
takes half a second, and each of them 0.4 ms. What is answered long after requests that were sent later keeps nobody
waiting, however long it takes: a command, a download, the resume of a large thread. It is set aside.

Rule 1. A request is in service from when it is sent until it is answered, refused, or set aside.
Rule 2. It is set aside when Codex answers what it was sent `PATIENCE_SECONDS` later. Then its method takes no time, until
        an answer says otherwise.
Rule 3. The time of a method is the moving average of the time between its answers and the answer before, or its sending
        where that is later; `FIRST_SECONDS` before the first answer, `MOST_SECONDS` at most.
"""

from msgspec import Struct

from codexd.routing.effects import ClientId
from codexd.routing.requests import Call

PATIENCE_SECONDS = 0.1
FIRST_SECONDS = 0.001
MOST_SECONDS = 0.005
"""More makes no difference: see `flow.IN_SERVICE_SECONDS`."""
MAX_METHODS = 500
"""Codex has 200; a client may make up as many as it likes."""
_WEIGHT = 1 / 8


class _Served(Struct):
    call: Call
    seconds: float


class ServiceTimes:
    """What is in service, in the order of sending. Times in seconds."""

    def __init__(self) -> None:
        self._of_method: dict[str, float] = {}
        self._served: dict[int, _Served] = {}
        self._of_owner: dict[ClientId | None, int] = {}
        self._answered_at = 0.0
        self.seconds = 0.0
        """How long all that is in service takes together."""

    def __len__(self) -> int:
        return len(self._served)

    def of(self, method: str) -> float:
        """How long a request of this method takes, as far as is known."""
        return self._of_method.get(method, FIRST_SECONDS)

    def is_serving(self, owner: ClientId | None) -> bool:
        """Whether a request of the owner is in service."""
        return owner in self._of_owner

    def sent(self, number: int, call: Call) -> None:
        """A request goes into service; numbers grow."""
        seconds = self.of(call.method)
        self._served[number] = _Served(call, seconds)
        self._of_owner[call.owner] = self._of_owner.get(call.owner, 0) + 1
        self.seconds += seconds

    def answered(self, number: int, call: Call, now: float) -> None:
        """A request was answered, whether it is in service or not."""
        self.drop(number)
        self._learn(call.method, min(max(0.0, now - max(call.sent_at, self._answered_at)), MOST_SECONDS))
        self._answered_at = now
        while self._served:
            first, oldest = next(iter(self._served.items()))
            if oldest.call.sent_at + PATIENCE_SECONDS > call.sent_at:
                break
            self.drop(first)
            self._of_method[oldest.call.method] = 0.0

    def drop(self, number: int) -> None:
        """A request is not in service any more."""
        served = self._served.pop(number, None)
        if served is None:
            return
        self.seconds = self.seconds - served.seconds if self._served else 0.0
        owner = served.call.owner
        self._of_owner[owner] -= 1
        if not self._of_owner[owner]:
            del self._of_owner[owner]

    def clear(self) -> None:
        """Nothing is in service: there is a new Codex."""
        self._served.clear()
        self._of_owner.clear()
        self.seconds = 0.0

    @property
    def patience_ends(self) -> float | None:
        """When the oldest may be set aside, if Codex answers something; `None` while nothing is in service."""
        for served in self._served.values():
            return served.call.sent_at + PATIENCE_SECONDS
        return None

    def _learn(self, method: str, sample: float) -> None:
        known = self._of_method.get(method)
        if known is None and len(self._of_method) >= MAX_METHODS:
            self._of_method.clear()
        self._of_method[method] = sample if known is None else known + (sample - known) * _WEIGHT
