"""What must follow on a death of Codex, and in which order."""

from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from tests.routing.oracle_asking import AskingSide
from tests.routing.oracle_asks import AskView
from tests.routing.oracle_books import CRASH_LOOP, CRASH_LOOP_SECONDS, Books, Expected, Life, Schema
from tests.routing.oracle_clients import UNAVAILABLE, is_error
from tests.routing.oracle_threads import ThreadView
from tests.routing.sim_words import Asked, Envelope, read_object

LONGEST_BACKOFF = 2.0
PATIENCE = 30.0
SAFE = {"thread/read": True, "model/list": True, "turn/start": False, "process/spawn": False}
"""Some requests, and whether they may just be repeated."""


class DeathSide:
    """Fills in what must come out when a Codex is gone."""

    def __init__(self, books: Books, asking: AskingSide) -> None:
        self._books = books
        self._asking = asking

    def starts(self) -> None:
        """The next Codex is to be started, because somebody wants it: earlier deaths do not count any more."""
        self._books.deaths.clear()
        self._books.unanswered.clear()
        self._books.orders.append("start")

    def time_passes(self) -> None:
        """After a death it is tried again within two seconds; one that stays silent for 30 s is given up."""
        books = self._books
        if books.life is Life.WAITING:
            if books.now >= books.since + LONGEST_BACKOFF:
                books.orders.append("start")
            else:
                books.may_start = True
        elif books.life is Life.STARTING and books.now >= books.since + PATIENCE:
            books.condemn()
            books.orders.append("kill")

    def spawned(self) -> None:
        """The process is there; what the last one said when it started is old."""
        self._books.startup.clear()
        self._books.startup_is_complete = False
        self._books.schema = Schema.UNKNOWN

    def learns(self, schema: Schema) -> None:
        """What codexd is told of what is experimental."""
        self._books.schema = schema

    def exits(self, reason: str) -> None:
        """The process is gone, or could not be had."""
        books = self._books
        stopping = books.life is Life.STOPPING
        reason = books.verdict or reason
        books.counts["deaths"] += 1
        quarantined: list[str] = []
        if not stopping:
            quarantined, excused = books.quarantine.codex_dies(books.requests, books.now)
            kept = [death for death in books.deaths if death not in excused]
            books.deaths.clear()
            books.deaths.extend(kept)
        self._everything_ends(reason, "stopping" if stopping else "codexExited")
        for thread in quarantined:
            self._let_go(thread)
        knowing = frozenset(c for c in books.everybody() if books.clients[c].claims.knows_codexd)
        self._afterwards("codexd/codex/exited", knowing)
        if stopping:
            return
        if not quarantined:
            books.deaths.append(books.now)
        in_a_row = len(books.deaths) == CRASH_LOOP and books.now - books.deaths[0] <= CRASH_LOOP_SECONDS
        in_a_row &= not quarantined
        in_a_row |= len(books.unanswered) > 1 and books.now - books.unanswered[0] >= CRASH_LOOP_SECONDS
        books.life = Life.DOWN if in_a_row else Life.WAITING
        books.since = books.now
        if in_a_row:
            books.counts["left down"] += 1
            self._nothing_is_written()
            self._afterwards("warning", books.everybody() | books.following.clients())

    def _let_go(self, thread: str) -> None:
        """It is not resumed any more, and its followers are told."""
        books, view = self._books, self._books.threads.get(thread)
        books.counts["quarantined"] += 1
        if view is not None and view.resuming:
            books.counts["quarantined with followers"] += 1
            warning = self._end(view, books.threads.followers(thread), "warning", _names_way_out)
            books.ends.setdefault(thread, deque()).append(warning)
            books.threads.forget(thread)

    def stops(self) -> None:
        """codexd ends."""
        books = self._books
        if books.life in (Life.STARTING, Life.READY):
            books.orders.append("stop")
        books.life = Life.STOPPING
        self._nothing_is_written()
        self._everything_ends("codexd is stopping", "stopping")
        for read in books.following.reads:
            check = is_error(UNAVAILABLE, read.raw_id, "stopping")
            books.loose.append(Expected(frozenset({read.client}), check=check, what=f"stopping for {read}"))
        books.following.reads.clear()

    def _nothing_is_written(self) -> None:
        for notes in self._books.notes.values():
            notes.clear()

    def _afterwards(self, method: str, clients: frozenset[int]) -> None:
        wanting = self._books.wanting(method, clients)
        if wanting:
            self._books.afterwards.append(Expected(wanting, check=_is(method), what=method))

    def _everything_ends(self, reason: str, why: str) -> None:
        books = self._books
        under_way = books.requests.codex_is_gone()
        for asked in under_way:
            self._under_way(asked, reason, why)
        for client, raw_id, thread in books.releases.waiting:
            check = is_error(UNAVAILABLE, raw_id, why)
            books.loose.append(
                Expected(frozenset({client}), check=check, what=f"{why} for release of {thread}")
            )
        books.releases.waiting.clear()
        books.releases.closing.clear()
        books.handles.codex_had(under_way)
        books.threads.held.clear()
        books.threads.sought.clear()
        for view in books.threads:
            self._thread(view, reason)
        for ask in books.asks:
            books.asks.end(ask)
        for client, method, member, word in books.handles.codex_is_gone():
            clients = books.wanting(method, frozenset({client}) & books.clients.keys())
            if clients:
                check = _is(method, _has(member, word))
                books.loose.append(Expected(clients, check=check, what=f"{method} {word!r}"))
        for view in books.threads:
            self._keep_or_lose(view)

    def _under_way(self, asked: Asked, reason: str, why: str) -> None:
        is_it = is_error(UNAVAILABLE, asked.id, why)

        def check(line: bytes, envelope: Envelope) -> bool:
            if not is_it(line, envelope):
                return False
            error = read_object(envelope.error)  # type: ignore[arg-type] # is_it has looked at it
            safe = error["data"]["safeToRetry"]
            return reason in error["message"] and safe is SAFE.get(asked.method, safe)

        def done() -> None:
            self._books.requests.close(asked)
            self._books.counts["answered by a death"] += 1

        clients = frozenset({asked.client})
        what = f"{why} for {asked}"
        self._books.expected.append(Expected(clients, check=check, then=done, what=what))

    def _thread(self, view: ThreadView, reason: str) -> None:
        books = self._books
        view.backlog.clear()
        if not view.known:
            return
        followers = books.threads.followers(view.id)
        ends: deque[Expected] = deque()
        for ask in [ask for ask in books.asks if ask.thread == view.id]:
            if ask.is_announced or not ask.decided:
                ends.append(self._end(view, followers, "serverRequest/resolved", self._names(ask)))
        everybody = books.everybody()
        ends.append(self._end(view, everybody, "thread/status/changed", _has_status))
        for turn in view.missing:
            if turn != view.turn:
                ends.append(self._end(view, followers, "turn/completed", _interrupted(turn)))
        if view.turn is not None:
            ends.append(self._end(view, followers, "error", _of_turn(view.turn)))
            ends.append(self._end(view, followers, "turn/completed", _failed(view.turn, reason)))
        books.ends[view.id] = ends
        view.rests()
        view.missing.clear()
        view.overdue.clear()

    def _names(self, ask: AskView) -> Callable[[dict[str, Any]], bool]:
        return lambda params: self._asking.is_called(ask, params["requestId"])

    def _end(
        self,
        view: ThreadView,
        entitled: frozenset[int],
        method: str,
        check: Callable[[dict[str, Any]], bool],
    ) -> Expected:
        return self._books.event(view.id, method, entitled, check=_is(method, check))

    def _keep_or_lose(self, view: ThreadView) -> None:
        """A thread that has had a turn comes back if somebody follows it; one that has not is lost for good."""
        threads = self._books.threads
        if view.followers and (view.durable or view.resuming):
            threads.comes_back(view)
            self._books.counts["to be resumed"] += 1
            return
        if view.known and not view.durable and view.parent is None:
            threads.lost[view.id] = None
            self._books.counts["lost threads"] += 1
        threads.forget(view.id)


