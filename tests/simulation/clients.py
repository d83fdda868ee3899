"""Clients: programs that send in odd pieces, read late or never, and leave in every way there is."""

import socket
from collections.abc import Callable, Iterator
from itertools import accumulate
from random import Random
from typing import Protocol

import trio
from msgspec import Raw, UnsetType
from trio.lowlevel import notify_closing, wait_readable, wait_writable

from codexd.protocol.framing import LineSplitter
from codexd.runtime.frames import TRY_AGAIN_LATER
from codexd.runtime.outbox import END_GRACE_SECONDS
from tests.simulation.books import ClientBook, Envelope, EventBook, Wrong
from tests.simulation.frames import REQUEST, Frames, frame

MAX_MESSAGE_BYTES = 20_000
UNWANTED = ("skills/changed", "item/started")
FOR_ALL = ("thread/closed", "thread/deleted", "thread/status/changed")
_GARBAGE = (
    b"not json",
    b"[]",
    b"{}",
    b'{"id":true}',
    b'{"id":77777,"result":{}}',
    b"\xff\xfe",
    b'{"method":5}',
)


class Surroundings(Protocol):
    """What a client knows of the world."""

    rng: Random
    events: EventBook
    codexd_is_to_end: bool

    def threads(self) -> list[str]:
        """Threads that there are, and one that never was."""

    def starter(self, thread: str) -> int:
        """Which client has started a thread."""

    def note(self, what: str) -> None:
        """Writes down what happens."""


_FREQUENCIES = {
    "_echo": 6.0,
    "_start": 3.0,
    "_resume": 4.0,
    "_turn": 6.0,
    "_unsubscribe": 1.0,
    "_delete": 0.3,
    "_follow": 0.7,
    "_read_events": 0.7,
    "_status": 1.0,
    "_never": 0.1,
    "_garbage": 1.0,
    "_notice": 1.0,
    "_too_long": 0.3,
    "_decision": 3.0,
}
_WORDS, _WEIGHTS = tuple(_FREQUENCIES), tuple(accumulate(_FREQUENCIES.values()))


