"""One life of a simulated Codex, with the semantics that were measured.

It takes lines in order from a queue of 128, answers in any order (of one thread, or one handle: in the order of
asking), sometimes refuses as overloaded, never answers some, and says everything through one pipe.
"""

from collections import deque
from collections.abc import Callable
from random import Random

from msgspec import Struct

from codexd.protocol.gates import Gate, Gates
from codexd.protocol.learnt import Learnt
from codexd.protocol.request_ids import RequestIds
from tests.routing.sim_clients import GATED_REQUESTS
from tests.routing.sim_codex_errands import SimulatedErrands
from tests.routing.sim_codex_handles import SimulatedHandles
from tests.routing.sim_codex_threads import SimulatedThreads
from tests.routing.sim_words import (
    ALREADY_INITIALIZED,
    ENDED_BY,
    ID,
    PARTIAL,
    UNKNOWN,
    Kind,
    Said,
    Written,
    Wrong,
    filled,
)

QUEUE = 128
"""How many lines Codex has room for before it has taken them (measured)."""
OVERLOADED = "Server overloaded; retry later."
NEVER_ANSWERED = "never/answered"
SLOW = frozenset({"mcpServer/tool/call", "command/exec", *ENDED_BY})
UNORDERED = frozenset({"command/exec", "initialize", *ENDED_BY, *ENDED_BY.values()})
"""What is not answered in the order in which it came."""
_CAUSES = {
    "thread/start": "configWarning",
    "thread/resume": "deprecationNotice",
    "thread/fork": "deprecationNotice",
    "thread/read": "deprecationNotice",
}
_BROADCASTS = ("account/updated", "skills/changed", "app/list/updated", "project/changed", "future/everybody")
GATES = Gates(
    methods=GATED_REQUESTS,
    members={"thread/start": (Gate(("dynamicTools",), "set"), Gate(("experimentalRawEvents",), "true"))},
    policies=frozenset({"thread/start", "turn/start"}),
)
"""What its schema says of what is experimental."""
REQUEST_IDS = RequestIds(
    asked=dict.fromkeys(ENDED_BY.values(), (("requestId",),)),
    told={PARTIAL: (("requestId",),)},
    cancels={cancel: frozenset({method}) for method, cancel in ENDED_BY.items()},
)
"""And where params name requests: without a schema the same is known."""
LEARNT = Learnt(GATES, REQUEST_IDS)
_JUNK = (
    b"not json",
    b"[]",
    b"{}",
    b'{"id":1}',
    b'{"id":"7","result":{}}',
    b'{"id":0,"result":{}}',
    b'{"id":-1,"error":{"code":-1,"message":"what"}}',
    b'{"id":900000000000,"result":{}}',
    b'{"method":5}',
    b'{"method":"serverRequest/resolved","params":{"threadId":"%b","requestId":77777}}' % UNKNOWN.encode(),
    b'{"method":"command/exec/outputDelta","params":{"processId":"strange"}}',
    b'{"method":"fs/changed","params":{"watchId":5}}',
    b'{"method":"fs/changed"}',
    b'{"method":"turn/started","params":{"threadId":"%b"}}' % UNKNOWN.encode(),
    b"\xff\xfe",
    b"",
)


class Disk(Struct, eq=False):
    """What outlives a Codex: the threads that can be resumed (with their parents), and the numbers that never repeat."""

    kept: dict[str, str | None] = {}
    numbers: int = 0

    def number(self) -> int:
        """A number that was never given before."""
        self.numbers += 1
        return self.numbers