def _is(
    method: str, check: Callable[[dict[str, Any]], bool] | None = None
) -> Callable[[bytes, Envelope], bool]:
    def is_it(_: bytes, envelope: Envelope) -> bool:
        if envelope.method != method or isinstance(envelope.params, msgspec.UnsetType):
            return False
        return check is None or check(read_object(envelope.params))

    return is_it


def _has(member: str, word: str) -> Callable[[dict[str, Any]], bool]:
    return lambda params: bool(params[member] == word)


def _names_way_out(params: dict[str, Any]) -> bool:
    return f"codexctl threads release {params['threadId']}" in params["message"]


def _has_status(params: dict[str, Any]) -> bool:
    return bool(params["status"] == {"type": "systemError"})


def _of_turn(turn: str) -> Callable[[dict[str, Any]], bool]:
    return lambda params: bool(params["turnId"] == turn)


def _interrupted(turn: str) -> Callable[[dict[str, Any]], bool]:
    return lambda params: bool((params["turn"]["id"], params["turn"]["status"]) == (turn, "interrupted"))


def _failed(turn: str, reason: str) -> Callable[[dict[str, Any]], bool]:
    def is_it(params: dict[str, Any]) -> bool:
        ended = params["turn"]
        return bool(
            ended["id"] == turn and ended["status"] == "failed" and reason in ended["error"]["message"]
        )

    return is_it