class _Lines:
    """What a client that speaks lines takes apart."""

    def __init__(self) -> None:
        self._splitter = LineSplitter(1 << 30)
        self.closed: int | None = None

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The lines that are complete with this."""
        for line in self._splitter.feed(chunk):
            assert isinstance(line, bytes), "there is no limit"
            yield line


class SimulatedClient:
    """One program with one connection.

    `reads`: `eager`, `slow`, `stalls` or `never`. `stays`: it does not leave by itself, and its connection is to last.
    """

    def __init__(self, number: int, path: str, world: Surroundings, patience: float) -> None:
        rng = world.rng
        self.number = number
        self.reads = rng.choice(("eager", "eager", "eager", "slow", "stalls", "never"))
        self.book = ClientBook(f"client {number}", world.events, reads_at_once=self.reads == "eager")
        self.leaves = rng.choice(("stays", "stays", "stays", "closes", "half-closes", "in the middle"))
        self.on_frames = rng.random() < 0.3
        self.has_knocked = self.has_left = self.has_ended = False
        self.has_finished = False
        self._left_at = 0.0
        self._pause = patience
        self._world, self._rng = world, rng
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._is_open = True
        self._incoming: Frames | _Lines = Frames() if self.on_frames else _Lines()
        self._may_read = trio.Event()
        self._may_read.set()
        self._serial = 0
        self._sent: dict[bytes, tuple[str, bytes]] = {}
        self._resumed: set[str] = set()
        self._counts: dict[tuple[str, bool], int] = {}
        self._asked: list[bytes] = []
        self._follows = False
        self._opts_out = rng.random() < 0.3
        self._scope = trio.CancelScope()

    def knock(self) -> bool:
        """Connects; codexd may be slow to open. Returns whether there is one."""
        try:
            self._socket.connect(self._path)
        except (ConnectionRefusedError, FileNotFoundError):
            self.has_finished = self.has_ended = True
        else:
            self.has_knocked = True
        return self.has_knocked

    async def run(self) -> None:
        """Lives as its program wants, and reads to the end of the connection."""
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._read)
                    await self._act()
                    self.has_finished = True
        finally:
            self.has_finished = self.has_ended = True

    def hurry(self) -> None:
        """The world wants to see the end of it: who reads late reads on, but for who never does."""
        self._pause = 0.0
        if self.reads != "never":
            self.reads = "eager"
            self._may_read.set()

    @property
    def is_settled(self) -> bool:
        """Whether it has done what it wanted, and all that must come has come. It may be gone, or not read at all."""
        exempt = self.has_left or self.book.was_cut or self.reads == "never"
        return self.has_finished and (exempt or self.book.is_settled)

    def __str__(self) -> str:
        speaks = "frames" if self.on_frames else "lines"
        return f"{self.book.name} speaks {speaks}, reads: {self.reads}, at the end: {self.leaves}"

    # What it does.

    async def _act(self) -> None:
        if self.on_frames:
            await self._send(REQUEST)
        if self._rng.random() < 0.95:
            await self._say(*self._initialize())
        else:
            self._opts_out = False
        for _ in range(self._rng.choice((1, 4, 10, 25))):
            if self.has_ended:
                return
            await self._say(*self._burst())
            await trio.sleep(self._rng.random() * self._pause)
        await self._leave()

    async def _leave(self) -> None:
        if self.leaves == "stays" or self.has_ended:
            return
        self._world.note(f"{self.book.name} leaves: {self.leaves}")
        self.has_left, self._left_at = True, trio.current_time()
        if self.leaves == "half-closes":
            try:
                self._socket.shutdown(socket.SHUT_WR)
            except OSError:
                self._world.note(f"{self.book.name} has lost its connection already")
            return
        if self.leaves == "in the middle":
            await self._send(self._framed(self._request("echo", b"{}"))[:-3])
        self._scope.cancel()

    def _initialize(self) -> tuple[bytes, ...]:
        opted = b'["%b","%b"]' % tuple(map(str.encode, UNWANTED)) if self._opts_out else b"null"
        codexd = self._rng.choice((b"", b',"codexd":{}', b',"codexd":{"seq":true}'))
        capabilities = b'{"experimentalApi":true,"optOutNotificationMethods":%b%b}' % (opted, codexd)
        info = b'{"name":"c%d","version":"1"}' % self.number
        line = self._request("initialize", b'{"clientInfo":%b,"capabilities":%b}' % (info, capabilities))
        return (line, b'{"method":"initialized"}') if self._rng.random() < 0.8 else (line,)

    def _burst(self) -> list[bytes]:
        """What it says at once."""
        return [self._something() for _ in range(self._rng.choice((1, 1, 1, 3, 12)))]

    def _something(self) -> bytes:
        (method,) = self._rng.choices(_WORDS, cum_weights=_WEIGHTS)
        make: Callable[[], bytes] = getattr(self, method)
        return make()

    def _status(self) -> bytes:
        return self._request("codexd/status", b"{}")

    def _never(self) -> bytes:
        return self._request("never", b"{}")

    def _garbage(self) -> bytes:
        return self._rng.choice(_GARBAGE)

    def _notice(self) -> bytes:
        return b'{"method":"odd/notice","params":{"s":%d}}' % self._next()

    def _next(self) -> int:
        self._serial += 1
        return self._serial

    def _request(self, method: str, params: bytes) -> bytes:
        serial = self._next()
        raw_id = b'"%d"' % serial if serial % 3 == 0 else b"%d" % serial
        self._sent[raw_id] = (method, params)
        return b'{"id":%b,"method":"%b","params":%b}' % (raw_id, method.encode(), params)

    def _echo(self) -> bytes:
        text = b"e" * self._rng.choice((0, 10, 3000))
        method = "slow" if self._rng.random() < 0.2 else "echo"
        return self._request(method, b'{"sender":%d,"s":%d,"x":"%b"}' % (self.number, self._next(), text))

    def _start(self) -> bytes:
        ephemeral = b"true" if self._rng.random() < 0.2 else b"false"
        return self._request("thread/start", b'{"sender":%d,"ephemeral":%b}' % (self.number, ephemeral))

    def _thread(self) -> str:
        return self._rng.choice(self._world.threads())

    def _resume(self) -> bytes:
        thread = self._thread()
        self._resumed.add(thread)
        return self._request("thread/resume", b'{"threadId":"%b"}' % thread.encode())

    def _turn(self) -> bytes:
        deltas, size = self._rng.choice(((0, 0), (3, 100), (10, 50), (12, 4000), (30, 2000)))
        asks = b"true" if self._rng.random() < 0.3 else b"false"
        said = b'{"threadId":"%b","deltas":%d,"size":%d,"asks":%b}'
        return self._request("turn/start", said % (self._thread().encode(), deltas, size, asks))

    def _unsubscribe(self) -> bytes:
        return self._request("thread/unsubscribe", b'{"threadId":"%b"}' % self._thread().encode())

    def _delete(self) -> bytes:
        return self._request("thread/delete", b'{"threadId":"%b"}' % self._thread().encode())

    def _follow(self) -> bytes:
        self._follows = True
        return self._request("codexd/events/follow", b"{%b}" % self._since())

    def _read_events(self) -> bytes:
        limit = self._rng.choice((1, 5, 1000))
        return self._request("codexd/events/read", b'{%b,"limit":%d}' % (self._since(), limit))

    def _since(self) -> bytes:
        """Some number of the past, and a thread or none."""
        after = self._rng.choice((0, max(0, self._world.events.last - self._rng.randrange(100))))
        thread = b"" if self._rng.random() < 0.5 else b'"threadId":"%b",' % self._thread().encode()
        return b'%b"after":%d' % (thread, after)

    def _too_long(self) -> bytes:
        """On frames this ends the connection."""
        self.has_left |= self.on_frames
        return self._request("echo", b'{"x":"%b"}' % (b"l" * MAX_MESSAGE_BYTES))

    def _decision(self) -> bytes:
        raw_id = self._asked.pop() if self._asked else b"1"
        body = self._rng.choice((b'"result":{"decision":"accept"}', b'"error":{"code":-1,"message":"no"}'))
        return b'{"id":%b,%b}' % (raw_id, body)

    def _framed(self, line: bytes) -> bytes:
        return frame(self._rng, line) if self.on_frames else line + b"\n"

    async def _say(self, *lines: bytes) -> None:
        for line in lines:
            self.book.says(line)
        await self._send(b"".join(map(self._framed, lines)))

    async def _send(self, data: bytes) -> None:
        """In one piece, or in several with time between them."""
        at = 0
        while at < len(data) and self._is_open:
            size = self._rng.choice((1 << 16, 1 << 16, 1 << 16, 1000, 1))
            try:
                at += self._socket.send(data[at : at + size])
            except BlockingIOError:
                await wait_writable(self._socket)
                continue
            except OSError:
                return
            if self._rng.random() < 0.1:
                await trio.sleep(self._rng.random() * self._pause)

    # What it hears.

    async def _read(self) -> None:
        while True:
            await self._may_read.wait()
            await wait_readable(self._socket)
            try:
                chunk = self._socket.recv(self._rng.choice((1 << 16, 1 << 16, 2000, 100)))
            except ConnectionError:
                chunk = b""
            if not chunk:
                self._is_at_the_end()
                return
            for line in self._incoming.feed(chunk):
                self._hear(self.book.hears(line))
            await self._digest()

    def _is_at_the_end(self) -> None:
        """The connection is over: for good reason only."""
        self._world.note(f"at the end: {self.book}")
        self.has_ended = True
        if self._incoming.closed == TRY_AGAIN_LATER:
            self.book.is_cut_off()
        if not self._world.codexd_is_to_end:
            self._is_for_good_reason(trio.current_time())
        self._scope.cancel()

    def _is_for_good_reason(self, now: float) -> None:
        book, since = self.book, now - self._left_at
        if book.cut_at is not None:
            is_early = now - book.cut_at < END_GRACE_SECONDS - 0.1 and not book.may_be_given_up
            if is_early and not self._is_told_why:
                raise Wrong(f"{book.name} is cut off and not told why")
        elif not self.has_left:
            raise Wrong(f"{book.name} is thrown out")
        elif self.leaves == "half-closes" and not self.on_frames and book.reads_at_once and book.owed:
            raise Wrong(f"only {since} s after it closed one side, nobody waits any more for {book}")

    @property
    def _is_told_why(self) -> bool:
        return self.book.heard_last or self._incoming.closed is not None

    async def _digest(self) -> None:
        if self.reads == "slow":
            await trio.sleep(self._rng.random() * self._pause)
        elif self.reads in ("stalls", "never") and self._rng.random() < 0.1:
            self._may_read = trio.Event()
            if self.reads == "stalls":
                with trio.move_on_after(self._rng.choice((0.1, 3.0, 20.0))):
                    await self._may_read.wait()
                self._may_read.set()

    def _hear(self, said: Envelope) -> None:
        if isinstance(said.method, UnsetType):
            self._hear_answer(bytes(said.id or b""), said)
        elif not isinstance(said.id, UnsetType):
            self._asked.append(bytes(said.id))
        else:
            self._hear_notification(said)

    def _hear_answer(self, raw_id: bytes, said: Envelope) -> None:
        if raw_id == b"null":
            return
        method, params = self._sent.pop(raw_id)
        if method in ("thread/resume", "codexd/events/follow"):
            self._counts.clear()  # what is still open, or was asked for, comes once more
        if (
            method in ("echo", "slow")
            and not isinstance(said.result, UnsetType)
            and bytes(said.result) != params
        ):
            raise Wrong(
                f"{self.book.name} asked {params!r:.100} and was answered {bytes(said.result)!r:.100}"
            )

    def _is_given(self, method: str, result: Raw) -> None:
        """A request was answered well."""

    def _hear_notification(self, said: Envelope) -> None:
        method, params = str(said.method), bytes(said.params or b"{}")
        if method in UNWANTED and self._opts_out:
            raise Wrong(f"{self.book.name} has opted out of {method}")
        head = b'{"threadId":"'
        if not params.startswith(head) or b'","n":' not in params:
            return
        thread, _, rest = params[len(head) :].partition(b'","n":')
        name, number = thread.decode(), int(rest[: len(rest) - len(rest.lstrip(b"0123456789"))])
        is_meant = method in FOR_ALL or name in self._resumed or self._world.starter(name) == self.number
        if not is_meant and not self._follows:
            raise Wrong(f"{self.book.name} has nothing to do with {name}, and hears {method}")
        # What is for all does not wait until it is known who follows the thread: the rest may come later than that.
        key = (name, method in FOR_ALL)
        if number <= self._counts.get(key, 0):
            raise Wrong(f"{self.book.name} hears number {number} of {name} after {self._counts[key]}")
        self._counts[key] = number

    def close(self) -> None:
        """The program has ended, and the system closes what it had."""
        if self._is_open:
            self._is_open = False
            notify_closing(self._socket)
            self._socket.close()
