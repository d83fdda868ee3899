"""Threads and who follows them.

For Codex codexd is one connection, subscribed to every thread that any client is subscribed to. Which clients those
are is kept here. Who follows a thread follows its sub-agents' threads too; a client may also attach to one of those.

A thread is known from the answer that attached a client to it until Codex closes it, or until codexd has let go of
it. `attached` says that codexd itself is subscribed.
"""

from msgspec import Raw, Struct, field

from codexd.protocol.messages import Notification
from codexd.routing.effects import ClientId
from codexd.routing.remembered import Remembered

HELD_MESSAGES = 10_000
"""At most so many messages wait for the answer that names their thread's owner; beyond it the oldest thread's go."""


class Thread(Struct, eq=False):
    """One thread that Codex has loaded for us.

    `started`: what Codex said of it when it was begun here, by `thread/start` or as an ephemeral fork; `joined`: those of
    its subscribers whom codexd has attached by that. `tools_of`: who declared dynamic tools for it, and
    under which name. `turn` is the id of the running turn under which Codex will tell its end, `begun_as` the one under which it has told its beginning, if that is
    another; `ended`: the ids of the last turn that has ended; `turn_seq`: the number of the event with which the running one
    began, where that was seen, and `open_items` what has been started in it and not completed. `durable`: it has had a turn
    and is not ephemeral, so a later process can resume it. `usage_to`: who asked for the replay that a resume is followed by; the usage that comes before
    the goal snapshot is that client's alone (`NOBODY`: codexd's own resume, the replay is dropped). `resuming`: after a
    death; its requests are parked. `at_rest`: by its status nothing goes on in it.
    """

    id: str
    attached: bool = True
    durable: bool = False
    ephemeral: bool = False
    started: Raw | None = None
    turn: str | None = None
    begun_as: str | None = None
    ended: frozenset[str] = frozenset()
    parent: str | None = None
    usage_to: ClientId | None = None
    tools_of: ClientId | None = None
    tools_of_name: str | None = None
    turn_seq: int | None = None
    open_items: dict[str, None] = field(default_factory=dict)
    resuming: bool = False
    releasing: bool = False
    at_rest: bool = False
    subscribers: dict[ClientId, None] = field(default_factory=dict)
    joined: set[ClientId] = field(default_factory=set)

    def name_of(self, turn: str, root: str | None) -> str:
        """The id under which Codex tells the end of a turn that is described by this id and this `rootTurnId`.

        A sub-agent's root is a turn of the thread at the top of its family.
        """
        is_own = self.parent is None or root == self.turn or root in self.ended
        return root if root is not None and is_own else turn


NOBODY: ClientId = -1
"""In `usage_to`: nobody gets the replay."""


