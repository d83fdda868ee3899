"""What must follow where somebody wants to know what has been, and what is said of it later."""

from collections.abc import Sequence
from typing import Any

from msgspec import UnsetType

from codexd.routing.effects import ForgetThread, Numbered, ReadEvents, Replay
from codexd.routing.events import Event, Gap
from tests.routing.oracle_books import Books, Expected
from tests.routing.oracle_clients import UNAVAILABLE, is_error
from tests.routing.oracle_following import ReadView
from tests.routing.oracle_runs import Runs
from tests.routing.oracle_threads import ThreadView
from tests.routing.sim_timeline import SimulatedTimeline
from tests.routing.sim_words import Envelope, Wrong, read_object

UNKNOWN_PARAMS = -32602


class EventsSide:
    """Judges numbers, stretches of the timeline, and what is read of it."""

    def __init__(self, books: Books, timeline: SimulatedTimeline) -> None:
        self._books = books
        self._timeline = timeline
        self.runs = Runs(books, timeline)

    def check_number(self, effect: Numbered) -> None:
        """An event: its number is the next one, and it is taken down as what it is and sent to each as it wants it."""
        books, event = self._books, effect.event
        book = books.following
        if event.seq != book.last_seq + 1:
            raise Wrong(f"event {event.seq} comes after event {book.last_seq}")
        book.last_seq += 1
        if book.to_forget is not None:
            raise Wrong(f"what was kept of {book.to_forget} is not deleted before {event}")
        if event.ephemeral is not (event.thread in book.ephemeral) or event.at != books.now:
            raise Wrong(f"{event} is not of that kind of thread, or of another time")
        if b'"method":"%b"' % event.method.encode() not in event.line:
            raise Wrong(f"{event} has another method")
        wanting = book.numbers | book.followers(event.thread)
        if not wanting.issuperset(effect.with_number) or not wanting.isdisjoint(effect.clients):
            raise Wrong(f"{wanting} want numbers, not so {effect}")
        self.runs.sent(effect)

    def judge(self, effect: Replay | ReadEvents | ForgetThread) -> None:
        """What the timeline is to do."""
        match effect:
            case Replay():
                self._replayed(effect)
            case ReadEvents():
                self._is_read(effect)
            case ForgetThread():
                self._forgotten(effect)

    def _forgotten(self, effect: ForgetThread) -> None:
        if self._books.following.to_forget != effect.thread:
            raise Wrong(f"{effect.thread} is not deleted now")
        self._books.following.to_forget = None
        self.runs.forget(effect.thread)

    def follows(self, client: int, raw_id: bytes, thread: str | None, cursor: int | None) -> None:
        """`codexd/events/follow`: what is missing is said, and what has been comes behind the answer.

        Without a cursor it begins with the turn that runs.
        """
        books = self._books
        last = books.following.last_seq
        view = books.threads.get(thread)
        now = view.turn_seq - 1 if view is not None and view.turn_seq is not None else last
        after = now if cursor is None else cursor
        gap = self._gap(after, last, last)
        self._expect_answer(client, raw_id, {"last": last, **_said(gap)})
        history = [
            dated(event)
            for event in self._timeline.between(after + 1, last)
            if thread in (None, event.thread) and books.wants(client, event.method)
        ]
        if history:
            books.expected.append(Expected(frozenset({client}), replays=[history], gap=gap, what="history"))
        books.following.follow(client, thread)
        books.counts["follows"] += 1

    def reads(self, client: int, raw_id: bytes, thread: str | None, after: int, limit: int) -> None:
        """`codexd/events/read`."""
        book = self._books.following
        book.reads.append(ReadView(client, raw_id, thread, after, limit, book.last_seq))

    def _is_read(self, effect: ReadEvents) -> None:
        wanted = (effect.client, effect.thread, effect.after, effect.last, effect.limit)
        for read in self._books.following.reads:
            if not read.number and wanted == (read.client, read.thread, read.after, read.last, read.limit):
                read.number = effect.number
                return
        raise Wrong(f"nobody has asked for {effect}")

    def answers(self, number: int, events: Sequence[Event]) -> None:
        """The timeline has read these for a question of codexd's; whoever has left is told nothing."""
        book = self._books.following
        read = next((read for read in book.reads if read.number == number), None)
        if read is None:
            return
        book.reads.remove(read)
        upto = events[-1].seq if events else read.last
        told = [
            {"seq": e.seq, "at": e.at, "method": e.method, "params": read_object(e.line)["params"]}
            for e in events
        ]
        gap = self._gap(read.after, upto, read.last)
        self._expect_answer(read.client, read.raw_id, {"events": told, "last": book.last_seq, **_said(gap)})
        self._books.counts["events read"] += len(events)

    def can_not_answer(self, number: int) -> None:
        """The timeline can't read what was asked for."""
        book = self._books.following
        for read in [read for read in book.reads if read.number == number]:
            book.reads.remove(read)
            check = is_error(UNAVAILABLE, read.raw_id, "historyUnreadable")
            self._books.expect_own(read.client, check, f"that history can't be read, to {read}")

    def all_are_asked(self) -> None:
        """What clients want to read was asked of the timeline."""
        for read in self._books.following.reads:
            if not read.number:
                raise Wrong(f"codexd does not have this read: {read}")

    def heard_by(self, client: int) -> frozenset[str]:
        """The threads of which the client is sent the events anyhow."""
        threads, following = self._books.threads, self._books.following
        return frozenset(
            view.id
            for view in threads
            if client in threads.followers(view.id) or client in following.followers(view.id)
        )

    def joins(self, client: int, view: ThreadView, heard: frozenset[str], upto: int) -> None:
        """A new subscriber, next: what goes on in the thread and its sub-agents' of which it has heard nothing so far."""
        books = self._books
        if client in books.following.numbers:
            return
        families = [view, *books.threads.descendants(view.id)]
        replays = [self._open(v, client, upto) for v in families if v.id not in heard]
        if replays := [lines for lines in replays if lines]:
            books.counts["late joiners"] += 1
            books.expected.append(Expected(frozenset({client}), replays=replays, what="what is open"))

    def _open(self, view: ThreadView, client: int, upto: int) -> list[bytes]:
        first = view.turn_seq
        if view.turn is None or first is None or first > upto or self._timeline.gap(first - 1, upto, view.id):
            return []
        return [
            event.line
            for event in self._timeline.between(first, upto)
            if event.thread == view.id
            and self._is_open(view, event)
            and self._books.wants(client, event.method)
        ]

    @staticmethod
    def _is_open(view: ThreadView, event: Event) -> bool:
        if event.method == "turn/started":
            return True
        return event.method.startswith("item/") and any(item in event.line for item in view.open_items)

    def _replayed(self, effect: Replay) -> None:
        past = self._timeline.between(effect.first, effect.last)
        lines = [line for event in past if (line := effect.selection.line(event)) is not None]
        if not lines:
            return
        due = self._books.expected[0] if self._books.expected else None
        if due is None or due.replays is None or effect.client not in due.clients or lines not in due.replays:
            raise Wrong(f"{effect} is {lines[:1]}… and {len(lines)} lines, due is {due}")
        if effect.gap != due.gap:
            raise Wrong(f"the gap of {effect} is {due.gap}")
        due.replays.remove(lines)
        self._books.counts["lines replayed"] += len(lines)
        if not due.replays:
            self._books.expected.popleft()

    def _gap(self, after: int, upto: int, last: int) -> Gap | None:
        return Gap(last + 1, after) if after > last else self._timeline.gap(after, upto, None)

    def _expect_answer(self, client: int, raw_id: bytes, result: dict[str, Any]) -> None:
        def is_it(_: bytes, envelope: Envelope) -> bool:
            if isinstance(envelope.result, UnsetType) or isinstance(envelope.id, UnsetType):
                return False
            return bytes(envelope.id) == raw_id and read_object(envelope.result) == result

        self._books.expect_own(client, is_it, f"the answer {result}")


def dated(event: Event) -> bytes:
    """An event as history has it."""
    assert event.line.endswith(b"}"), "Codex of the simulation writes nothing behind it"
    return event.line[:-1] + b',"seq":%d,"at":%.3f}' % (event.seq, event.at)


def _said(gap: Gap | None) -> dict[str, Any]:
    return {"gap": {"from": gap.from_, "to": gap.to}} if gap is not None else {}
