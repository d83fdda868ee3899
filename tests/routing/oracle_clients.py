"""What must follow on each thing that a client does."""

from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from tests.routing.oracle_asking import AskingSide
from tests.routing.oracle_books import Books, ClientView, Life
from tests.routing.oracle_threads import ThreadView
from tests.routing.sim_words import ID, UNKNOWN, Asked, Claims, Envelope, read_object

UNAVAILABLE = -32050


class ClientSide:
    """Fills in what must come out next; called before the Router gets the input."""

    def __init__(self, books: Books, asking: AskingSide) -> None:
        self._books = books
        self._asking = asking

    def connects(self, client: int) -> None:
        """A connection is accepted."""
        self._books.clients[client] = ClientView(client)
        self._books.notes[client] = deque()
        self._books.requests.open[client] = {}

    def leaves(self, client: int) -> None:
        """A connection is gone."""
        books = self._books
        del books.clients[client]
        del books.notes[client]
        books.following.leave(client)
        books.handshakes_changed()
        books.requests.leave(client)
        books.handles.leave(client)
        books.threads.leave(client)
        books.releases.waiting = [each for each in books.releases.waiting if each[0] != client]
        for orphan in books.asks.leave(client):
            stand_ins = [] if orphan.asked else self._asking.offers(orphan)
            books.loose.extend(stand_ins)
            if not stand_ins:
                books.asks.decide(orphan)
                books.for_codex.append(b'"reason":"noClient"')
        self._asking.offer_again()

    def releases(self, client: int, raw_id: bytes, thread: str) -> None:
        """`codexd/threads/release`."""
        books = self._books
        view = books.threads.get(thread)
        if books.quarantine.lift(thread) and not (view is not None and (view.known or view.resuming)):
            books.counts["quarantine lifted"] += 1
            books.expect_own(client, _is_result(raw_id, {"status": "released"}), "the end of a quarantine")
            return
        if books.life is Life.STOPPING:
            self.calls_codexd_in_vain(client, raw_id, UNAVAILABLE)
            return
        books.releases.waiting.append((client, raw_id, thread))
        for view in [books.threads.get(thread), *books.threads.descendants(thread)]:
            if view is not None:
                view.in_use_at = float("-inf")

    def asks(self, asked: Asked) -> None:
        """A request that is for Codex."""
        books = self._books
        view = books.clients[asked.client]
        books.counts["requests"] += 1
        if not view.initialized and view.initialize is None:
            self._refused(asked, -32600)
        else:
            self._queued(asked)

    def introduces_itself_in_vain(self, asked: Asked) -> None:
        """An `initialize` that is not the first, or that codexd can't read: Codex is to say what is wrong with it."""
        self._books.counts["initialized in vain"] += 1
        self._queued(asked)

    def _queued(self, asked: Asked) -> None:
        books = self._books
        if books.life in (Life.DOWN, Life.STOPPING):
            self._refused(asked, UNAVAILABLE)
        else:
            books.requests.ask(asked, ready=books.life is Life.READY and not books.notes[asked.client])

    def has_a_bad_name(self, asked: Asked) -> None:
        """A first `initialize` with a name that Codex would not take."""
        self._refused(asked, -32600)

    def initializes(self, asked: Asked, name: str, claims: Claims) -> None:
        """A first `initialize`."""
        books = self._books
        view = books.clients[asked.client]
        view.claims = claims
        if books.life in (Life.DOWN, Life.STOPPING):
            self._refused(asked, UNAVAILABLE)
            return
        view.initialize, view.name = asked, name
        if books.life is Life.READY:
            self.greeted(view)

    def greeted(self, view: ClientView) -> None:
        """Its `initialize` must be answered next, followed by what Codex said when it started."""
        books, asked = self._books, view.initialize
        assert asked is not None, "it waits for that"

        def is_it(line: bytes, envelope: Envelope) -> bool:
            if isinstance(envelope.result, msgspec.UnsetType):
                return False
            agent = str(read_object(envelope.result).get("userAgent"))
            return _has_id(envelope, asked.id) and agent.endswith(f"({view.name}; 1)")

        self._books.expect_own(view.id, is_it, f"the answer to initialize of {view.id}")
        view.initialize, view.initialized, view.greeted_by = None, True, books.incarnation
        if view.claims.numbers:
            books.following.numbers.add(view.id)
        books.handshakes_changed()
        for method, line in books.startup:
            books.expect_note(method, frozenset({view.id}), line)

    def _refused(self, asked: Asked, code: int) -> None:
        check = is_error(code, asked.id)
        self._books.counts["refused at once"] += 1
        self._books.expect_own(asked.client, check, f"error {code} for {asked}")

    def calls_codexd(self, client: int, raw_id: bytes, check: Callable[[bytes], bool] | None = None) -> None:
        """A `codexd/*` request that must succeed; `check` gets the result."""

        def is_it(_: bytes, envelope: Envelope) -> bool:
            if isinstance(envelope.result, msgspec.UnsetType) or not _has_id(envelope, raw_id):
                return False
            return check is None or check(bytes(envelope.result))

        self._books.counts["codexd methods"] += 1
        self._books.expect_own(client, is_it, "the answer of codexd")

    def calls_codexd_in_vain(self, client: int, raw_id: bytes, code: int) -> None:
        """A `codexd/*` request that must fail."""
        self._books.expect_own(client, is_error(code, raw_id), f"error {code} of codexd")

    def sends_garbage(self, client: int, code: int, ids: tuple[bytes, ...]) -> None:
        """A line that is no message: an error, to this client alone."""
        checks = [is_error(code, raw_id) for raw_id in ids]
        self._books.counts["garbage"] += 1
        what = f"error {code} under one of {ids}"
        self._books.expect_own(client, lambda line, env: any(check(line, env) for check in checks), what)

    def decides(self, client: int, number: int, template: bytes, *, ok: bool) -> None:
        """An answer to a request of Codex, by the number that this client calls it (or a made-up one)."""
        books = self._books
        ask = books.asks.by_id.get(number)
        if ask is None or ask.over or ask.decided or client not in ask.asked:
            books.counts["decisions that count for nothing"] += 1
            return
        if not ok:
            ask.abstained.add(client)
            books.counts["abstentions"] += 1
            if len(ask.abstained) < len(ask.asked):
                return
            if (
                ask.said.method == "item/tool/call"
                and books.threads.declarer(ask.thread) not in ask.abstained
            ):
                books.counts["held for the owner of the tool"] += 1
                return
        books.counts["decisions"] += 1
        books.asks.decide(ask)
        books.for_codex.append(template.replace(ID, b"%d" % ask.said.codex_id))

    def decides_for_all(self, client: int, raw_id: bytes, number: int, result: bytes) -> None:
        """`codexd/approvals/answer`."""
        ask = self._books.asks.by_id.get(number)
        if ask is None or ask.over or ask.decided:
            self.calls_codexd_in_vain(client, raw_id, -32602)
            return
        self._books.asks.decide(ask)
        self._books.for_codex.append(b'{"id":%d,"result":%b}' % (ask.said.codex_id, result))
        self._books.counts["decisions without being asked"] += 1
        self.calls_codexd(client, raw_id)

    def notifies(self, client: int, method: str, line: bytes) -> None:
        """A notification of a client; `initialized` is swallowed, others go on while there is a Codex."""
        books = self._books
        if method != "initialized" and books.clients[client].initialized and books.life is Life.READY:
            books.notes[client].append(line)

    def answered_by_codexd(self, client: int, line: bytes, envelope: Envelope) -> bool:
        """An answer that nothing in this input has led to directly: one that came out of a queue. Whether it may."""
        if not isinstance(envelope.result, msgspec.UnsetType):
            return self._unsubscribed(client, envelope) or self._released(client, envelope)
        if isinstance(envelope.error, msgspec.UnsetType):
            return False
        error = read_object(envelope.error)
        reason = (error.get("data") or {}).get("reason")
        if error["code"] != UNAVAILABLE:
            is_refused = self._interrupted_in_vain if "interrupt" in error["message"] else self._held_back
            if reason == "threadQuarantined":
                is_refused = self._quarantined
            return error["code"] == -32600 and is_refused(client, envelope, error["message"])
        if reason in ("codexDown", "stopping"):
            return self._given_up(client, envelope)
        return False

    def _unsubscribed(self, client: int, envelope: Envelope) -> bool:
        status = read_object(envelope.result).get("status")  # type: ignore[arg-type] # it was looked at before
        for asked in list(self._books.requests.open[client].values()):
            if asked.method != "thread/unsubscribe" or asked.number or not _has_id(envelope, asked.id):
                continue
            view = self._books.threads.get(asked.thread)
            follows = view is not None and client in view.followers
            if status != ("unsubscribed" if follows else "notSubscribed") or self._books.requests.earlier(
                asked
            ):
                continue
            self._books.requests.close(asked)
            self._books.counts[str(status)] += 1
            if view is not None and follows:
                self._books.threads.unfollow(view, client)
                for left in [view, *self._books.threads.descendants(view.id)]:
                    if client not in self._books.threads.followers(left.id):
                        self._books.asks.leave(client, left.id)
                self._asking.offer_again()
            return True
        return False

    def _released(self, client: int, envelope: Envelope) -> bool:
        releases = self._books.releases
        result = read_object(envelope.result)  # type: ignore[arg-type] # it was looked at before
        for at, (asker, raw_id, thread) in enumerate(releases.waiting):
            if asker == client and _has_id(envelope, raw_id) and self._is_true_of(thread, result):
                del releases.waiting[at]
                self._books.counts[f"release: {result['status']}"] += 1
                return True
        return False

    def _is_true_of(self, thread: str, result: dict[str, Any]) -> bool:
        books = self._books
        view = books.threads.get(thread)
        known = view is not None and (view.known or view.resuming)
        match result:
            case {"status": "released"}:
                ended = books.releases.ended.get(thread)
                return ended is not None and ended not in [expected.line for expected in books.expected]
            case {"status": "notLoaded"}:
                return not known and thread not in books.releases.closing
            case {"status": "inUse", "followers": followers}:
                coming = thread == UNKNOWN or (
                    view is not None and (view.searched or view.named or view.resuming)
                )  # of UNKNOWN Codex says nonsense now and then, and codexd asks whose it is
                busy = known and any(self._is_busy(relative) for relative in books.threads.family(thread))
                return bool(followers or busy or coming or books.requests.is_wanted(thread))
            case _:
                return False

    def _is_busy(self, view: ThreadView) -> bool:
        asked = self._books.asks.undecided(view.id) or self._books.requests.is_asked_of(view.id)
        return view.turn is not None or view.resuming or bool(asked)

    def _quarantined(self, client: int, envelope: Envelope, message: str) -> bool:
        """It would load a thread that Codex has died of twice."""
        for asked in list(self._books.requests.open[client].values()):
            is_it = self._books.quarantine.refuses(asked) and not asked.number
            if is_it and _has_id(envelope, asked.id):
                self._books.requests.close(asked)
                self._books.counts["refused for a quarantine"] += 1
                return f"codexctl threads release {asked.thread}" in message
        return False

    def _held_back(self, client: int, envelope: Envelope, message: str) -> bool:
        """Its turn has come, and it is experimental."""
        for asked in list(self._books.requests.open[client].values()):
            is_it = self._books.is_held_back(asked) and not asked.number and _has_id(envelope, asked.id)
            if is_it and message == f"{asked.gated} requires experimentalApi capability":
                self._books.requests.close(asked)
                self._books.counts["held back"] += 1
                return self._books.life is Life.READY
        return False

    def _interrupted_in_vain(self, client: int, envelope: Envelope, message: str) -> bool:
        """What it wants to interrupt has ended, and Codex may never say so."""
        for asked in list(self._books.requests.open[client].values()):
            view = self._books.threads.get(asked.thread)
            is_it = asked.method == "turn/interrupt" and _has_id(envelope, asked.id)
            if (
                is_it
                and view is not None
                and asked.turn in view.ended
                and (asked.number or view.turn is None)
            ):
                self._books.requests.close(asked)
                self._books.counts["interrupted in vain"] += 1
                return message == "no active turn to interrupt"
        return False

    def _given_up(self, client: int, envelope: Envelope) -> bool:
        if self._books.life not in (Life.DOWN, Life.STOPPING):
            return False
        view = self._books.clients[client]
        if view.initialize is not None and _has_id(envelope, view.initialize.id):
            view.initialize = None
            return True
        for asked in list(self._books.requests.open[client].values()):
            if not asked.number and _has_id(envelope, asked.id):
                self._books.requests.close(asked)
                self._books.counts["given up"] += 1
                return True
        return False


def _has_id(envelope: Envelope, raw_id: bytes) -> bool:
    return not isinstance(envelope.id, msgspec.UnsetType) and bytes(envelope.id) == raw_id


def _is_result(raw_id: bytes, result: dict[str, Any]) -> Callable[[bytes, Envelope], bool]:
    def is_it(_: bytes, envelope: Envelope) -> bool:
        told = envelope.result
        return (
            not isinstance(told, msgspec.UnsetType)
            and _has_id(envelope, raw_id)
            and read_object(told) == result
        )

    return is_it


def is_error(code: int, raw_id: bytes, reason: str | None = None) -> Callable[[bytes, Envelope], bool]:
    """A check for an error line."""

    def is_it(_: bytes, envelope: Envelope) -> bool:
        if isinstance(envelope.error, msgspec.UnsetType) or not _has_id(envelope, raw_id):
            return False
        error = read_object(envelope.error)
        given = (error.get("data") or {}).get("reason")
        return bool(error["code"] == code and error["message"]) and reason in (None, given)

    return is_it
