"""What Codex asks: approvals and the like. Who was asked, who may answer, and which answer counts.

Rule 1. A request gets an id of codexd's own, one integer below 2^53 that no other request ever had, whichever
        Codex and whichever codexd it came from: they count from the microsecond at which codexd started.
Rule 2. Only who was asked may answer. The first decision is the answer; what comes after it does nothing.
Rule 3. An error is an abstention as long as somebody else who was asked has not spoken. The last one's error is
        the answer. (Codex takes the first error for an answer: a client that does not know the method would decide
        for all, measured.) Of a dynamic tool it is not, while the owner of the tool is away: see `Asking`.
Rule 4. A request of a thread outlives those who were asked: it is offered to whoever attaches next, when Codex
        repeats it behind the answer to the resume; and it waits for them where all who are left have abstained. A client that resumes again gets it again, as from Codex. A request
        without a thread can't wait for anybody: when those who were asked have left, the others are asked who can
        answer it, and when there are none, it is answered with an error.
Rule 5. Decided is not over: Codex tells all subscribers that it is resolved, by its own id, which is translated.
"""

from msgspec import Struct, field

from codexd.protocol import messages
from codexd.protocol.catalogue import ANSWER_SECONDS, ASKED_OF_ONE, NEVER_RESOLVED, USER_VERIFICATION
from codexd.protocol.messages import Request
from codexd.routing.effects import ClientId


class Pending(Struct, eq=False):
    """One request of Codex. `id` is codexd's, `request.id` is Codex's own.

    `asked`: the clients that it was offered to and that are still there. `abstained`: those of them that answered
    with an error. `expires_at`: Codex waits no longer than that. `repeated_for`: the clients whose resume of the thread
    was answered, in that order; Codex repeats the request behind each of those answers, also for who was asked before.
    """

    id: int
    request: Request
    thread: str | None
    turn: str | None
    asked_at: float
    expires_at: float | None = None
    asked: dict[ClientId, None] = field(default_factory=dict)
    abstained: set[ClientId] = field(default_factory=set)
    repeated_for: list[ClientId] = field(default_factory=list)

    @property
    def is_for_one(self) -> bool:
        """Whether one client is asked, and not several. Codex does not repeat it."""
        if self.request.method in ASKED_OF_ONE:
            return True
        return bytes(messages.members_of(self.request.params).get("mode", b"")) == USER_VERIFICATION


class ServerRequests:
    """The requests that wait for a decision, and the decided ones that Codex has not resolved yet."""

    def __init__(self, now: float) -> None:
        self._last_id = int(now * 1_000_000)
        self._pending: dict[int, Pending] = {}
        self._by_codex_id: dict[bytes, Pending] = {}

    def add(self, request: Request, thread: str | None, turn: str | None, now: float) -> Pending | None:
        """Takes up a request; `None` when it is already known."""
        if request.id in self._by_codex_id:
            return None
        self._last_id += 1
        seconds = ANSWER_SECONDS.get(request.method)
        expires_at = now + seconds if seconds is not None else None
        pending = Pending(self._last_id, request, thread, turn, now, expires_at)
        self._pending[pending.id] = pending
        self._by_codex_id[request.id] = pending
        return pending

    def resumed(self, thread: str, client: ClientId) -> None:
        """The client's resume of the thread is answered: Codex is going to repeat for it what waits there.

        Not what it asks one client alone (measured).
        """
        for pending in self.undecided(thread):
            if not pending.is_for_one:
                pending.repeated_for.append(client)

    def repeated(self, codex_id: bytes) -> tuple[Pending, ClientId] | None:
        """For whom Codex repeats a request, and which; `None` if that is nobody, or it is decided."""
        pending = self._by_codex_id[codex_id]
        if pending.id not in self._pending or not pending.repeated_for:
            return None
        return pending, pending.repeated_for.pop(0)

    def ask(self, pending: Pending, clients: tuple[ClientId, ...]) -> tuple[ClientId, ...]:
        """Notes that these clients are asked; returns those that were not asked before."""
        new = tuple(client for client in clients if client not in pending.asked)
        pending.asked.update(dict.fromkeys(new))
        return new

    def find(self, raw_id: bytes, client: ClientId) -> Pending | None:
        """What an answer with this id from this client belongs to: undecided, and the client was asked."""
        pending = self._pending.get(int(raw_id)) if raw_id.isdigit() else None
        return pending if pending is not None and client in pending.asked else None

    def get(self, number: int) -> Pending | None:
        """An undecided request by codexd's id."""
        return self._pending.get(number)

    def decide(self, pending: Pending) -> None:
        """It has its answer. What concerns no thread is never resolved by Codex, and thereby over."""
        del self._pending[pending.id]
        if pending.thread is None:
            del self._by_codex_id[pending.request.id]

    def end_turn(self, thread: str, turn: str) -> None:
        """A turn is over, and so is what Codex wanted for it and never resolves."""
        for pending in list(self._by_codex_id.values()):
            is_of_turn = pending.thread == thread and pending.turn in (turn, None)
            if is_of_turn and pending.request.method in NEVER_RESOLVED:
                self.resolve(pending.request.id)

    def due(self, now: float) -> list[Pending]:
        """What Codex has waited for as long as it waits."""
        return [p for p in self._pending.values() if p.expires_at is not None and p.expires_at <= now]

    @property
    def deadline(self) -> float | None:
        """When the next one is due."""
        return min((p.expires_at for p in self._pending.values() if p.expires_at is not None), default=None)

    def abstain(self, pending: Pending, client: ClientId) -> bool:
        """The client answered with an error; returns whether that is the answer, because nobody else can speak."""
        pending.abstained.add(client)
        return len(pending.abstained) == len(pending.asked)

    def leave(self, client: ClientId, thread: str | None = None) -> list[Pending]:
        """The client is no longer asked (of this thread, or of anything).

        Returns what concerns no thread and has nobody left to answer.
        """
        orphans = []
        for pending in self._pending.values():
            if client in pending.asked and thread in (None, pending.thread):
                del pending.asked[client]
                pending.abstained.discard(client)
                if pending.thread is None and len(pending.abstained) == len(pending.asked):
                    orphans.append(pending)
        return orphans

    def resolve(self, codex_id: bytes) -> Pending | None:
        """Codex says that it is over; `None` for one that was never seen."""
        pending = self._by_codex_id.pop(codex_id, None)
        if pending is not None:
            self._pending.pop(pending.id, None)
        return pending

    def end_thread(self, thread: str) -> list[Pending]:
        """The thread is gone, and with it all that was asked for it; returns what is to be resolved."""
        return self._end([p for p in self._by_codex_id.values() if p.thread == thread])

    def end_all(self) -> list[Pending]:
        """Codex is gone; returns what is to be resolved, oldest first."""
        return self._end(list(self._by_codex_id.values()))

    def undecided(self, thread: str | None = None) -> list[Pending]:
        """What waits for a decision, oldest first; of one thread, or all."""
        return [pending for pending in self._pending.values() if thread in (None, pending.thread)]

    def _end(self, ended: list[Pending]) -> list[Pending]:
        unresolved = [p for p in ended if p.id in self._pending or p.request.method not in NEVER_RESOLVED]
        for pending in ended:
            self.resolve(pending.request.id)
        return unresolved
