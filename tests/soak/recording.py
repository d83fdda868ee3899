"""Clients that note what they are sent of events, in order: number and check sum, and no more of it."""

import threading
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from zlib import crc32

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from codexd.protocol.catalogue import EVERYONE_ALTHOUGH_OF_A_THREAD
from tests.e2e.harness_client import PATIENCE_S, JsonLinesClient

SEQ = {"codexd": {"seq": True}}
TOLD_AFTER_A_RESUME = "thread/tokenUsage/updated"


class Line(Struct, rename="camel"):
    """What of a message is looked at."""

    id: int | str | UnsetType | None = UNSET
    method: str = ""
    params: Raw = Raw(b"")
    seq: int = 0


class _Thing(Struct, frozen=True):
    id: str = ""


class _Named(Struct, rename="camel"):
    thread_id: str = ""
    thread: _Thing = _Thing()


_decode = msgspec.json.Decoder(Line).decode
_decode_names = msgspec.json.Decoder(_Named).decode


def check_sum(method: str, params: Raw) -> int:
    """What two events have in common if they are the same one."""
    return crc32(params, crc32(method.encode()))


def thread_of(params: Raw) -> str:
    """The thread that a notification is about; empty: none."""
    if not params:
        return ""
    names = _decode_names(params)
    return names.thread_id or names.thread.id


@dataclass(slots=True)
class Received:
    """What one connection was sent of events from some moment on: by number, and by thread where it asked for none.

    It begins behind `after`. A follower's is of `followed`, "" for all threads; a subscriber's is of `subscribed`.
    `was_killed`: codexd was, at the end of it. Up to `upto` it should have got all that is for it.
    """

    who: str
    after: int = 0
    followed: str | None = None
    subscribed: frozenset[str] = frozenset()
    was_killed: bool = False
    upto: int = 0
    seqs: "array[int]" = field(default_factory=lambda: array("Q"))
    sums: "array[int]" = field(default_factory=lambda: array("L"))
    by_thread: "dict[str, array[int]]" = field(default_factory=dict)

    @property
    def last(self) -> int:
        """The newest number that it knows."""
        return self.seqs[-1] if self.seqs else self.after

    def take(self, message: Line) -> None:
        """Notes an event."""
        of_event = check_sum(message.method, message.params)
        if message.seq:
            self.seqs.append(message.seq)
            self.sums.append(of_event)
        else:
            self.by_thread.setdefault(thread_of(message.params), array("L")).append(of_event)


class RecordingClient(JsonLinesClient):
    """Notes events in `received` in place of keeping them; what else comes is kept, and so are those of `KEPT`.

    One that has asked for no numbers is `plain`. While `flowing` is not set it does not read.
    """

    KEPT = frozenset({"turn/started", "turn/completed"})
    plain = False

    def __init__(self, *streams: Any) -> None:
        self.received = Received("somebody new")
        self.has_begun = False
        self.flowing = threading.Event()
        self.flowing.set()
        self._follows = count(1)
        self._following: tuple[str, Received] | None = None
        super().__init__(*streams)

    def begin(self, who: str, **how: Any) -> Received:
        """From now on, what comes is noted anew."""
        self.has_begun = True
        self.received = Received(who, **how)
        return self.received

    def follow(self, who: str, after: int, thread: str = "") -> dict[str, Any]:
        """Follows the events of this thread, or of all, behind `after`; what the answer says."""
        number = f"follow {next(self._follows)}"
        self._following = (number, Received(who, after=after, followed=thread))
        params = {"after": after} | ({"threadId": thread} if thread else {})
        answer: dict[str, Any] = self.call("codexd/events/follow", params, id=number)
        return answer

    def wait_events(self, enough: Callable[[Received], bool]) -> bool:
        """Waits until what was received is enough; False when the far side hung up before it was."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.closed or enough(self.received), PATIENCE_S):
                raise TimeoutError(f"{self.received.who}: nothing more came after {self.received.last}")
            return enough(self.received)

    def take(self, line: bytes) -> None:
        """See `JsonLinesClient.take`. A follower's record begins with the answer that says that it follows."""
        self.flowing.wait()
        message = _decode(line)
        if self._following is not None and message.id == self._following[0]:
            self.received, self._following = self._following[1], None
            self.has_begun = True
        is_event = bool(message.seq) or (self.plain and self._is_event_of_thread(message))
        if is_event:
            with self._changed:
                self.received.take(message)
                self._changed.notify_all()
        if not is_event or message.method in self.KEPT:
            super().take(line)

    def close(self) -> None:
        """See `JsonLinesClient.close`."""
        self.flowing.set()
        super().close()

    @staticmethod
    def _is_event_of_thread(message: Line) -> bool:
        """What everybody is told is left out, and what who has resumed a thread is told alone."""
        return (
            message.id is UNSET
            and message.method not in EVERYONE_ALTHOUGH_OF_A_THREAD
            and message.method != TOLD_AFTER_A_RESUME
            and bool(thread_of(message.params))
        )


class PlainClient(RecordingClient):
    """One that has asked for no numbers."""

    plain = True
