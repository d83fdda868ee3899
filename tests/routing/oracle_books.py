"""What the oracle knows: its books, the clients as they see themselves, and what must come out next."""

from collections import Counter, deque
from collections.abc import Callable
from enum import Enum, auto

from msgspec import Struct

from codexd.routing.events import Gap
from tests.routing.oracle_asks import AskBook
from tests.routing.oracle_following import FollowBook
from tests.routing.oracle_handles import HandleBook
from tests.routing.oracle_quarantine import QuarantineBook
from tests.routing.oracle_requests import RequestBook
from tests.routing.oracle_threads import ThreadBook
from tests.routing.sim_words import NEVER_KEPT, NEWCOMER, Asked, Claims, Envelope, Wrong

CRASH_LOOP = 5
CRASH_LOOP_SECONDS = 60.0


class Life(Enum):
    """Where Codex is, as seen from outside."""

    NONE = auto()
    STARTING = auto()
    READY = auto()
    WAITING = auto()
    ENDING = auto()
    DOWN = auto()
    STOPPING = auto()


class Schema(Enum):
    """What codexd was told of what is experimental for the present Codex."""

    UNKNOWN = auto()
    NONE = auto()
    THERE = auto()


class ClientView(Struct, eq=False):
    """One connection. `initialize`: what it asked and has no answer to. `greeted_by`: the incarnation that answered.

    `claims` count from its `initialize` on.
    """

    id: int
    name: str = ""
    initialize: Asked | None = None
    initialized: bool = False
    claims: Claims = NEWCOMER
    greeted_by: int = 0
    paused: bool = False


class Expected(Struct, eq=False):
    """One line that must come out: these clients, exactly this line, or one that passes the check.

    `thread`: it must have a number, as an event of this thread; `None`: it must have none. `replays`: in place of a line
    stretches of the timeline must be queued, each of which has these lines; `gap`: what is missing there. `to_one`: one of these clients gets it, whichever; when it has come, it is the only one in `clients`.
    """

    clients: frozenset[int]
    line: bytes | None = None
    check: Callable[[bytes, Envelope], bool] | None = None
    then: Callable[[], None] | None = None
    what: str = ""
    to_one: bool = False
    thread: str | None = None
    replays: list[list[bytes]] | None = None
    gap: Gap | None = None


class ReleaseBook:
    """Who waits for which thread to be let go of: client, id and thread. `closing`: when Codex has said that it does.

    `ended`: what Codex says of the end of a thread in this very input.
    """

    def __init__(self) -> None:
        self.waiting: list[tuple[int, bytes, str]] = []
        self.closing: dict[str, float] = {}
        self.ended: dict[str, bytes] = {}

    def is_waiting(self, client: int, raw_id: bytes) -> bool:
        """Whether the client waits for an answer under this id."""
        return any(each[:2] == (client, raw_id) for each in self.waiting)


