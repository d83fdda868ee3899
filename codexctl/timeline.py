"""What has happened, by number: events that codexd has kept, and those that come.

    with Client.open() as client:
        for page in read(client, after=0):
            for event in page.events:
                print(event.seq, event.method)

    with Client.open() as client:
        following = Following(client, after=cursor)
        for event in following:
            cursor = event.seq
            print(event.seq, event.method)

Numbers only grow, over the life of codexd's state directory. Keep the number of the last event that you are done with:
with it as `after`, a new connection goes on where the last one ended, whatever died in between. What can't be had any
more is said (`gap`), and what can be comes all the same. Neither needs a handshake, so `Client.open` will do. After
`Client.connect(..., capabilities={"codexd": {"seq": True}})` whatever else the client is sent of threads has its number, too:
`Message.seq`.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from codexctl.client import Client, Message
from codexd.protocol import extension


class Event(NamedTuple):
    """`at`: seconds since the epoch. Of a request of Codex the method is `codexd/serverRequest`."""

    seq: int
    at: float
    method: str
    params: dict[str, Any]


class Gap(NamedTuple):
    """Between these numbers, both included, events may be missing."""

    first: int
    last: int


class Page(NamedTuple):
    """Some events, oldest first. `last`: the newest number that there is. `gap`: what is missing from where it begins on."""

    events: list[Event]
    last: int
    gap: Gap | None


def read(client: Client, *, after: int, thread: str | None = None) -> Iterator[Page]:
    """The events after a number, of one thread or of all, page by page until there are no more.

    The last page has no events; it may still have a gap.
    """
    while True:
        answer = client.request(extension.EVENTS_READ, {"threadId": thread, "after": after})
        events = [Event(one["seq"], one["at"], one["method"], one["params"]) for one in answer["events"]]
        yield Page(events, answer["last"], _gap(answer))
        if not events:
            return
        after = events[-1].seq


class Following:
    """The events after a number, past and future, of one thread or of all, in order and each once.

    `last`: the newest number there was at the beginning; up to it comes history. `gap`: what is missing of that. `cursor`:
    the number to go on from.
    """

    def __init__(
        self,
        client: Client,
        *,
        after: int,
        thread: str | None = None,
        others: Callable[[Message], None] = lambda message: None,
    ) -> None:
        """`others` is given what codexd sends besides: what names no thread has no number and is no event."""
        answer = client.request(extension.EVENTS_FOLLOW, {"threadId": thread, "after": after})
        self.last: int = answer["last"]
        self.gap = _gap(answer)
        self.cursor = min(after, self.last)
        self._client = client
        self._others = others

    def receive(self, timeout: float | None = None) -> Event | None:
        """The next event; None when none comes in `timeout` seconds (0: none is there). Raises `ConnectionLost`.

        Whatever else codexd sends meanwhile goes to `others`.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            incoming = self._client.receive(left)
            if incoming is None:
                return None
            if not isinstance(incoming, Message):
                continue
            if incoming.seq is None:
                self._others(incoming)
            elif incoming.seq > self.cursor:
                self.cursor = incoming.seq
                at = time.time() if incoming.at is None else incoming.at
                return Event(incoming.seq, at, incoming.method, incoming.params)

    def __iter__(self) -> Iterator[Event]:
        """The events for ever; ends with `ConnectionLost`."""
        while True:
            event = self.receive()
            assert event is not None, "without a limit it waits"
            yield event


def _gap(answer: dict[str, Any]) -> Gap | None:
    gap = answer.get("gap")
    return None if gap is None else Gap(gap["from"], gap["to"])
