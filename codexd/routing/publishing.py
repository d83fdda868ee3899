"""Events: each gets its number and goes to those it is meant for, now to who keeps up, later to who does not."""

from typing import Any

from msgspec import Struct

from codexd.protocol import extension, messages
from codexd.protocol.catalogue import NEVER_KEPT
from codexd.routing.effects import ClientId, Numbered, Replay, ViewChanged
from codexd.routing.events import Event, OpenItems, View
from codexd.routing.state import State
from codexd.routing.threads import Thread

NOBODY: tuple[ClientId, ...] = ()


class Heard(Struct, frozen=True):
    """What a client was sent up to an event, the `last`: the events of some threads.

    `has_all`: it lacks none, because it follows all events, or has its own cursor.
    """

    threads: frozenset[str]
    last: int
    has_all: bool


class Publisher:
    """Numbers what belongs to a thread, and sends it. The method and the thread alone say to whom."""

    def __init__(self, state: State) -> None:
        self._state = state

    def publish(self, thread: str, method: str, line: bytes) -> int:
        """Sends an event to those who are entitled to it; returns its number, or 0 for what is never kept."""
        state = self._state
        entitled = state.clients.wanting(method, self._entitled(thread, method))
        if method in NEVER_KEPT:
            state.tell(entitled, line)
            return 0
        if state.threads.changed or state.following.changed:
            self._tell_of_views()
        clients, numbered = state.following.audience(thread, entitled)
        is_ephemeral = state.threads.is_ephemeral(thread)
        event = Event(state.following.next(), state.now, thread, method, line, is_ephemeral)
        state.want(Numbered(event, clients, state.clients.wanting(method, numbered)))
        if line is state.received.line:
            state.received.seq = event.seq
        return event.seq

    def tell_of(self, thread: str, method: str, about: dict[str, Any]) -> None:
        """Sends an event of codexd's own making: params are `about` and the thread's id."""
        self.publish(thread, method, messages.notification(method, {"threadId": thread, **about}))

    def _tell_of_views(self) -> None:
        """The broker must know what each client is sent before the next event: one that is behind is sent it later."""
        state = self._state
        for client in dict.fromkeys((*state.threads.take_changed(), *state.following.take_changed())):
            if client in state.clients:
                state.want(ViewChanged(client, self._view(client)))

    def heard_by(self, client: ClientId) -> Heard:
        """What the client is sent as things are."""
        following = self._state.following
        threads = self._state.threads.followed_by(client) | following.followed(client)
        has_all = following.wants_numbers(client) or following.follows_all(client)
        return Heard(threads, following.last, has_all)

    def catch_up(self, thread: Thread, client: ClientId, heard: Heard) -> None:
        """Somebody has joined in the middle of a turn: it is sent what is open, in the thread and its sub-agents'.

        `heard`: what it was sent before it joined. What has come since it was sent as a subscriber.
        """
        if not heard.has_all:
            for joined in self._state.threads.family(thread):
                if joined.id not in heard.threads:
                    self._replay_open(joined, client, heard.last)

    def _replay_open(self, thread: Thread, client: ClientId, last: int) -> None:
        state, first = self._state, thread.turn_seq
        if thread.turn is None or first is None or first > last:
            return
        if state.kept.gap(first - 1, last, thread.id) is not None:
            return
        unwanted = state.clients.unwanted_by(client)
        state.want(Replay(client, first, last, OpenItems(thread.id, frozenset(thread.open_items), unwanted)))

    def _entitled(self, thread: str, method: str) -> tuple[ClientId, ...]:
        if method in self._state.to_everyone:
            return self._state.clients.initialized()
        if method == extension.SERVER_REQUEST:
            return NOBODY
        return self._state.threads.recipients(thread)

    def _view(self, client: ClientId) -> View:
        state = self._state
        return View(
            threads=state.threads.followed_by(client),
            followed=state.following.followed(client),
            follows_all=state.following.follows_all(client),
            hears_all=client in state.clients.initialized(),
            to_everyone=state.to_everyone,
            unwanted=state.clients.unwanted_by(client),
            with_numbers=state.following.wants_numbers(client),
        )