class Books:
    """Everything that the oracle keeps; filled from what was sent and received alone."""

    def __init__(self, used_ids: set[int], unload_delay: float, last_seq: int) -> None:
        self.unload_delay = unload_delay
        self.requests = RequestBook()
        self.following = FollowBook(last_seq)
        self.threads = ThreadBook()
        self.asks = AskBook(used_ids)
        self.quarantine = QuarantineBook()
        self.handles = HandleBook()
        self.clients: dict[int, ClientView] = {}
        self.releases = ReleaseBook()
        self.life = Life.NONE
        self.schema = Schema.UNKNOWN
        self.incarnation = 0
        self.startup: list[tuple[str, bytes]] = []
        self.startup_is_complete = False
        self.deaths: deque[float] = deque(maxlen=CRASH_LOOP)
        self.unanswered: list[float] = []
        """When Codex was started since it was ready last."""
        self.counts: Counter[str] = Counter()
        self.token_login: int | None = None
        """Who logged in with tokens of its own, if that was the last login."""
        self.now = 0.0
        self.expected: deque[Expected] = deque()
        self.ends: dict[str, deque[Expected]] = {}
        self.flows: dict[str, deque[Expected]] = {}
        """What must come out by thread, in order, but in any order among them."""
        self.loose: list[Expected] = []
        self.afterwards: deque[Expected] = deque()
        self.for_codex: deque[bytes] = deque()
        self.notes: dict[int, deque[bytes]] = {}
        """Notifications of clients on their way to Codex."""
        self.orders: deque[str] = deque()
        """`start` and `stop`, as they must be given for Codex."""
        self.may_start = self.may_kill = False
        self.since = 0.0
        self.condemned = False
        self.verdict: str | None = None
        self._everybody: frozenset[int] | None = None

    def condemn(self, verdict: str | None = None) -> None:
        """codexd has given this Codex up: it hears nothing of it any more but its end. `verdict`: what it says of it."""
        self.condemned, self.verdict = True, verdict
        self.life = Life.ENDING

    def is_open(self) -> bool:
        """Whether Codex has anything to do."""
        runs = any(view.known and view.turn is not None for view in self.threads)
        return self.life is Life.READY and (runs or bool(self.requests.under_way))

    def everybody(self) -> frozenset[int]:
        """Who has initialized."""
        if self._everybody is None:
            self._everybody = frozenset(c.id for c in self.clients.values() if c.initialized)
        return self._everybody

    def handshakes_changed(self) -> None:
        """Somebody has initialized, or is gone."""
        self._everybody = None

    def wanting(self, method: str, clients: frozenset[int]) -> frozenset[int]:
        """Those of them that have not opted out of it, and may hear of it."""
        unwilling = [c for c in clients if not self.clients[c].claims.wants(method)]
        return clients.difference(unwilling) if unwilling else clients

    def wants(self, client: int, method: str) -> bool:
        """Whether the client has not opted out of it, and may hear of it."""
        return self.clients[client].claims.wants(method)

    def event(
        self,
        thread: str,
        method: str,
        entitled: frozenset[int],
        *,
        line: bytes | None = None,
        check: Callable[[bytes, Envelope], bool] | None = None,
        then: Callable[[], None] | None = None,
    ) -> Expected:
        """An event, which must be numbered whoever hears of it: those who are entitled, and those who follow events."""
        clients = self.wanting(method, entitled | self.following.followers(thread))
        return Expected(clients, line, check, then, method, thread=thread)

    def expect_event(self, thread: str, method: str, entitled: frozenset[int], line: bytes) -> None:
        """This notification of a thread must come next, with a number unless it is one that is never kept."""
        if method in NEVER_KEPT:
            self.expect_note(method, entitled, line)
        else:
            self.expected.append(self.event(thread, method, entitled, line=line))

    def expect_note(self, method: str, clients: frozenset[int], line: bytes) -> None:
        """This notification must reach those of the clients that want it, next."""
        clients = self.wanting(method, clients)
        if clients:
            self.expected.append(Expected(clients, line))

    def expect_answer(self, asked: Asked, line: bytes, then: Callable[[], None] | None = None) -> None:
        """This is the answer that the asker must get, next."""

        def done() -> None:
            self.requests.close(asked)
            self.counts["answered by Codex"] += 1
            if then is not None:
                then()

        self.expected.append(Expected(frozenset({asked.client}), line, then=done, what=f"answer to {asked}"))

    def expect_own(self, client: int, check: Callable[[bytes, Envelope], bool], what: str) -> None:
        """codexd itself must answer this client, next."""
        self.expected.append(Expected(frozenset({client}), check=check, what=what))

    def is_held_back(self, asked: Asked) -> bool:
        """Whether its asker must not ask this: it is experimental, and the asker has not asked for such things."""
        is_gated = bool(asked.gated) and self.schema is Schema.THERE
        return is_gated and not self.clients[asked.client].claims.experimental

    def check_thread_may_be_written_to(self, thread: str | None) -> None:
        """A thread that is on its way back gets no requests."""
        view = self.threads.get(thread)
        if view is not None and view.resuming:
            raise Wrong(f"a request for {thread} was sent to Codex before its resume was answered")