class SimulatedCodex:
    """A process. What it says waits in `saying` until it is delivered."""

    def __init__(self, incarnation: int, disk: Disk, rng: Random) -> None:
        self.incarnation = incarnation
        self.disk = disk
        self.rng = rng
        self.spawned = False
        self.learnt = False
        self.introduced = False
        self.dead = False
        self.hung = False
        self.told_to_stop = False
        self.overloaded = False
        self.affairs = 0.0
        self.forgetful = 0.0
        self.deadly = 0.0
        self.patient = True
        self.saying: deque[Said] = deque()
        self._ingress: deque[Written] = deque()
        self._answerable: list[Written] = []
        self._hurried: set[int] = set()
        self._in_order: dict[str, deque[Written]] = {}
        self._may_cause: dict[str, dict[int, Written]] = {name: {} for name in _CAUSES.values()}
        self.threads = SimulatedThreads(self)
        self.handles = SimulatedHandles(self)
        self.errands = SimulatedErrands(self)
        self._handlers: dict[str, Callable[[Written], bool]] = {
            "initialize": self._initialize,
            **self.threads.handlers,
            **self.handles.handlers,
            **self.errands.handlers,
        }

    def arrive(self, written: Written) -> None:
        """A line comes in at stdin. A dead Codex takes everything and does nothing; it may have said something before."""
        if self.dead:
            self.errands.arrive(written)
            return
        if written.number and len(self._ingress) >= QUEUE:
            raise Wrong(f"{QUEUE} lines wait at Codex; the reply to this one would be lost: {written.line!r}")
        self.errands.arrive(written)
        if self.hung:
            self._ingress.append(written)
            return
        if written.number and self.overloaded and self.introduced and self.rng.random() < 0.3:
            self._say_error(written, -32001, OVERLOADED, Kind.REFUSAL)
            return
        cause = _CAUSES.get(written.method)
        if cause is not None and written.asked is not None and written.asked.method != "thread/unsubscribe":
            self._may_cause[cause][written.number] = written
        self._ingress.append(written)

    @property
    def works(self) -> bool:
        """Whether it does anything: it does not once it is dead or hangs."""
        return not self.dead and not self.hung

    @property
    def untaken(self) -> int:
        """How many lines wait at stdin."""
        return len(self._ingress)

    @property
    def is_busy(self) -> bool:
        """Whether it has anything to take, answer, say or unload (what it never answers does not count)."""
        if not self.works:
            return bool(self.saying)
        return bool(self._ingress or self._answerable or self.saying or self.threads.unwanted())

    def take(self, count: int) -> None:
        """Takes some lines from the queue."""
        for _ in range(min(count, len(self._ingress))):
            written = self._ingress.popleft()
            if not written.method:
                self.threads.decided(written.answer_to)
            elif written.number and written.method != NEVER_ANSWERED:
                self._begin(written)

    def _begin(self, written: Written) -> None:
        self.handles.begun(written)
        self.errands.begun(written)
        key = self._key(written)
        if key is not None:
            queue = self._in_order.setdefault(key, deque())
            queue.append(written)
            if len(queue) > 1:
                return
        self._answerable.append(written)

    def _key(self, written: Written) -> str | None:
        if written.params is None or written.method in UNORDERED:
            return None
        if written.params.handle is not None:
            return "h:" + written.params.handle
        if written.method.startswith(("thread/", "turn/", "review/")) and written.params.thread_id:
            return written.params.thread_id
        return None

    def answer(self) -> None:
        """Answers one of the requests that it can answer now, any of them."""
        if not self._answerable:
            return
        at = self.rng.randrange(len(self._answerable))
        written = self._answerable[at]
        slow = written.method in SLOW and written.number not in self._hurried
        if slow and self.patient and self.rng.random() < 0.9:
            return
        self._answerable[at] = self._answerable[-1]
        self._answerable.pop()
        if not self._handlers.get(written.method, self._echo)(written):
            self._answerable.append(written)
            return
        if (key := self._key(written)) is not None:
            queue = self._in_order[key]
            queue.popleft()
            if queue:
                self._answerable.append(queue[0])
            else:
                del self._in_order[key]

    def next_said(self) -> Said:
        """The next line that comes out of the pipe."""
        said = self.errands.about_to_be_said(self.saying.popleft())
        if said.kind in (Kind.ANSWER, Kind.REFUSAL, Kind.CLOSING) and said.cause is not None:
            caused = _CAUSES.get(said.cause.method)
            if caused is not None:
                self._may_cause[caused].pop(said.cause.number, None)
        return said

    def happen(self) -> None:
        """Something that nobody asked for."""
        if not self.introduced:
            return
        if self.rng.random() < self.affairs / 3:
            self.errands.happen()
            return
        choice = self.rng.random()
        if choice < 0.70:
            self.threads.happen()
        elif choice < 0.83:
            self.handles.happen()
        elif choice < 0.86:
            self.errands.happen()
        elif choice < 0.94:
            self.note(Kind.EVERYONE, self.rng.choice(_BROADCASTS))
        elif choice < 0.95:
            self.note(Kind.REMOTE_STATUS, "remoteControl/status/changed")
        else:
            self.saying.append(Said(self.rng.choice(_JUNK), Kind.JUNK))

    def note(self, kind: Kind, method: str, members: bytes = b"", **facts: object) -> Said:
        """Says a notification; every one is unlike every other."""
        template = b'{"method":"%b","params":{"n":%d%b},"emittedAtMs":17}' % (
            method.encode(),
            self.disk.number(),
            members,
        )
        said = Said(template, kind, template, method, **facts)  # type: ignore[arg-type] # facts are its fields
        self.saying.append(said)
        return said

    def say_result(self, written: Written, members: bytes = b"", **facts: object) -> None:
        """Answers with a result that only this request can have."""
        template = b'{"id":%b,"result":{"echo":%d%b}}' % (ID, written.serial, members)
        line = filled(template, b"%d" % written.number)
        said = Said(line, Kind.ANSWER, template, written.method, written, **facts)  # type: ignore[arg-type] # as above
        self.saying.append(said)

    def _say_error(self, written: Written, code: int, text: str, kind: Kind = Kind.ANSWER) -> None:
        template = b'{"error":{"code":%d,"message":"%b","data":{"echo":%d}},"id":%b}' % (
            code,
            text.encode(),
            written.serial,
            ID,
        )
        handle = written.params.handle if written.params is not None else None
        line = filled(template, b"%d" % written.number, handle)
        self.saying.append(Said(line, kind, template, written.method, written, ok=False, handle=handle))

    def say_error(self, written: Written, text: str, code: int = -32600, kind: Kind = Kind.ANSWER) -> None:
        """Answers with an error; the text is as it stands in JSON and may hold `HANDLE`."""
        self._say_error(written, code, text, kind)

    def end_soon(self, number: int) -> None:
        """This request is not to take long any more."""
        self._hurried.add(number)

    def cause_of(self, notification: str, written: Written) -> None:
        """Says a notification without an address, if `written` is the oldest request that may have caused it."""
        candidates = self._may_cause[notification]
        if candidates and next(iter(candidates.values())) is written:
            self.note(Kind.CAUSED, notification, cause=written)

    def _initialize(self, written: Written) -> bool:
        assert written.params is not None, "a request has params here"
        if written.serial:
            unreadable = "Invalid request: invalid type: integer `5`, expected a sequence"
            self.say_error(written, unreadable if written.params.unreadable else ALREADY_INITIALIZED)
            return True
        self.introduced = True
        agent = b'"userAgent":"codexd/0.163.0 (Debian 12.0.0; x86_64) xterm (codexd; 0.1.0)","codexHome":"/x"'
        self.say_result(written, b"," + agent)
        for _ in range(self.rng.randrange(3)):
            self.note(Kind.STARTUP, "configWarning", b',"summary":"startup"')
        self.note(Kind.REMOTE_STATUS, "remoteControl/status/changed")
        return True

    def refuse_introduction(self) -> None:
        """Answers `initialize` with an error instead."""
        self.take(QUEUE)
        for written in self._answerable:
            self.say_error(written, "unsupported client")
        self._answerable.clear()

    def fall_silent(self) -> None:
        """Takes what it gets from now on and does nothing with it."""
        self._ingress.clear()

    def run_dry(self) -> None:
        """Takes and answers everything."""
        self.patient = False
        while self._ingress or self._answerable:
            self.take(QUEUE)
            self.answer()
        self.threads.finish_closing()
        self.patient = True

    def _echo(self, written: Written) -> bool:
        if self.rng.random() < 0.1:
            self.say_error(written, "something \\u00e9 is wrong", -32603)
        else:
            self.say_result(written, b',"data":[1.0,{"x":null}]' if written.serial else b"")
        return True