class Threads:
    """The threads by id, and what arrived for threads that nobody is known to follow yet.

    `changed`: the clients that do not follow the same threads any more as when they were taken last.
    """

    def __init__(self) -> None:
        self._threads: dict[str, Thread] = {}
        self._recipients: dict[str, tuple[ClientId, ...]] = {}
        self._of_client: dict[ClientId, dict[str, None]] = {}
        self._held: dict[str, list[Notification]] = {}
        self._held_count = 0
        self._parents: dict[str, str] = {}
        self._searched: set[str] = set()
        self._in_turn: set[str] = set()
        self._lost = Remembered()
        self._ephemeral = Remembered()
        self._with_parent: dict[str, None] = {}
        self.changed: dict[ClientId, None] = {}

    def get(self, thread: str | None) -> Thread | None:
        """The thread, if it is known."""
        return self._threads.get(thread) if thread is not None else None

    def all(self) -> list[Thread]:
        """Every known thread, the oldest first."""
        return list(self._threads.values())

    def __len__(self) -> int:
        return len(self._threads)

    def open(self, thread: str, parent: str | None = None) -> Thread:
        """The thread, known from now on; `parent` as far as it is told."""
        self._lost.discard(thread)
        opened = self._threads.setdefault(thread, Thread(thread, ephemeral=thread in self._ephemeral))
        if parent is not None:
            opened.parent = parent
            self._with_parent[thread] = None
            self._recipients.clear()
            self._note_change(self.recipients(thread))
        return opened

    def is_ephemeral(self, thread: str) -> bool:
        """Whether Codex has nothing of the thread on disk, loaded or not; codexd keeps nothing of it there either."""
        known = self._threads.get(thread)
        return known.ephemeral if known is not None else thread in self._ephemeral

    def note_ephemeral(self, thread: str) -> None:
        """Codex says that it is."""
        self._ephemeral.add(thread)
        known = self._threads.get(thread)
        if known is not None:
            known.ephemeral = True

    def take_changed(self) -> list[ClientId]:
        """Takes those whose threads have changed."""
        changed, self.changed = list(self.changed), {}
        return changed

    def followed_by(self, client: ClientId) -> frozenset[str]:
        """The threads that the client follows, sub-agents' threads included."""
        below = (child for child in self._with_parent if client in self.recipients(child))
        return frozenset((*self._of_client.get(client, ()), *below))

    def subscribe(self, thread: Thread, client: ClientId) -> None:
        """The client follows the thread from now on."""
        thread.subscribers[client] = None
        self._of_client.setdefault(client, {})[thread.id] = None
        self._recipients.clear()
        self._note_change((client,))

    def unsubscribe(self, thread: Thread, client: ClientId) -> None:
        """The client follows it no more."""
        del thread.subscribers[client]
        thread.joined.discard(client)
        self._leave(client, thread.id)
        self._recipients.clear()
        self._note_change((client,))

    def begin_turn(self, thread: Thread, turn: str, seq: int | None = None) -> None:
        """This turn runs in the thread. `seq`: the number of the event that says so, if that is how it is known."""
        if seq is not None or thread.turn != turn:
            thread.turn_seq = seq
            thread.open_items.clear()
        thread.turn, thread.begun_as = turn, None
        self._in_turn.add(thread.id)

    def end_turn(self, thread: Thread) -> None:
        """None runs there any more."""
        thread.turn = thread.begun_as = thread.turn_seq = None
        thread.open_items.clear()
        self._in_turn.discard(thread.id)

    def a_turn_runs(self) -> bool:
        """Whether a turn runs in any of them."""
        return bool(self._in_turn)

    def search_parent(self, child: str) -> bool:
        """Codex is to be asked whose sub-agent a thread is; returns whether that is not done, or answered, already."""
        is_new = not self.is_spoken_for(child)
        if is_new:
            self._searched.add(child)
        return is_new

    def parent_searched(self, child: str, parent: str | None) -> None:
        """Codex has answered that; `adopt` makes known what can be known now."""
        self._searched.discard(child)
        if parent is not None:
            self._parents[child] = parent

    def is_spoken_for(self, thread: str) -> bool:
        """Whether an unknown thread will be known yet, because Codex is asked whose it is, or whose its parent is."""
        return thread in self._searched or thread in self._parents

    def adopt(self, being_resumed: set[str | None]) -> list[Thread]:
        """Opens the sub-agents' threads whose parents are named: whoever follows the parent follows them, if anybody does.

        A child waits while its parent may become known itself, so that it finds the parent's followers.
        """
        adopted: list[Thread] = []
        while found := [c for c, p in self._parents.items() if not self._is_to_come(p, being_resumed)]:
            adopted += [self.open(child, self._parents.pop(child)) for child in found]
        return adopted

    def _is_to_come(self, thread: str, being_resumed: set[str | None]) -> bool:
        return thread not in self._threads and (thread in being_resumed or self.is_spoken_for(thread))

    def forget(self, thread: Thread) -> None:
        """The thread is closed, or codexd has let go of it."""
        self._note_change(self.recipients(thread.id))
        for client in thread.subscribers:
            self._leave(client, thread.id)
        self._with_parent.pop(thread.id, None)
        del self._threads[thread.id]
        self._in_turn.discard(thread.id)
        self._recipients.clear()

    def recipients(self, thread: str) -> tuple[ClientId, ...]:
        """Who follows the thread: the same tuple until somebody comes or goes."""
        found = self._recipients.get(thread)
        if found is None:
            found = tuple(dict.fromkeys(client for t in self._line(thread) for client in t.subscribers))
            self._recipients[thread] = found
        return found

    def root(self, thread: str) -> Thread | None:
        """The thread itself, or the ancestor at the top of its sub-agents' chain."""
        line = self._line(thread)
        return line[-1] if line else None

    def declarer(self, thread: str | None) -> ClientId | None:
        """Who declared the dynamic tools of a thread, or of the nearest of its ancestors that has some."""
        line = self._line(thread) if thread is not None else []
        return next((t.tools_of for t in line if t.tools_of is not None), None)

    def descendants(self, thread: Thread) -> list[Thread]:
        """The sub-agents below a thread."""
        candidates = [t for t in self._threads.values() if t.parent is not None and t is not thread]
        return [t for t in candidates if thread in self._line(t.id)]

    def family(self, thread: Thread) -> list[Thread]:
        """The thread and the sub-agents below it."""
        return [thread, *self.descendants(thread)]

    def _line(self, thread: str) -> list[Thread]:
        """The thread and its ancestors, as far as they are known."""
        line: list[Thread] = []
        current = self._threads.get(thread)
        while current is not None and current not in line:
            line.append(current)
            current = self.get(current.parent)
        return line

    def of_client(self, client: ClientId) -> list[str]:
        """The ids of the threads that the client itself is subscribed to."""
        return list(self._of_client.get(client, ()))

    def lose(self, thread: Thread) -> None:
        """No process will ever have this thread again: it had no first turn, or was ephemeral."""
        self.forget(thread)
        self._lost.add(thread.id)

    def is_lost(self, thread: str) -> bool:
        """Whether the thread died with an earlier Codex."""
        return thread in self._lost

    def hold(self, thread: str, message: Notification) -> None:
        """Keeps a message of a thread that is not known."""
        self._held.setdefault(thread, []).append(message)
        self._held_count += 1
        if self._held_count > HELD_MESSAGES:
            self.take_held(next(iter(self._held)))

    def take_held(self, thread: str) -> list[Notification]:
        """What was kept for the thread, in order of arrival; it is kept no longer."""
        held = self._held.pop(thread, [])
        self._held_count -= len(held)
        self._parents.pop(thread, None)
        return held

    def drop_held(self) -> None:
        """Codex is gone: nobody will ever say whose that was."""
        self._held.clear()
        self._held_count = 0
        self._parents.clear()
        self._searched.clear()

    def held_threads(self) -> list[str]:
        """The threads for which something is kept."""
        return list(self._held)

    def _note_change(self, clients: tuple[ClientId, ...]) -> None:
        self.changed.update(dict.fromkeys(clients))

    def _leave(self, client: ClientId, thread: str) -> None:
        of_client = self._of_client[client]
        del of_client[thread]
        if not of_client:
            del self._of_client[client]
