"""Numbers of events, and who is sent which event: subscribers, everybody, and those who follow the timeline.

Rule 1. Numbers only grow. They go on where the timeline says that they may, and each is used once.
Rule 2. Numbered is what belongs to a thread and goes to its subscribers or to everybody. What goes to one connection
        alone is not, and neither is what must not be kept (`NEVER_KEPT` in the catalogue).
Rule 3. A client that follows events gets each of them once, with its number, whether it is subscribed or not.
Rule 4. What a client is sent of events is its view. Where the view changes, the broker is told before the next event.
"""

from collections.abc import Iterable

from codexd.routing.effects import ClientId

MAX_FOLLOWED = 1000
"""So many threads may a client follow one by one: they are copied into its view whenever that changes."""
Audience = tuple[tuple[ClientId, ...], tuple[ClientId, ...]]
"""Who is sent an event as it is, and who with its number."""


class Following:
    """The newest number, who follows what, and whose view is not what the broker was told last."""

    def __init__(self, next_seq: int) -> None:
        self.last = next_seq - 1
        self.changed: dict[ClientId, None] = {}
        self._threads: dict[ClientId, frozenset[str]] = {}
        self._all: dict[ClientId, None] = {}
        self._wanting_numbers: set[ClientId] = set()
        self._split: dict[tuple[str, tuple[ClientId, ...]], Audience] = {}

    def next(self) -> int:
        """The number of the next event."""
        self.last += 1
        return self.last

    def greet(self, client: ClientId, *, with_numbers: bool) -> None:
        """The client has initialized."""
        if with_numbers:
            self._wanting_numbers.add(client)
        self.change((client,))

    def may_follow(self, client: ClientId, thread: str | None) -> bool:
        """Whether the client may follow this thread as well; it may always follow all."""
        followed = self.followed(client)
        return thread is None or thread in followed or len(followed) < MAX_FOLLOWED

    def follow(self, client: ClientId, thread: str | None) -> None:
        """The client follows the events of this thread, or of all, from now on."""
        if thread is None:
            self._all[client] = None
        else:
            self._threads[client] = self.followed(client) | {thread}
        self.change((client,))

    def leave(self, client: ClientId) -> None:
        """The client is gone."""
        self._all.pop(client, None)
        self._threads.pop(client, None)
        self._wanting_numbers.discard(client)
        self.changed.pop(client, None)
        self._split.clear()

    def change(self, clients: Iterable[ClientId]) -> None:
        """What these clients are to be sent is not what it was."""
        self.changed.update(dict.fromkeys(clients))
        self._split.clear()

    def take_changed(self) -> list[ClientId]:
        """Whose view the broker does not know. What was remembered of audiences goes with the old views."""
        self._split.clear()
        changed, self.changed = list(self.changed), {}
        return changed

    def followed(self, client: ClientId) -> frozenset[str]:
        """The threads whose events the client follows, those of which it follows because it follows all left out."""
        return self._threads.get(client, frozenset())

    def follows_all(self, client: ClientId) -> bool:
        """Whether the client follows the events of all threads."""
        return client in self._all

    def wants_numbers(self, client: ClientId) -> bool:
        """Whether it wants the numbers of what it is sent as a subscriber."""
        return client in self._wanting_numbers

    def clients(self) -> tuple[ClientId, ...]:
        """Who follows any events."""
        return tuple(dict.fromkeys((*self._all, *self._threads)))

    def followers(self, thread: str) -> list[ClientId]:
        """Who follows the events of this thread."""
        return [
            *self._all,
            *(c for c, threads in self._threads.items() if thread in threads and c not in self._all),
        ]

    def audience(self, thread: str, entitled: tuple[ClientId, ...]) -> Audience:
        """Those who are sent an event of this thread anyhow, and its followers, by how it is sent to them."""
        if not self._wanting_numbers and not self._all and not self._threads:
            return entitled, ()
        found = self._split.get((thread, entitled))
        if found is None:
            numbered = dict.fromkeys((*self.followers(thread), *self._wanting_numbers.intersection(entitled)))
            found = tuple(client for client in entitled if client not in numbered), tuple(numbered)
            self._split[thread, entitled] = found
        return found
