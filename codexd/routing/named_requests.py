"""Requests of clients that other messages name by their ids, in params.

Rule 1. A client can name its own requests under way, and no other client's. Codex gets the number that it knows the
        request by; where there is none, a number that no request ever has: it does nothing then, as with an id that it
        never saw (measured).
Rule 2. A notification that names a request is for who asked that, under the asker's own id, and for nobody else.
Rule 3. What can be cancelled ends with its client, as it ends with a connection of Codex's own (measured with
        `thread/search/stream`, 0.171).

Where the ids stand is learnt from the schema (`codexd.protocol.request_ids`).
"""

from typing import Any

from msgspec import UNSET, Raw

from codexd.protocol import messages
from codexd.protocol.members import INTEGER
from codexd.protocol.messages import Notification
from codexd.protocol.request_ids import EACH, WITHOUT_SCHEMA, RequestIds, translated
from codexd.protocol.strictness import is_id
from codexd.routing.effects import ClientId
from codexd.routing.requests import Call, Requests

REMEMBERED = 1_000
"""So many answered requests are known yet: Codex may say more of one after its answer."""

Asker = tuple[ClientId, bytes]
"""A client, and its own id of a request."""


class NamedRequests:
    """Translates between clients' ids and Codex's numbers. `ids`: where ids stand in params."""

    def __init__(self, requests: Requests) -> None:
        self.ids: RequestIds = WITHOUT_SCHEMA
        self._requests = requests
        self._answered: dict[int, Asker] = {}

    def translate(self, call: Call) -> None:
        """Ids in the params of what a client sends become the numbers of what they mean.

        A call that is made again means the same ones, which may have other numbers by now. What is no id is Codex's to
        refuse.
        """
        paths = self.ids.asked.get(call.method)
        if paths is None or call.request.params is UNSET:
            return
        if any(EACH in path for path in paths):
            call.request = messages.whole(call.request)
        params = call.request.params
        assert params is not UNSET, "it is the same request"
        meant, about = iter(call.about), []

        def number(named: Raw) -> Raw:
            if not is_id(bytes(named)):
                return named
            about.append(next(meant) if call.tries else self._meant(call, bytes(named)))
            return Raw(b"%d" % self._requests.number_of(about[-1]))

        changed = translated(params, paths, number)
        if about:
            call.request, call.about = messages.with_params(call.request, changed), tuple(about)

    def _meant(self, call: Call, raw_id: bytes) -> Call | None:
        return self._requests.newest(call.owner, raw_id, self.ids.cancels.get(call.method))

    def cancel(self, call: Call) -> tuple[str, dict[str, Any]] | None:
        """The method and params that end a call under way; `None` for one that nothing ends."""
        method = self.ids.cancel_of(call.method)
        return (method, {"requestId": self._requests.number_of(call)}) if method is not None else None

    def answered(self, number: int, call: Call) -> None:
        """A call is over; Codex may name it yet."""
        if self.ids.told and call.owner is not None:
            self._answered[number] = call.owner, call.request.id
            if len(self._answered) > REMEMBERED:
                del self._answered[next(iter(self._answered))]

    def address(self, notification: Notification) -> tuple[ClientId | None, bytes] | None:
        """Whose request a notification names, and its line with the asker's own id; `None` if it names none.

        The client is `None` when nobody is known to have asked that.
        """
        paths, params = self.ids.told.get(notification.method), notification.params
        if paths is None or params is UNSET:
            return None
        askers: list[Asker | None] = []

        def own_id(named: Raw) -> Raw:
            if not is_id(bytes(named)):
                return named
            askers.append(asker := self._asker(bytes(named)))
            return Raw(asker[1]) if asker is not None and asker[0] == _client(askers[0]) else named

        changed = translated(params, paths, own_id)
        return (_client(askers[0]), messages.with_raw_params(notification, changed)) if askers else None

    def _asker(self, raw_id: bytes) -> Asker | None:
        number = int(raw_id) if INTEGER.fullmatch(raw_id) else 0
        call = self._requests.get(number)
        if call is None:
            return self._answered.get(number)
        return (call.owner, call.request.id) if call.owner is not None else None


def _client(asker: Asker | None) -> ClientId | None:
    return asker[0] if asker is not None else None
