"""The oracle's book of threads: who follows which, by the answers that clients saw."""

from collections import deque

from msgspec import Struct, field

from tests.routing.sim_words import Said


class ThreadView(Struct, eq=False):
    """One thread. `known`: codexd has been told whose it is, and that it is subscribed to it.

    Of a sub-agent's thread codexd must ask whose it is: `searched` while it has no answer, `named` while it must wait
    for the answer about the parent. `backlog`: what the thread has said until then. `tools_of`: the client that declared
    tools when it started the thread. `in_use_at`: when it last had a
    follower or a turn. `started`: Codex has begun it here; `joined`: the followers whom codexd has attached to it.
    `missing`: the turns that have not ended although the thread is at rest or another one has begun, and since when (`inf`: Codex
    could not say how, and is not asked before the thread is at rest); `overdue`: those that codexd
    must ask for. `at_rest`: by its last status. `ended`: the turn that has ended last. `turn_seq`: the number of the running turn's `turn/started`, if there was one;
    `open_items`: how the ids of its open items stand in lines.
    """

    id: str
    parent: str | None = None
    known: bool = False
    searched: bool = False
    named: bool = False
    followers: dict[int, None] = field(default_factory=dict)
    turn: str | None = None
    durable: bool = False
    ephemeral: bool = False
    tools_of: int | None = None
    resuming: bool = False
    resume_sent: bool = False
    backlog: deque[Said] = field(default_factory=deque)
    in_use_at: float = 0.0
    started: bool = False
    joined: set[int] = field(default_factory=set)
    missing: dict[str, float] = field(default_factory=dict)
    overdue: dict[str, None] = field(default_factory=dict)
    at_rest: bool = False
    ended: set[str] = field(default_factory=set)
    turn_seq: int | None = None
    open_items: dict[bytes, None] = field(default_factory=dict)

    def runs(self, turn: str, now: float) -> None:
        """This turn runs; another one that has not ended waits for its end."""
        if self.turn != turn:
            if self.turn is not None:
                self.missing.setdefault(self.turn, now)
            self.rests()
        self.turn = turn

    def rests(self) -> None:
        """No turn runs."""
        self.turn = self.turn_seq = None
        self.open_items.clear()

    def end_is_found(self, turn: str) -> bool:
        """The turn has ended, or goes on; returns whether its end was missing."""
        self.overdue.pop(turn, None)
        return self.missing.pop(turn, None) is not None


class ThreadBook:
    """Views of the threads that codexd may know of; and those that died with an earlier Codex for good."""

    def __init__(self) -> None:
        self._views: dict[str, ThreadView] = {}
        self._followers: dict[str, frozenset[int]] = {}
        self.lost: dict[str, None] = {}
        self.forgotten: deque[str] = deque(maxlen=3)
        """Those that codexd knew last and knows no more."""
        self.sought: set[str] = set()
        """Those that have ended while Codex was asked whose they are."""
        self.told: set[str] = set()
        """The turns whose end codexd has told because Codex did not."""
        self.held: dict[int, list[tuple[str, bytes]]] = {}
        """What a fork's thread said before the answer, by the number of the fork."""

    def __iter__(self):
        return iter(list(self._views.values()))

    def get(self, thread: str | None) -> ThreadView | None:
        """The view, if there is one."""
        return self._views.get(thread) if thread is not None else None

    def view(self, thread: str, parent: str | None = None) -> ThreadView:
        """The view, which there is from now on."""
        view = self._views.get(thread)
        if view is None:
            view = self._views[thread] = ThreadView(thread)
        if parent is not None and view.parent != parent:
            view.parent = parent
            self._followers.clear()
        return view

    def followers(self, thread: str) -> frozenset[int]:
        """Who follows it: its own followers, and those of the threads above it, as far as codexd knows them."""
        found = self._followers.get(thread)
        if found is None:
            everybody: dict[int, None] = {}
            view = self._views.get(thread)
            while view is not None:
                everybody |= view.followers
                view = self._known(view.parent)
            found = self._followers[thread] = frozenset(everybody)
        return found

    def declarer(self, thread: str | None) -> int | None:
        """Who declared tools for it, or for the nearest thread above it that has some."""
        view = self.get(thread)
        while view is not None:
            if view.tools_of is not None:
                return view.tools_of
            view = self._known(view.parent)
        return None

    def descendants(self, thread: str) -> list[ThreadView]:
        """The threads below it that codexd knows."""
        return [view for view in self._views.values() if view.known and self._is_below(view, thread)]

    def family(self, thread: str) -> list[ThreadView]:
        """All that codexd knows of the family that the thread belongs to, the one at the top first."""
        top = self._views[thread]
        while (above := self._known(top.parent)) is not None:
            top = above
        below = [v for v in self._views.values() if self._known(v.id) and self._is_below(v, top.id)]
        return [top, *below]

    def mark_use(self, now: float) -> None:
        """Takes down which threads are in use."""
        for view in self._views.values():
            if view.turn is not None or self.followers(view.id):
                view.in_use_at = now

    def shared_by(self, thread: str | None, client: int) -> ThreadView | None:
        """The thread, if codexd may attach this client to it itself."""
        view = self.get(thread)
        if view is None or not view.known or not view.started:
            return None
        return view if client not in view.followers or client in view.joined else None

    def adoptable(self) -> list[ThreadView]:
        """The sub-agents' threads that codexd must know now: nothing is to be heard any more of whose they are."""
        return [view for view in self._views.values() if view.named and not self._is_to_come(view.parent)]

    def _is_to_come(self, thread: str | None) -> bool:
        view = self.get(thread)
        if thread in self.sought:
            return view is None or not view.known
        return view is not None and not view.known and (view.searched or view.named)

    def _is_below(self, view: ThreadView, thread: str) -> bool:
        above = self._known(view.parent)
        while above is not None:
            if above.id == thread:
                return True
            above = self._known(above.parent)
        return False

    def _known(self, thread: str | None) -> ThreadView | None:
        view = self.get(thread)
        return view if view is not None and (view.known or view.resuming) else None

    def learn(self, view: ThreadView) -> None:
        """codexd knows the thread from now on."""
        view.known, view.named = True, False
        self.lost.pop(view.id, None)
        self._followers.clear()

    def comes_back(self, view: ThreadView) -> None:
        """Codex has died; the thread is to be resumed in the next one."""
        view.resuming, view.resume_sent, view.known = True, False, False
        self._followers.clear()

    def follow(self, view: ThreadView, client: int) -> None:
        """The client follows the thread."""
        view.followers[client] = None
        self._followers.clear()

    def unfollow(self, view: ThreadView, client: int) -> None:
        """It follows it no more."""
        del view.followers[client]
        view.joined.discard(client)
        self._followers.clear()

    def leave(self, client: int) -> None:
        """The client is gone."""
        for view in self._views.values():
            view.followers.pop(client, None)
            view.joined.discard(client)
        self._followers.clear()

    def forget(self, thread: str) -> None:
        """The thread has ended, or codexd has let go of it."""
        view = self._views.pop(thread, None)
        if view is not None:
            self.forgotten.append(thread)
            if view.searched:
                self.sought.add(thread)
        self._followers.clear()
