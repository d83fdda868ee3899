"""What must follow on each line of Codex, and what it tells the oracle."""

import re
from collections import deque
from collections.abc import Callable

from msgspec import UnsetType

from tests.routing.oracle_asking import AskingSide
from tests.routing.oracle_asks import AskView
from tests.routing.oracle_books import Books, Expected, Life
from tests.routing.oracle_clients import is_error
from tests.routing.oracle_ends import EndsSide
from tests.routing.oracle_events import EventsSide
from tests.routing.oracle_threads import ThreadView
from tests.routing.sim_words import (
    ALREADY_INITIALIZED,
    ID,
    NAMED,
    NEVER_KEPT,
    SERVER_REQUEST,
    Asked,
    Envelope,
    Kind,
    Said,
    filled,
    read_object,
)

SUBSCRIBES = frozenset({"thread/start", "thread/resume", "thread/fork"})
NO_TURNS = (b"is not materialized yet", b"ephemeral threads do not support")
EMPTY_PAGE = b'{"data":[],"nextCursor":null,"backwardsCursor":null}'
BEGINS_TURN = frozenset({"turn/start", "review/start"})
ENDS = frozenset({"thread/closed", "thread/archived", "thread/deleted"})


class CodexSide:
    """Fills in what must come out next; called before the Router gets the line."""

    def __init__(self, books: Books, asking: AskingSide, ends: EndsSide, events: EventsSide) -> None:
        self._books = books
        self._ends = ends
        self._events = events
        self._asking = asking
        self._kinds: dict[Kind, Callable[[Said], None]] = {
            Kind.ANSWER: self._answer,
            Kind.REFUSAL: self._refusal,
            Kind.CLOSING: self._closing,
            Kind.EVERYONE: self._everyone,
            Kind.THREAD: self._thread,
            Kind.HANDLE: self._handle,
            Kind.OF_REQUEST: self._of_request,
            Kind.CAUSED: self._caused,
            Kind.AUTH_URL: self._auth_url,
            Kind.SET_UP: self._caused,
            Kind.STARTUP: self._startup,
            Kind.REMOTE_STATUS: self._remote_status,
            Kind.RESOLVED: self._resolved,
            Kind.REPLAYED_USAGE: self._replayed_usage,
            Kind.GOAL_SNAPSHOT: self._goal_snapshot,
            Kind.REQUEST: self._request,
            Kind.JUNK: self._junk,
        }
        self._own: dict[str, Callable[[Said], None]] = {
            "initialize": self._introduced,
            "thread/resume": self._resumed,
            "thread/unsubscribe": self._released,
            "thread/read": self._parent_told,
            "thread/turns/list": ends.answered,
        }

    def says(self, said: Said) -> None:
        """Codex says this, and the Router is about to hear it."""
        self._books.counts[said.kind.name.lower()] += 1
        self._kinds[said.kind](said)

    def _junk(self, _: Said) -> None:
        """Nothing follows."""

    def _refusal(self, said: Said) -> None:
        assert said.cause is not None, "an answer"
        self._books.requests.refused(said.cause.number)
        self._own_resume_is_open_again(said)

    def _closing(self, said: Said) -> None:
        assert said.cause is not None, "an answer"
        self._books.requests.answered(said.cause.number)
        self._books.requests.waits_again(said.cause.asked)
        self._own_resume_is_open_again(said)

    def _own_resume_is_open_again(self, said: Said) -> None:
        assert said.cause is not None, "an answer"
        if said.cause.asked is None and said.method == "thread/resume":
            assert said.cause.params is not None, "it has some"
            view = self._books.threads.get(said.cause.params.thread_id)
            if view is not None:
                view.resume_sent = False

    def _answer(self, said: Said) -> None:
        assert said.cause is not None, "an answer"
        asked = said.cause.asked
        self._books.requests.answered(said.cause.number)
        if asked is None:
            self._own.get(said.method, self._junk)(said)
        elif asked.joining:
            self._thread_as_it_is(said, asked)
        elif said.ok and said.method in SUBSCRIBES:
            self._attached(said, asked)
        elif said.method in SUBSCRIBES:
            self._not_attached(said, asked)
        else:
            self._plain_answer(said, asked)
        self._books.quarantine.answered(said.cause)

    def _plain_answer(self, said: Said, asked: Asked) -> None:
        if said.ok and said.method in BEGINS_TURN:
            view = self._books.threads.get(said.thread)
            if view is not None and view.known:
                assert said.turn is not None, "the answer has it"
                view.runs(said.turn, self._books.now)
        if said.ok and said.method == "account/login/start":
            self._books.token_login = asked.client if asked.kind == "chatgptAuthTokens" else None
        if asked.over:
            return
        if asked.method == "thread/unsubscribe":
            self._books.requests.check_in_turn(asked)
            status = b"notSubscribed" if said.ok else b"notLoaded"
            self._books.counts["unsubscribed from an unknown thread"] += 1
            self._books.expect_answer(asked, b'{"id":%b,"result":{"status":"%b"}}' % (asked.id, status))
            return
        if said.ok:
            self._books.handles.answered(asked)
        empty = not said.ok and asked.method == "thread/turns/list" and any(w in said.line for w in NO_TURNS)
        if empty and self._books.threads.shared_by(asked.thread, asked.client) is not None:
            self._books.counts["empty pages"] += 1
            self._books.expect_answer(asked, b'{"id":%b,"result":%b}' % (asked.id, EMPTY_PAGE))
            return
        if not said.ok and asked.method == "initialize" and self._is_codexds_own_affair(said, asked):
            return
        if not said.ok and asked.thread in self._books.threads.lost and asked.thread.encode() in said.line:
            self._explained(said, asked)
            return
        self._books.expect_answer(asked, filled(said.template, asked.id, asked.word))

    def _explained(self, said: Said, asked: Asked) -> None:
        """Codex's own words about a thread that died with an earlier Codex, and why it is so."""
        is_error_of_it = is_error(-32600, asked.id, "threadLost")
        words = said.template.split(b'"message":"')[1].split(b'"')[0].decode()

        def is_it(line: bytes, envelope: Envelope) -> bool:
            if not is_error_of_it(line, envelope):
                return False
            message: str = read_object(envelope.error)["message"]  # type: ignore[arg-type] # is_error has looked at it
            return message.startswith(words + ": ")

        def done() -> None:
            self._books.requests.close(asked)
            self._books.counts["thread lost"] += 1

        clients = frozenset({asked.client})
        self._books.expected.append(
            Expected(clients, check=is_it, then=done, what=f"thread lost for {asked}")
        )

    def _is_codexds_own_affair(self, said: Said, asked: Asked) -> bool:
        """A client that has not initialized must not hear that it has: what is wrong, codexd says itself."""
        view = self._books.clients[asked.client]
        if ALREADY_INITIALIZED.encode() not in said.line or view.initialized:
            return False
        is_error_of_own = is_error(-32600, asked.id)

        def is_it(line: bytes, envelope: Envelope) -> bool:
            return is_error_of_own(line, envelope) and ALREADY_INITIALIZED.encode() not in line

        def done() -> None:
            self._books.requests.close(asked)
            self._books.counts["initialized in a way that codexd can't read"] += 1

        clients = frozenset({asked.client})
        self._books.expected.append(
            Expected(clients, check=is_it, then=done, what="why it is not initialized")
        )
        return True

    def _not_attached(self, said: Said, asked: Asked) -> None:
        shared = self._books.threads.shared_by(asked.thread, asked.client)
        no_rollout = asked.method == "thread/resume" and b"no rollout found" in said.line
        if not asked.over and no_rollout and shared is not None:
            asked.joining = True
            asked.joins += 1
            self._books.requests.waits_again(asked)
            return
        self._plain_answer(said, asked)
        self._adopt()

    def _thread_as_it_is(self, said: Said, asked: Asked) -> None:
        """Codex's answer to what codexd has asked in the stead of a resume."""
        books, asked.joining = self._books, False
        view = books.threads.shared_by(asked.thread, asked.client)
        if not asked.over and view is not None and view.durable and asked.joins == 1:
            books.requests.waits_again(asked)
            return
        clients = frozenset({asked.client})
        if not asked.over and (view is None or not said.ok):
            check = is_error(-32600, asked.id)
            books.expected.append(Expected(clients, check=check, then=lambda: books.requests.close(asked)))
        elif not asked.over and view is not None:
            books.requests.check_in_turn(asked)
            heard, upto = self._events.heard_by(asked.client), books.following.last_seq
            books.threads.follow(view, asked.client)
            view.joined.add(asked.client)
            books.expected.append(
                Expected(clients, check=_joins(asked), then=lambda: books.requests.close(asked))
            )
            self._events.joins(asked.client, view, heard, upto)
            books.counts["joined"] += 1
            goal = "thread/goal/cleared"
            books.expected.append(books.event(view.id, goal, books.everybody(), check=_is_method(goal)))
            for ask in books.asks.undecided(view.id):
                books.expected.extend(self._asking.offers_again(ask, asked.client))
            self._asking.offer_below(view.id)
        self._adopt()

    def _attached(self, said: Said, asked: Asked) -> None:
        books = self._books
        assert said.opens is not None, "it attaches to a thread"
        assert said.cause is not None, "an answer"
        held = books.threads.held.pop(said.cause.number, [])
        heard, upto = self._events.heard_by(asked.client), books.following.last_seq
        view = books.threads.view(said.opens, said.parent)
        books.threads.learn(view)
        view.ephemeral = said.ephemeral
        if said.ephemeral:
            books.following.ephemeral.add(view.id)
        books.releases.closing.pop(view.id, None)
        view.started |= said.method == "thread/start"
        view.durable |= said.method != "thread/start" and not said.ephemeral
        if said.turn is not None:
            view.runs(said.turn, books.now)
        if not asked.over:
            books.threads.follow(view, asked.client)
            if asked.declares_tools:
                view.tools_of = asked.client
            if asked.method == "thread/resume":
                books.requests.check_in_turn(asked)
        self._flush(view)
        self._adopt(offer=False)
        for method, line in held:
            books.counts["held"] += 1
            books.expect_event(view.id, method, frozenset(() if asked.over else (asked.client,)), line)
        if not asked.over:
            books.expect_answer(asked, filled(said.template, asked.id))
            self._events.joins(asked.client, view, heard, upto)
        if said.method == "thread/resume":
            self._asking.will_be_repeated(view.id, asked.client)
        self._asking.offer_of_family(view.id)

    def _flush(self, view: ThreadView) -> None:
        for said in view.backlog:
            self._books.counts["held of a sub-agent"] += 1
            flow = self._books.flows.setdefault(view.id, deque())
            if said.method not in NEVER_KEPT:
                flow.append(self._event(said, view))
            elif wanting := self._books.wanting(said.method, self._books.threads.followers(view.id)):
                flow.append(Expected(wanting, said.line, what="something of a sub-agent"))
            self.turns(said, view)
        view.backlog.clear()

    def _adopt(self, *, offer: bool = True) -> None:
        """codexd knows now whose these are: their followers get what was kept, and what waits is offered."""
        while adopted := [
            view for view in self._books.threads.adoptable() if not self._is_resumed(view.parent)
        ]:
            for view in adopted:
                self._books.threads.learn(view)
                self._books.counts["adopted"] += 1
                self._flush(view)
            for view in adopted if offer else ():
                self._asking.offer_of_family(view.id)

    def _is_resumed(self, thread: str | None) -> bool:
        """Whether somebody will follow it who does not yet."""
        view = self._books.threads.get(thread)
        if thread is None or (view is not None and view.known):
            return False
        return self._books.requests.is_under_way(frozenset({"thread/resume"}), thread)

    def _everyone(self, said: Said) -> None:
        books = self._books
        if said.ephemeral and said.thread is not None:
            books.following.ephemeral.add(said.thread)
        if said.thread is not None:
            books.expect_event(said.thread, said.method, books.everybody(), said.line)
        else:
            books.expect_note(said.method, books.everybody(), said.line)
        if said.method == "thread/deleted":
            books.following.to_forget = said.thread
            books.quarantine.lift(said.thread or "")
        if said.method == "thread/status/changed":
            self._ends.status(said)
        if said.method in ENDS:
            assert said.thread is not None, "it names its thread"
            books.releases.ended[said.thread] = said.line
            books.releases.closing.pop(said.thread, None)
            books.asks.end_thread(said.thread)
            books.threads.forget(said.thread)
            self._adopt()

    def _thread(self, said: Said) -> None:
        assert said.thread is not None, "it names its thread"
        if said.cause is not None and said.cause.number in self._books.requests.under_way:
            held = self._books.threads.held.setdefault(said.cause.number, [])
            held.append((said.method, said.line))
            return
        threads = self._books.threads
        if said.method == "turn/completed":
            if self._ends.is_told_already(said.turn):
                self._books.counts["an end that was told already"] += 1
                return
            self._books.asks.end_turn(said.thread, said.turn)
        view = threads.view(said.thread, said.parent)
        if not view.known:
            if view.parent is not None:
                view.backlog.append(said)
                self._search(view)
            return
        if said.method in NEVER_KEPT:
            self._books.expect_note(said.method, threads.followers(view.id), said.line)
        else:
            self._books.expected.append(self._event(said, view))
        self.turns(said, view)

    def _event(self, said: Said, view: ThreadView) -> Expected:
        """One of the thread's own; where a turn begins, it is taken down under which number."""
        following = self._books.following

        def begins() -> None:
            if view.turn == said.turn:
                view.turn_seq = following.last_seq

        followers = self._books.threads.followers(view.id)
        then = begins if said.method == "turn/started" else None
        return self._books.event(view.id, said.method, followers, line=said.line, then=then)

    def _search(self, view: ThreadView) -> None:
        if not view.named:
            view.searched = True

    def turns(self, said: Said, view: ThreadView) -> None:
        """Takes down what codexd learns from this of the thread's turn."""
        if said.method == "item/started":
            view.open_items[said.item] = None
        elif said.method == "item/completed":
            view.open_items.pop(said.item, None)
        elif said.method == "turn/started":
            assert said.turn is not None, "it names it"
            view.runs(said.turn, self._books.now)
            view.end_is_found(said.turn)
            view.rests()
            view.turn, view.at_rest = said.turn, False
            view.durable = not view.ephemeral
        elif said.method == "turn/completed":
            assert said.turn is not None, "it names it"
            was_missing = view.end_is_found(said.turn)
            view.ended = {said.turn}
            if view.turn == said.turn or not was_missing:
                view.ended.add(view.turn or "")
                view.end_is_found(view.turn or "")
                view.rests()

    def _handle(self, said: Said) -> None:
        found = self._books.handles.address(said)
        if found is not None and found[0] in self._books.clients:
            line = filled(said.template, b"", found[1])
            self._books.expect_note(said.method, frozenset({found[0]}), line)

    def _of_request(self, said: Said) -> None:
        """For who asked that, under its own id, and for nobody else."""
        assert said.cause is not None, "it names a request"
        assert said.cause.asked is not None, "a client's"
        asked = said.cause.asked
        line = said.template.replace(NAMED, asked.id)
        self._books.expect_note(said.method, self._books.everybody() & {asked.client}, line)

    def _caused(self, said: Said) -> None:
        assert said.cause is not None, "something has caused it"
        assert said.cause.asked is not None, "a client has"
        clients = self._books.everybody() & {said.cause.asked.client}
        self._books.expect_note(said.method, clients, said.line)

    def _auth_url(self, said: Said) -> None:
        """Where to log in is for the client that asked; the others hear of it without."""
        assert said.cause is not None, "something has caused it"
        assert said.cause.asked is not None, "a client has"
        books = self._books
        asker = books.everybody() & {said.cause.asked.client}
        books.expect_note(said.method, asker, said.line)
        without = re.sub(rb'"authUrl":"[^"]*"', b'"authUrl":null', said.line)
        books.expect_note(said.method, books.everybody() - asker, without)

    def _startup(self, said: Said) -> None:
        books = self._books
        books.startup.append((said.method, said.line))
        greeted = [c for c in books.everybody() if books.clients[c].greeted_by == books.incarnation]
        books.expect_note(said.method, frozenset(greeted), said.line)

    def _remote_status(self, said: Said) -> None:
        if self._books.startup_is_complete:
            self._books.startup[-1] = (said.method, said.line)
            self._everyone(said)
        else:
            self._startup(said)
            self._books.startup_is_complete = True

    def _resolved(self, said: Said) -> None:
        ask = self._books.asks.get(said.codex_id)
        if ask is None:
            return
        self._books.asks.end(ask)
        assert said.thread is not None, "it names its thread"
        view = self._books.threads.get(said.thread)
        is_known = view is not None and view.known
        followers = self._books.threads.followers(said.thread) if is_known else frozenset()
        event = self._books.event(said.thread, said.method, followers, check=self._resolves(said, ask))
        self._books.counts["resolved for clients"] += bool(event.clients)
        self._books.expected.append(event)

    def _resolves(self, said: Said, ask: AskView) -> Callable[[bytes, Envelope], bool]:
        before, after = said.template.split(ID)

        def is_it(line: bytes, _: Envelope) -> bool:
            number = line[len(before) : len(line) - len(after)]
            is_named = number.isdigit() and self._asking.is_called(ask, int(number))
            return is_named and line == filled(said.template, number)

        return is_it

    def _replayed_usage(self, said: Said) -> None:
        assert said.cause is not None, "a resume or fork has"
        asked = said.cause.asked
        if asked is not None and asked.client in self._books.clients:
            self._books.expect_note(said.method, frozenset({asked.client}), said.line)

    def _goal_snapshot(self, said: Said) -> None:
        assert said.cause is not None, "a resume has"
        assert said.thread is not None, "it names its thread"
        if said.cause.asked is not None:
            self._books.expect_event(said.thread, said.method, self._books.everybody(), said.line)

    def _request(self, said: Said) -> None:
        books = self._books
        ask = books.asks.add(said, books.now)
        if ask is None:
            self._repeated(said)
            return
        if said.thread is not None:
            view = books.threads.view(said.thread, said.parent)
            if not view.known and view.parent is not None:
                self._search(view)
            check = self._asking.is_told(ask)
            books.expected.append(books.event(said.thread, SERVER_REQUEST, frozenset(), check=check))
        offers = self._asking.offers(ask)
        books.expected.extend(offers)
        if said.thread is None and not offers:
            books.asks.decide(ask)
            books.for_codex.append(b'"reason":"noClient"')

    def _repeated(self, said: Said) -> None:
        """Behind the answer to a resume: for the client that asked for that, if it still follows the thread."""
        books = self._books
        ask = books.asks.get(said.codex_id)
        if ask is None or ask.decided or not ask.repeats:
            return
        books.expected.extend(self._asking.offers_again(ask, ask.repeats.pop(0)))

    def waits_no_longer(self) -> None:
        """Time has passed: what Codex has waited for long enough is answered for nobody."""
        books = self._books
        for ask in books.asks.undecided():
            if ask.expires_at <= books.now:
                books.asks.decide(ask)
                books.for_codex.append(b'"reason":"noClient"')
                books.counts["waited for in vain"] += 1

    def _introduced(self, said: Said) -> None:
        books = self._books
        if not said.ok:
            books.condemn()
            books.orders.append("stop")
            return
        books.life = Life.READY
        books.unanswered.clear()
        books.counts["ready"] += 1
        knowing = frozenset(c for c in books.everybody() if books.clients[c].claims.knows_codexd)
        clients = books.wanting("codexd/codex/ready", knowing)
        if clients:
            books.afterwards.append(Expected(clients, check=_is_method("codexd/codex/ready"), what="ready"))

    def _resumed(self, said: Said) -> None:
        """codexd's own resume after a death: the thread is back, or gone, and its followers are told."""
        books = self._books
        assert said.cause is not None, "an answer"
        assert said.cause.params is not None, "it has some"
        view = books.threads.get(said.cause.params.thread_id)
        if view is None:
            return
        view.resuming = view.resume_sent = False
        if said.ok:
            books.threads.learn(view)
            books.counts["resumed after a death"] += 1
            self._adopt()
            return
        followers = books.threads.followers(view.id)
        books.expected.append(books.event(view.id, "warning", followers, check=_is_method("warning")))
        if b"no rollout found" in said.line:
            books.threads.lost[view.id] = None
        books.threads.forget(view.id)
        self._adopt()

    def _released(self, said: Said) -> None:
        view = self._books.threads.get(said.thread)
        if view is not None and not view.followers:
            self._books.threads.forget(view.id)
            if b"notLoaded" not in said.line:
                self._books.releases.closing[view.id] = self._books.now

    def _parent_told(self, said: Said) -> None:
        """codexd has asked whose sub-agent a thread is."""
        books = self._books
        threads = books.threads
        assert said.cause is not None, "an answer"
        assert said.cause.params is not None, "it has some"
        view = threads.get(said.cause.params.thread_id)
        threads.sought.discard(said.cause.params.thread_id or "")
        if view is not None:
            view.searched = False
            view.named = said.ok and said.parent is not None and not view.known
            if said.ephemeral:
                view.ephemeral = True
                books.following.ephemeral.add(view.id)
        self._adopt()


def _joins(asked: Asked) -> Callable[[bytes, Envelope], bool]:
    """Whether a line is an answer as to a warm resume of a thread without turns."""

    def is_it(_: bytes, envelope: Envelope) -> bool:
        if isinstance(envelope.result, UnsetType) or isinstance(envelope.id, UnsetType):
            return False
        result = read_object(envelope.result)
        if "thread" not in result:
            return False
        empty = result["thread"]["id"] == asked.thread and result["thread"]["turns"] == []
        return bytes(envelope.id) == asked.id and empty and result["turnsBackwardsCursor"] is None

    return is_it


def _is_method(method: str) -> Callable[[bytes, Envelope], bool]:
    return lambda line, envelope: envelope.method == method and read_object(line)["method"] == method
