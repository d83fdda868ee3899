"""`codexd/events/read` and `codexd/events/follow`: the timeline for clients."""

from collections.abc import Sequence
from typing import Any

from msgspec import Raw

from codexd.protocol import extension, messages
from codexd.protocol.errors import Code
from codexd.protocol.messages import Request
from codexd.routing.clients import Client
from codexd.routing.codex_life import STOPPING
from codexd.routing.dispatch import Dispatch
from codexd.routing.effects import ReadEvents, Replay
from codexd.routing.events import Event, Gap, History
from codexd.routing.presenting import present
from codexd.routing.reads import Read
from codexd.routing.reports import Events, Following, FollowParams, KeptEvent, ReadParams
from codexd.routing.state import State


class EventMethods:
    """What has happened, by number. Whatever can't be had any more is said to be missing."""

    def __init__(self, state: State, dispatch: Dispatch) -> None:
        self._state = state
        self._dispatch = dispatch

    def read(self, client: Client, request: Request, wanted: ReadParams) -> None:
        """Has events read; `answer` is called with them."""
        state = self._state
        last = state.following.last
        if state.life.stopping:
            state.refuse(client.id, request, Code.CODEX_UNAVAILABLE, *STOPPING)
            return
        number = state.reads.add(Read(client.id, request.id, wanted.thread_id, wanted.after, last))
        self._dispatch.pause_if_full(client.id)
        state.want(ReadEvents(client.id, number, wanted.thread_id, wanted.after, last, wanted.limit))

    def answer(self, number: int, events: Sequence[Event] | str) -> None:
        """These events were read. A sentence: what is there can't be read just now; no gap, the client may ask again."""
        read = self._state.reads.take(number)
        if read is None:
            return
        if isinstance(events, str):
            data = {"reason": "historyUnreadable", "safeToRetry": True}
            message = f"the history can't be read: {events}"
            self._refuse(read, message, data)
            return
        upto = events[-1].seq if events else read.last

        def found() -> Events:
            return Events(
                events=[
                    KeptEvent(
                        event.seq, event.at, event.method, messages.members_of(Raw(event.line))["params"]
                    )
                    for event in events
                ],
                last=self._state.following.last,
                gap=self._gap(read.after, upto, read.thread, read.last),
            )

        present(self._state, read.client, read.id, extension.EVENTS_READ, found)

    def follow(self, client: Client, request: Request, wanted: FollowParams) -> None:
        """Everything after a number: what has been is queued as a stretch of the timeline, what comes is sent as it comes."""
        state = self._state
        last = state.following.last
        after = self._now(wanted.thread_id) if wanted.after is None else wanted.after
        gap = self._gap(after, last, wanted.thread_id, last)
        state.tell((client.id,), messages.result(request.id, Following(last, gap)))
        if after < last:
            history = History(wanted.thread_id, state.clients.unwanted_by(client.id))
            state.want(Replay(client.id, after + 1, last, history, gap))
        state.following.follow(client.id, wanted.thread_id)

    def refuse_all(self) -> None:
        """codexd ends."""
        for read in self._state.reads.take_all():
            self._refuse(read, *STOPPING)

    def _refuse(self, read: Read, message: str, data: dict[str, Any]) -> None:
        self._state.tell((read.client,), messages.error(read.id, Code.CODEX_UNAVAILABLE, message, data))

    def _now(self, thread_id: str | None) -> int:
        """Where somebody begins who has no number yet: in front of the turn that runs, or behind all that was."""
        thread = self._state.threads.get(thread_id)
        if thread is None or thread.turn_seq is None:
            return self._state.following.last
        return thread.turn_seq - 1

    def _gap(self, after: int, upto: int, thread: str | None, last: int) -> Gap | None:
        """What is missing between two numbers.

        One beyond `last`, the newest when it was asked for, is of a history that is gone.
        """
        if after > last:
            return Gap(last + 1, after)
        return self._state.kept.gap(after, upto, thread)
