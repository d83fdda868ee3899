"""Judges every effect of the Router, from what was sent and received alone.

Before each input its sides say what must come out; each effect is then matched against that, in order; afterwards
nothing may be missing. What comes out of queues (requests to Codex, answers that codexd gives itself) is judged when
it comes.
"""

from typing import Any

import msgspec

from codexd.routing.effects import (
    Effect,
    ForgetThread,
    Log,
    Numbered,
    Observed,
    PauseReading,
    ReadEvents,
    Replay,
    ResumeReading,
    StartCodex,
    Stop,
    StopCodex,
    ToClients,
    ToCodex,
    ViewChanged,
)
from codexd.routing.router import Router
from tests.routing.oracle_asking import AskingSide
from tests.routing.oracle_asks import AskView
from tests.routing.oracle_books import Books, Expected, Life, Schema
from tests.routing.oracle_clients import ClientSide
from tests.routing.oracle_codex import CodexSide
from tests.routing.oracle_death import DeathSide
from tests.routing.oracle_ends import EndsSide
from tests.routing.oracle_events import EventsSide
from tests.routing.oracle_observed import ObservedSide
from tests.routing.oracle_requests import FULL, LOW, SLACK
from tests.routing.oracle_silence import SilenceSide
from tests.routing.oracle_written import WrittenSide
from tests.routing.sim_timeline import SimulatedTimeline
from tests.routing.sim_words import Envelope, Written, Wrong, read_envelope, read_object, written


