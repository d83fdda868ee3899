"""The oracle's book of requests: each is waiting or under way, until its one answer; the window and the turns."""

from collections import Counter

from tests.routing.sim_words import ENDED_BY, Asked, Written, Wrong

WINDOW = 96
"""At most so many lines of clients may be at Codex beyond the newest one that is proven to be taken."""
SHARE = 32
"""At most so many of them of one client: "a few dozen" in front of somebody else's."""
HANDFUL = 40
"""At most so many requests of others may overtake a client's only one."""
FULL = 256
LOW = 128
SLACK = 64
"""What a client may have waiting beyond the limit: what was under way and refused, what was parked and came back."""

ENDS = frozenset(
    {
        "turn/interrupt",
        "process/kill",
        "command/exec/terminate",
        "fs/unwatch",
        "fuzzyFileSearch/sessionStop",
        "mcpServer/event/stream/stop",
    }
)
"""What a client for which large answers wait may have sent all the same."""
BEGINS = frozenset({"turn/start", "review/start", "thread/resume", "thread/fork"})
IN_TURN = frozenset({"thread/resume", "thread/unsubscribe"})
Owner = int | None


class RequestBook:
    """Who waits for what. `None` as an owner is codexd itself."""

    def __init__(self) -> None:
        self.open: dict[int, dict[int, Asked]] = {}
        self.by_serial: dict[int, Asked] = {}
        self.under_way: dict[int, Written] = {}
        self.waiting: Counter[int] = Counter()
        self.to_end: dict[int, str] = {}
        """By number: what is under way although its asker has left, and what has to end it."""
        self.loaded: set[int] = set()
        """The clients for which large answers wait."""
        self._plain: Counter[int] = Counter()
        self._unproven: dict[int, tuple[Owner, str]] = {}
        """By the place in the order of writing: who wrote it, and the method."""
        self._places: dict[int, int] = {}
        self._alone: dict[int, Asked] = {}
        """What was asked by a client that had nothing under way and nothing waiting."""
        self._share: Counter[Owner] = Counter()
        self._written = 0
        self._newest = 0

    def ask(self, asked: Asked, *, ready: bool) -> None:
        """A client has asked something that is for Codex."""
        alone = not self.waiting[asked.client] and not self._share[asked.client]
        alone = alone and asked.client not in self.loaded and not self._is_served(asked.client)
        if ready and alone and asked.thread is None:
            asked.sent_before = self._written
            self._alone[asked.client] = asked
        self.open[asked.client][asked.serial] = asked
        self.by_serial[asked.serial] = asked
        self.waiting[asked.client] += 1
        if asked.thread is None:
            self._plain[asked.client] += 1

    def load(self, client: int) -> None:
        """Large answers wait for the client from now on: nothing is promised of when its request is sent."""
        self.loaded.add(client)
        if client in self._alone:
            self._alone[client].sent_before = -1

    def _is_served(self, client: int) -> bool:
        return any(w.asked is not None and w.asked.client == client for w in self.under_way.values())

    def write(self, written: Written) -> None:
        """A request was written to Codex."""
        if written.number <= self._newest:
            raise Wrong(f"request id {written.number} after {self._newest}: ids must be new")
        self._newest = written.number
        self._written += 1
        asked, owner = written.asked, None
        if asked is not None:
            owner = asked.client
            if owner in self.loaded and not (written.method in ENDS or written.method.endswith("/cancel")):
                raise Wrong(f"{asked} was written to Codex although large answers wait for its client")
            if asked.over or asked.number:
                raise Wrong(f"{asked} was written to Codex although it is over, or was already")
            asked.number = written.number
            self._leaves_queue(asked)
            overtaken = self._written - 1 - asked.sent_before
            if asked.sent_before >= 0 and overtaken > HANDFUL:
                raise Wrong(f"{overtaken} requests of others were sent before {asked}")
        self.under_way[written.number] = written
        self._places[written.number] = self._written
        self._takes_place(owner, written.method)

    def write_notification(self, client: int) -> None:
        """A client's notification was written to Codex; it takes a place in Codex's queue like a request."""
        if client in self.loaded:
            raise Wrong(f"a notification of {client} was written to Codex although large answers wait for it")
        self._written += 1
        self._takes_place(client, "")

    def _takes_place(self, owner: Owner, method: str) -> None:
        self._unproven[self._written] = owner, method
        self._share[owner] += 1
        if len(self._unproven) > WINDOW:
            raise Wrong(f"{len(self._unproven)} requests are beyond the newest proven one")
        if owner is not None and self._share[owner] > SHARE:
            raise Wrong(f"client {owner} has {self._share[owner]} requests of the window")

    def answered(self, number: int) -> None:
        """Codex's answer to this request reaches codexd: everything up to it was taken."""
        self.under_way.pop(number)
        place = self._places.pop(number)
        while self._unproven and (first := next(iter(self._unproven))) <= place:
            self._share[self._unproven.pop(first)[0]] -= 1

    def refused(self, number: int) -> None:
        """Codex had no room for it: it was not taken, which proves nothing."""
        written = self.under_way.pop(number)
        place = self._places.pop(number)
        if place in self._unproven:
            self._share[self._unproven.pop(place)[0]] -= 1
        if written.asked is None and written.method in ENDED_BY.values() and written.params is not None:
            self.to_end[written.params.request_id] = written.method
        self.waits_again(written.asked)

    def waits_again(self, asked: Asked | None) -> None:
        """A request that Codex did not execute goes back to where it came from."""
        if asked is not None and not asked.over:
            asked.number = 0
            asked.excused = True
            asked.sent_before = -1
            self.waiting[asked.client] += 1

    def close(self, asked: Asked) -> None:
        """It has its answer."""
        assert not asked.over, "the oracle closes each once"
        if not asked.number:
            self._leaves_queue(asked)
        asked.over = True
        del self.open[asked.client][asked.serial]
        del self.by_serial[asked.serial]

    def leave(self, client: int) -> None:
        """The client is gone: nobody waits for its answers, and what can be ended is."""
        for number, item in self.under_way.items():
            if item.asked is not None and item.asked.client == client and item.method in ENDED_BY:
                self.to_end[number] = ENDED_BY[item.method]
        for asked in self.open.pop(client).values():
            asked.over = True
            del self.by_serial[asked.serial]
        self.loaded.discard(client)
        self._alone.pop(client, None)
        del self.waiting[client]
        del self._plain[client]

    def codex_is_gone(self) -> list[Asked]:
        """Returns what was under way and somebody waits for, in the order of sending."""
        lost = [w.asked for w in self.under_way.values() if w.asked is not None and not w.asked.over]
        self.under_way.clear()
        self.to_end.clear()
        self._unproven.clear()
        self._places.clear()
        self._share.clear()
        return lost

    def is_under_way(self, methods: frozenset[str], thread: str) -> bool:
        """Whether Codex has a request of one of these methods for the thread, and has not answered it."""
        return any(
            w.method in methods and w.params is not None and w.params.thread_id == thread
            for w in self.under_way.values()
        )

    def of_thread(self, method: str, thread: str) -> list[Written]:
        """What Codex has of this kind for the thread, and has not answered."""
        under_way = self.under_way.values()
        return [w for w in under_way if w.method == method and w.params and w.params.thread_id == thread]

    def newest(self, client: int, raw_id: bytes, method: str) -> Asked | None:
        """What Codex has of this kind of the client's under this id, and has not answered: the last that was sent."""
        for item in reversed(self.under_way.values()):
            asked = item.asked
            if asked is not None and item.method == method and (asked.client, asked.id) == (client, raw_id):
                return asked
        return None

    def spend(self, number: int) -> None:
        """It names nothing: no request had it before, and none may have it later."""
        if number <= self._newest:
            raise Wrong(f"{number} is the id of a request, or was")
        self._newest = number

    def let_go(self) -> list[str]:
        """The threads from which codexd itself has asked Codex to unsubscribe, and has no answer."""
        own = (w for w in self.under_way.values() if w.asked is None and w.method == "thread/unsubscribe")
        return [w.params.thread_id for w in own if w.params is not None and w.params.thread_id is not None]

    def is_asked_of(self, thread: str) -> bool:
        """Whether a client still wants to know something of the thread, or one that has left has begun something there."""
        of_thread = (w for w in self.under_way.values() if w.asked is not None and w.asked.thread == thread)
        return any(not w.asked.over or w.asked.method in BEGINS for w in of_thread if w.asked is not None)

    def is_wanted(self, thread: str) -> bool:
        """Whether a client asks something of the thread, or is about to."""
        waits = any(asked.thread == thread for of_one in self.open.values() for asked in of_one.values())
        return waits or self.is_asked_of(thread)

    def is_wanted_by_resume(self, thread: str) -> bool:
        """Whether a client has asked to attach to the thread and has no answer."""
        everything = (asked for of_one in self.open.values() for asked in of_one.values())
        return any(asked.thread == thread and asked.method == "thread/resume" for asked in everything)

    def joining(self, thread: str | None) -> Asked | None:
        """Whose wish to attach codexd may ask for the thread now."""
        everything = (asked for of_one in self.open.values() for asked in of_one.values())
        waiting = [
            asked for asked in everything if asked.thread == thread and asked.joining and not asked.number
        ]
        return waiting[0] if waiting else None

    def is_unproven(self, method: str) -> bool:
        """Whether codexd itself has asked this and it is not proven to be taken."""
        return (None, method) in self._unproven.values()

    def has_unproven(self) -> bool:
        """Whether anything is not proven to be taken, a client's notification included."""
        return bool(self._unproven)

    def check_nothing_is_stuck(self) -> None:
        """With room in the window, a newcomer's request is sent, and everybody's when Codex has nothing to answer."""
        if len(self._unproven) >= WINDOW - 1:
            return
        for asked in [asked for asked in self._alone.values() if asked.over or asked.number or asked.excused]:
            del self._alone[asked.client]
        for client, asked in self._alone.items():
            if client not in self.loaded:
                raise Wrong(f"a newcomer's request is not sent at once: {asked}")
        if self.under_way:
            return
        for client, count in self._plain.items():
            if count and self._share[client] < SHARE and client not in self.loaded:
                raise Wrong(f"client {client} has {count} requests waiting although there is room")

    def earlier(self, asked: Asked) -> Asked | None:
        """What the same client asked before about following the same thread, and has no answer to."""
        for other in self.open[asked.client].values():
            if other is asked or asked.excused:
                break
            follows_or_leaves = other.method in IN_TURN and other.method != asked.method
            if other.thread == asked.thread and follows_or_leaves and not other.excused:
                return other
        return None

    def check_in_turn(self, asked: Asked) -> None:
        """Following and leaving a thread are answered to one client in the order in which it asked."""
        if (earlier := self.earlier(asked)) is not None:
            raise Wrong(f"{asked} was answered before {earlier}")

    def _leaves_queue(self, asked: Asked) -> None:
        self.waiting[asked.client] -= 1
        if asked.thread is None and not asked.excused:
            self._plain[asked.client] -= 1
