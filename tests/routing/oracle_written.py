"""What may be written to Codex, and when: clients' requests to the byte, and codexd's own for a reason."""

from collections.abc import Callable
from functools import partial

from tests.routing.oracle_books import Books, Life, Schema
from tests.routing.oracle_ends import EndsSide
from tests.routing.oracle_handles import CLEANS_UP
from tests.routing.sim_words import ENDED_BY, NAMED, Asked, Envelope, Params, Written, Wrong, filled

HELD_SECONDS = 5.0
_IN_THE_STEAD_OF_A_LEAVING = b'"method":"thread/unsubscribe"', b'"method":"thread/read"'
"""No client's own unsubscribe is sent to Codex, which would end codexd's subscription."""
_ENDS = {cancel: method for method, cancel in ENDED_BY.items()}
_KEEPS = frozenset({"thread/resume", "turn/start", "review/start"})


class WrittenSide:
    """Judges each request at the moment it is written."""

    def __init__(self, books: Books, ends: EndsSide) -> None:
        self._books = books
        self._own: dict[str, Callable[[Params], None]] = {
            "initialize": self._introduction,
            "thread/loaded/list": self._marker,
            "thread/resume": self._resume,
            "thread/unsubscribe": self._release,
            "thread/read": lambda _: None,
            "thread/turns/list": ends.check_is_asked_for,
            "fs/watch": self._watch_again,
            **dict.fromkeys(CLEANS_UP, self._clean_up),
            **{cancel: partial(self._end, cancel) for cancel in _ENDS},
        }

    def request(self, item: Written, _: Envelope) -> None:
        """A request was written."""
        assert item.params is not None, "requests have some"
        serial = item.params.s or _serial_of(item.method)
        if item.method == "fs/watch" and serial not in self._books.requests.by_serial:
            serial = 0
        if serial:
            self._of_client(item, serial)
        elif item.method == "thread/read" and item.params.include_turns is None:
            self._in_the_stead_of_a_resume(item)
        else:
            own = self._own.get(item.method)
            if own is None:
                raise Wrong(f"codexd has no reason to ask {item.line!r}")
            own(item.params)
            self._books.counts[f"own {item.method}"] += 1
        self._books.quarantine.check_may_be_written(item, self._books.requests)
        if serial or item.method != "initialize":
            self.is_allowed(item.line)
        self._books.requests.write(item)

    def is_allowed(self, line: bytes) -> None:
        """Anything but codexd's introduction waits for Codex's answer to that, and for its schema."""
        if self._books.life is not Life.READY:
            raise Wrong(f"Codex is not ready for {line!r}")
        if self._books.schema is Schema.UNKNOWN:
            raise Wrong(f"it is not known yet whether this is experimental: {line!r}")

    def _of_client(self, item: Written, serial: int) -> None:
        asked = self._books.requests.by_serial.get(serial)
        if asked is None:
            raise Wrong(f"nobody waits for an answer to {item.line!r}")
        item.asked = asked
        handle = item.params.handle if item.params is not None else None
        if handle is not None:
            self._books.handles.name(asked, handle)
        if asked.named:
            self._names(item, asked)
        named = b"%d" % item.params.request_id if item.params is not None else b""
        due = filled(asked.template, b"%d" % item.number, handle).replace(NAMED, named)
        if item.line != due.replace(*_IN_THE_STEAD_OF_A_LEAVING):
            raise Wrong(f"{asked} was written as {item.line!r}")
        if self._books.is_held_back(asked):
            raise Wrong(
                f"client {asked.client} has not asked for what is experimental, and asked for {asked}"
            )
        self._books.check_thread_may_be_written_to(asked.thread)
        if asked.method == "thread/unsubscribe":
            self._unknown(asked)
        elif asked.method == "thread/resume":
            self._not_while_it_closes(asked)

    def _names(self, item: Written, asked: Asked) -> None:
        """The request that its asker meant: the newest that was under way when this was written for the first time."""
        requests = self._books.requests
        if not asked.was_written:
            asked.was_written, asked.about = (
                True,
                requests.newest(asked.client, asked.named, _ENDS[asked.method]),
            )
        assert item.params is not None, "it has some"
        if asked.about is None or asked.about.over or not asked.about.number:
            requests.spend(item.params.request_id)
            self._books.counts["cancelled in vain"] += 1
        elif item.params.request_id != asked.about.number:
            raise Wrong(f"{item.line!r} does not name {asked.about}")
        else:
            self._books.counts["cancelled"] += 1

    def _not_while_it_closes(self, asked: Asked) -> None:
        """Codex may never answer a resume that comes while it unloads the thread."""
        books, thread = self._books, asked.thread or ""
        told = any(w.asked is None for w in books.requests.of_thread("thread/unsubscribe", thread))
        closing_since = books.releases.closing.get(thread, float("-inf"))
        if told or books.now < closing_since + HELD_SECONDS:
            raise Wrong(f"Codex was told to resume {thread} while it lets go of it")

    def _in_the_stead_of_a_resume(self, item: Written) -> None:
        """codexd attaches a client itself, and asks for the thread as it is."""
        assert item.params is not None, "requests have some"
        asked = self._books.requests.joining(item.params.thread_id)
        if asked is None:
            raise Wrong(f"nobody is to be attached to {item.params.thread_id} by codexd")
        item.asked = asked
        self._books.check_thread_may_be_written_to(asked.thread)

    def _unknown(self, asked: Asked) -> None:
        """A client's unsubscribe is Codex's to look into only if nobody follows the thread."""
        assert asked.thread is not None, "it names one"
        if self._books.threads.followers(asked.thread):
            raise Wrong(
                f"Codex is asked for {asked.thread}, which somebody follows and somebody wants to leave"
            )

    def _introduction(self, _: Params) -> None:
        if self._books.life is not Life.STARTING or self._books.requests.under_way:
            raise Wrong("codexd introduces itself once, before anything else")

    def _marker(self, _: Params) -> None:
        if self._books.requests.is_unproven("thread/loaded/list"):
            raise Wrong("there is a marker under way already")
        if not self._books.is_open() and not self._books.requests.has_unproven():
            raise Wrong("Codex has nothing to do, and is asked for a sign of life")

    def _resume(self, params: Params) -> None:
        view = self._books.threads.get(params.thread_id)
        if view is None or not view.resuming or view.resume_sent or not params.exclude_turns:
            raise Wrong(f"codexd has no reason to resume {params.thread_id}")
        view.resume_sent = True

    def _release(self, params: Params) -> None:
        thread = params.thread_id or ""
        books = self._books
        if books.threads.followers(thread):
            raise Wrong(f"{thread} was released although somebody follows it")
        view = books.threads.get(thread)
        if view is None or not view.known:
            raise Wrong(f"{thread} was released although it is not known")
        for relative in books.threads.family(thread):
            if relative.turn is not None:
                raise Wrong(f"{thread} was released although a turn runs in {relative.id}")
            if books.asks.undecided(relative.id):
                raise Wrong(f"{thread} was released although something waits for a decision in {relative.id}")
            if books.requests.is_under_way(_KEEPS, relative.id):
                raise Wrong(f"{thread} was released although somebody is about to use {relative.id}")
        awaited = {waited_for for _, _, waited_for in books.releases.waiting}
        is_awaited = any(relative.id in awaited for relative in books.threads.family(thread))
        if not is_awaited and books.now < view.in_use_at + books.unload_delay:
            raise Wrong(f"{thread} was released {books.now - view.in_use_at} s after it was in use")

    def _watch_again(self, params: Params) -> None:
        if params.handle not in self._books.handles.open.values():
            raise Wrong(f"nobody watches {params.handle!r}")

    def _end(self, cancel: str, params: Params) -> None:
        due = self._books.requests.to_end
        if due.pop(params.request_id, None) != cancel:
            raise Wrong(f"request {params.request_id} is not to be ended by {cancel}: its asker is there")

    def _clean_up(self, params: Params) -> None:
        owner = self._books.handles.owners.get(params.handle or "")
        if owner is None or owner[0] in self._books.clients:
            raise Wrong(f"{params.handle!r} of {owner} is not to be closed: its owner is there")


def _serial_of(method: str) -> int:
    return int(method[4:]) if method.startswith("odd/") else 0