class Oracle:
    """One for each Router."""

    def __init__(
        self, used_ids: set[int], unload_delay: float, silence: float, timeline: SimulatedTimeline
    ) -> None:
        self.books = Books(used_ids, unload_delay, timeline.next_seq - 1)
        self.events = EventsSide(self.books, timeline)
        self.asking = AskingSide(self.books)
        self.clients = ClientSide(self.books, self.asking)
        self.ends = EndsSide(self.books)
        self.codex = CodexSide(self.books, self.asking, self.ends, self.events)
        self.death = DeathSide(self.books, self.asking)
        self.silence = SilenceSide(self.books, silence)
        self.observed = ObservedSide()
        self._written = WrittenSide(self.books, self.ends)

    def judge(self, effect: Effect) -> Written | None:
        """Raises `Wrong` for an effect that must not be; returns what was written to Codex, if it is that."""
        match effect:
            case ToClients():
                self._matches(effect.clients, effect.line, None)
            case Numbered():
                self._numbered(effect)
            case Observed():
                self.observed.judge(effect, self.books.now)
            case ToCodex():
                return self._to_codex(effect.line)
            case PauseReading() | ResumeReading():
                self._pause(effect.client, paused=isinstance(effect, PauseReading))
            case StartCodex() | StopCodex() | Stop():
                self._of_life(effect)
            case Replay() | ReadEvents() | ForgetThread():
                self.events.judge(effect)
            case ViewChanged() | Log():
                pass
        return None

    def _of_life(self, effect: StartCodex | StopCodex | Stop) -> None:
        match effect:
            case StartCodex():
                self._start(effect.incarnation)
            case StopCodex(at_once=at_once):
                self._stop(at_once=at_once)
            case Stop():
                raise Wrong("nobody has asked codexd to end")

    def _numbered(self, effect: Numbered) -> None:
        self.observed.is_numbered(effect.event)
        self.events.check_number(effect)
        self._matches(effect.clients + effect.with_number, effect.event.line, effect.event.thread)

    def finished(self) -> None:
        """All effects of an input were judged: nothing that had to come may be missing."""
        books = self.books
        if books.expected or books.ends or books.loose or books.flows or books.afterwards:
            self._nothing_is_missing()
        if books.for_codex or books.orders:
            raise Wrong(f"not written to Codex: {list(books.for_codex)}, not ordered: {list(books.orders)}")
        if books.following.reads:
            self.events.all_are_asked()
        books.may_start = books.may_kill = False
        books.releases.ended.clear()
        books.threads.mark_use(books.now)
        self._nobody_is_kept_waiting()
        self.silence.look()
        self.observed.finished()

    def _nothing_is_missing(self) -> None:
        books = self.books
        due = [*books.expected, *(e for ends in books.ends.values() for e in ends), *books.loose]
        due += [*books.afterwards, *(e for flow in books.flows.values() for e in flow)]
        if due:
            raise Wrong(f"{len(due)} lines are missing, first for {set(due[0].clients)}: {_describe(due[0])}")
        books.ends.clear()
        books.flows.clear()

    def time_is(self, now: float) -> None:
        """Time has passed; what is in use was so until now."""
        if now != self.books.now:
            self.books.now = now
            self.books.threads.mark_use(now)

    def compare(self, router: Router) -> None:
        """What the Router says of itself must be what was counted here."""
        books = self.books
        if router.ready() != (books.life is Life.READY):
            raise Wrong(f"ready: {router.ready()}, but Codex is {books.life.name}")
        if (router.down_reason() is not None) and books.life is Life.READY:
            raise Wrong("there is a reason why Codex is down, but it is not")
        status = router.status()
        if status.quarantined != list(books.quarantine.threads):
            raise Wrong(f"quarantined: {status.quarantined}, not {list(books.quarantine.threads)}")
        if status.clients != len(books.clients):
            raise Wrong(f"{status.clients} clients")
        for client in books.clients.values():
            count = len(books.requests.open[client.id]) + (client.initialize is not None)
            count += sum(asker == client.id for asker, _, _ in books.releases.waiting)
            count += sum(read.client == client.id for read in books.following.reads)
            if not count <= router.in_flight(client.id) <= count + len(books.notes[client.id]):
                raise Wrong(f"{router.in_flight(client.id)} requests of {client.id} are open, not {count}")

    def is_list_of_asks(self, result: bytes) -> bool:
        """The answer to `codexd/approvals/list`; from it is learnt what nobody has been asked yet."""
        listed = read_object(result)["approvals"]
        undecided = self.books.asks.undecided()
        for entry in listed:
            view = next((v for v in undecided if v.said.method == entry["method"] and _same(v, entry)), None)
            if view is None:
                return False
            if view.id is None:
                self.asking.learn(view, entry["id"])
            if view.id != entry["id"] or set(entry["askedClients"]) != view.asked.keys():
                return False
        return len(listed) == len(undecided)

    def _nobody_is_kept_waiting(self) -> None:
        books = self.books
        is_ready, is_hopeless = books.life is Life.READY, books.life in (Life.DOWN, Life.STOPPING)
        if is_ready and books.schema is not Schema.UNKNOWN:
            books.requests.check_nothing_is_stuck()
        waiting_of, notes, reads = books.requests.waiting, books.notes, books.following.reads
        for client in books.clients.values():
            waiting = held = waiting_of[client.id] + len(notes[client.id])
            if reads:
                held += sum(read.client == client.id for read in reads)
            held += sum(asker == client.id for asker, *_ in books.releases.waiting)
            if held > FULL + SLACK:
                raise Wrong(f"client {client.id} has {held} requests waiting and is still read")
            if client.paused and held < LOW - SLACK:
                raise Wrong(f"client {client.id} is not read although only {held} of its requests wait")
            if is_ready and client.initialize:
                raise Wrong(f"client {client.id} waits for the answer to its initialize")
            if is_hopeless and (waiting or client.initialize):
                raise Wrong(f"client {client.id} waits for a Codex that does not come")

    def _matches(self, recipients: tuple[int, ...], line: bytes, thread: str | None) -> None:
        """A line is queued; `thread`: it is an event of this thread."""
        clients = frozenset(recipients)
        if len(clients) < len(recipients) or not (clients or thread):
            raise Wrong(f"nobody, or somebody twice, gets {line!r}: {recipients}")
        if not self.books.clients.keys() >= clients:
            raise Wrong(f"somebody is not connected of {recipients}, who get {line!r}")
        expected = self.books.expected
        if expected and expected[0].line == line and _is_for(expected[0], clients, thread):
            _done(expected.popleft())
            return
        self._judge_closely(clients, line, read_envelope(line), thread)

    def _judge_closely(
        self, clients: frozenset[int], line: bytes, envelope: Envelope, thread: str | None
    ) -> None:
        books = self.books
        if books.expected and _fits(books.expected[0], clients, line, envelope, thread):
            _done(books.expected.popleft())
            return
        for flow in books.flows.values():
            if flow and flow[0].line == line and _is_for(flow[0], clients, thread):
                _done(flow.popleft())
                return
        for at, loose in enumerate(books.loose):
            if _fits(loose, clients, line, envelope, thread):
                _done(books.loose.pop(at))
                return
        if thread is not None:
            if not self._end_of_thread(clients, line, envelope, thread):
                self._unexpected(clients, line, thread)
        elif isinstance(envelope.method, msgspec.UnsetType):
            self._own_answer(clients, line, envelope)
        elif not self._afterwards(clients, line, envelope):
            self._unexpected(clients, line)

    def _own_answer(self, clients: frozenset[int], line: bytes, envelope: Envelope) -> None:
        (client, *others) = clients
        view = self.books.clients[client]
        if not others and self.books.life is Life.READY and view.initialize is not None:
            self._greeting(clients, line, envelope)
            return
        if others or not self.clients.answered_by_codexd(client, line, envelope):
            self._unexpected(clients, line)

    def _greeting(self, clients: frozenset[int], line: bytes, envelope: Envelope) -> None:
        (client,) = clients
        kept = list(self.books.expected)
        self.books.expected.clear()
        self.clients.greeted(self.books.clients[client])
        self.books.expected.extend(kept)
        if not _fits(self.books.expected[0], clients, line, envelope, None):
            self._unexpected(clients, line)
        self.books.expected.popleft()

    def _end_of_thread(self, clients: frozenset[int], line: bytes, envelope: Envelope, thread: str) -> bool:
        ends = self.books.ends.get(thread)
        if self.books.expected or not ends or not _fits(ends[0], clients, line, envelope, thread):
            return False
        _done(ends.popleft())
        return True

    def _afterwards(self, clients: frozenset[int], line: bytes, envelope: Envelope) -> bool:
        books = self.books
        if books.expected or any(books.ends.values()) or books.loose or not books.afterwards:
            return False
        if not _fits(books.afterwards[0], clients, line, envelope, None):
            return False
        _done(books.afterwards.popleft())
        return True

    def _to_codex(self, line: bytes) -> Written:
        item, envelope = written(line)
        if item.number:
            self._written.request(item, envelope)
            return item
        if item.method:
            self._note(line)
            return item
        if not self.books.for_codex:
            raise Wrong(f"nothing was to be written to Codex: {line!r}")
        due = self.books.for_codex.popleft()
        if line != due and not (due == b'"reason":"noClient"' and due in line):
            raise Wrong(f"written to Codex: {line!r}, expected: {due!r}")
        return item

    def _note(self, line: bytes) -> None:
        self._written.is_allowed(line)
        for client, notes in self.books.notes.items():
            if notes and notes[0] == line:
                notes.popleft()
                self.books.requests.write_notification(client)
                self.books.counts["notifications for Codex"] += 1
                return
        raise Wrong(f"no client has this notification for Codex, or not as the next one: {line!r}")

    def _pause(self, client: int, *, paused: bool) -> None:
        view = self.books.clients[client]
        if view.paused is paused:
            raise Wrong(f"reading from client {client} was already {'paused' if paused else 'resumed'}")
        view.paused = paused
        self.books.counts["pauses"] += paused

    def _start(self, incarnation: int) -> None:
        self._order("start")
        books = self.books
        books.incarnation += 1
        if incarnation != books.incarnation:
            raise Wrong(f"incarnation {incarnation} is not the next one")
        books.life, books.since, books.condemned, books.may_start = Life.STARTING, books.now, False, False
        books.unanswered.append(books.now)
        books.verdict = None

    def _stop(self, *, at_once: bool) -> None:
        """A Codex that does not answer is not asked to end; every other is."""
        if at_once and self.books.may_kill:
            self.books.counts["hung"] += 1
            self.books.condemn(self.silence.verdict)
            return
        self._order("kill" if at_once else "stop")

    def _order(self, order: str) -> None:
        if order == "start" and self.books.may_start:
            return
        if not self.books.orders or self.books.orders.popleft() != order:
            raise Wrong(f"Codex was not to {order} now")

    def _unexpected(self, clients: frozenset[int], line: bytes, thread: str | None = None) -> None:
        due = f", expected {_describe(self.books.expected[0])}" if self.books.expected else ""
        kind = f"as an event of {thread}" if thread is not None else "without a number"
        raise Wrong(f"{line!r} {kind} for {set(clients)} is not meant for them, or not now{due}")


def _is_for(expected: Expected, clients: frozenset[int], thread: str | None) -> bool:
    return expected.clients == clients and expected.thread == thread


def _fits(
    expected: Expected, clients: frozenset[int], line: bytes, envelope: Envelope, thread: str | None
) -> bool:
    if expected.thread != thread or expected.replays is not None:
        return False
    those = (
        clients <= expected.clients and len(clients) == 1 if expected.to_one else clients == expected.clients
    )
    if not those or expected.line not in (None, line):
        return False
    if expected.check is not None and not expected.check(line, envelope):
        return False
    expected.clients = clients
    return True


def _same(view: AskView, entry: dict[str, Any]) -> bool:
    return b'{"n":%d' % entry["params"]["n"] in view.said.template and view.thread == entry["threadId"]


def _done(expected: Expected) -> None:
    if expected.then is not None:
        expected.then()


def _describe(expected: Expected) -> str:
    kind = f"event of {expected.thread}" if expected.thread is not None else "line"
    return f"{kind} for {set(expected.clients)}: {expected.line!r} {expected.what}"
