"""A Codex in this very process, at the far ends of real pipes: it serves, and it fails in every way that was seen.

What it does is little: threads, turns with deltas, approvals, echoes. How it does it is the point: it writes in odd
pieces, reads late or never, dies after any byte, hangs, closes its output, and ignores what should end it.
"""

import fcntl
import os
import signal
from collections.abc import Callable, Sequence
from random import Random

import msgspec
import trio
from msgspec import Struct, UnsetType
from trio.lowlevel import notify_closing, wait_readable, wait_writable

from tests.simulation.books import CodexBook, Envelope, read

ANSWERED = b'{"id":%b,"result":%b}'
REFUSED = b'{"id":%b,"error":{"code":-32600,"message":"%b"}}'
APPROVAL = "item/commandExecution/requestApproval"
INTRODUCED = b'{"userAgent":"codexd/0.169.0 (Simulated; x86_64) (codexd; 1)","codexHome":"/home"}'


class Weather(Struct, frozen=True):
    """How the Codexes of a world are. Chances, seconds and bytes."""

    pause: float
    lives: tuple[str, ...]
    pieces: tuple[int, ...]
    reads: tuple[int, ...]
    pipe_bytes: int


def weather(rng: Random) -> Weather:
    """Any."""
    healthy = ("healthy",) * rng.choice((1, 4, 20))
    ill = ("dies", "dies early", "hangs", "deaf", "closes output", "stubborn", "mute", "dies of rollouts")
    return Weather(
        pause=rng.choice((0.0, 0.001, 0.05, 1.0)),
        lives=healthy + tuple(rng.sample(ill, rng.randrange(4))),
        pieces=rng.choice(((1 << 16,), (1 << 16, 500, 7), (900,), (4096, 4096, 1))),
        reads=rng.choice(((1 << 16,), (4096, 50))),
        pipe_bytes=rng.choice((4096, 1 << 16)),
    )


CALM = Weather(pause=0.0, lives=("healthy",), pieces=(1 << 16,), reads=(1 << 16,), pipe_bytes=1 << 16)


class Thread(Struct, eq=False):
    """A thread on disk, and of this life: whether it is loaded, and its running turn.

    `kills`: how many more lives its resume ends.
    """

    id: str
    starter: int
    is_ephemeral: bool = False
    is_durable: bool = False
    events: int = 0
    turns: int = 0
    turn: str | None = None
    is_loaded: bool = True
    kills: int = 0


class Disk(Struct, eq=False):
    """What outlives a Codex."""

    threads: dict[str, Thread] = {}
    pids: list[int] = []


class _Params(Struct, rename="camel"):
    thread_id: str | None = None
    sender: int = 0
    deltas: int = 0
    size: int = 0
    asks: bool = False
    ephemeral: bool = False


_params = msgspec.json.Decoder(_Params)


class SimulatedProcess:
    """What `trio.Process` is to `Codex`."""

    def __init__(self, pid: int, signalled: Callable[[int], None]) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.ended = trio.Event()
        self._signalled = signalled

    async def wait(self) -> int:
        """Waits for its end."""
        await self.ended.wait()
        assert self.returncode is not None, "it has ended"
        return self.returncode

    def terminate(self) -> None:
        """SIGTERM."""
        self._signalled(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self._signalled(signal.SIGKILL)


class SimulatedCodex:
    """One process. `ends`: its stdin, stdout and stderr, which are its own to close."""

    def __init__(
        self,
        pid: int,
        ends: Sequence[int],
        disk: Disk,
        rng: Random,
        now: Weather,
        note: Callable[[str], None],
    ) -> None:
        self.book = CodexBook(f"Codex {pid}")
        self.life = rng.choice(now.lives)
        self._disk, self._rng, self._weather, self._note = disk, rng, now, note
        stdin, stdout, stderr = ends
        for end in ends:
            os.set_blocking(end, False)
        for pipe in (stdin, stdout):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, now.pipe_bytes)
        self._stdin, self._stdout, self._stderr = stdin, stdout, stderr
        self._open = {stdin, stdout, stderr}
        self.process = SimulatedProcess(pid, self._signalled)
        self._out: list[bytes] = []
        self._has_more = trio.Event()
        self._may_read = trio.Event()
        if self.life != "deaf":
            self._may_read.set()
        self._written = 0
        self._dies_after = rng.randrange(20_000) if self.life == "dies" else 1 << 60
        self._scope = trio.CancelScope()
        self._nursery: trio.Nursery | None = None
        self._lasts = {"mute": 0, "hangs": rng.randrange(1, 12), "closes output": rng.randrange(12)}.get(
            self.life
        )
        self._asked = 0
        self._unanswered: list[bytes] = []
        self._pending: dict[int, tuple[Thread, bytes, trio.Event]] = {}
        for thread in disk.threads.values():
            thread.is_loaded, thread.turn = False, None

    async def run(self) -> None:
        """Lives, to its end."""
        with self._scope:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self._write)
                if self.life == "dies early":
                    nursery.start_soon(self._die_later, self._rng.choice((0.0, 0.01, 3.0)))
                await self._read()
                if self.life != "stubborn":
                    await trio.sleep(self._weather.pause)
                    self.die(0)
                await trio.sleep_forever()
        for descriptor in tuple(self._open):
            self._close(descriptor)
        if self._rng.random() < 0.3:
            with trio.CancelScope(shield=True):
                await trio.sleep(self._rng.choice((0.0, 0.01)))
        self._note(f"{self.book.name} has ended: {self.process.returncode}")
        self.book.ended_at = trio.current_time()
        self.process.ended.set()

    def die(self, status: int) -> None:
        """Ends at once. A status below zero is a signal."""
        if self.process.returncode is None:
            self.process.returncode = status
            self._scope.cancel()

    def recover(self) -> None:
        """It reads and answers again, or dies at last."""
        self._weather = CALM
        self._dies_after = 1 << 60
        self._may_read.set()
        if self._stdout in self._open and (self._lasts is not None or self.life == "stubborn"):
            self.die(-9)
        self.life = "healthy"
        for raw_id in self._unanswered:
            self._say(ANSWERED % (raw_id, b"{}"))
        for _, _, decided in self._pending.values():
            decided.set()

    def _signalled(self, number: int) -> None:
        if number == signal.SIGKILL or self.life != "stubborn":
            self.die(-number)

    async def _die_later(self, seconds: float) -> None:
        await trio.sleep(seconds)
        self.die(-signal.SIGSEGV)

    def _close(self, descriptor: int) -> None:
        self._open.remove(descriptor)
        notify_closing(descriptor)
        os.close(descriptor)

    # Reading.

    async def _read(self) -> None:
        rest = b""
        while True:
            await self._may_read.wait()
            await wait_readable(self._stdin)
            chunk = os.read(self._stdin, self._rng.choice(self._weather.reads))
            if not chunk:
                return
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self.book.gets(line)
                self._take(line)
            if self._weather.pause:
                await trio.sleep(self._rng.random() * self._weather.pause)

    def _take(self, line: bytes) -> None:
        message = read(line)
        assert message is not None, "codexd lets nothing else pass"
        if isinstance(message.method, UnsetType):
            _, _, decided = self._pending.get(int(bytes(message.id or b"-1")), (None, b"", trio.Event()))
            decided.set()
        elif self._lasts == 0:
            self._fail()
        elif not isinstance(message.id, UnsetType):
            if self._lasts is not None:
                self._lasts -= 1
            self._answer(bytes(message.id), message.method, message)

    def _fail(self) -> None:
        """It takes requests and does nothing; one that has closed its output as well can't hide that."""
        if self.life == "closes output" and self._stdout in self._open:
            self._note(f"{self.book.name} closes its output")
            self._close(self._stdout)

    def _answer(self, raw_id: bytes, method: str, message: Envelope) -> None:
        raw = bytes(message.params) if not isinstance(message.params, UnsetType) else b"{}"
        params = _params.decode(raw)
        thread = self._disk.threads.get(params.thread_id or "")
        if method == "initialize":
            self._say(ANSWERED % (raw_id, INTRODUCED))
        elif method == "thread/start":
            thread = Thread(f"t{len(self._disk.threads)}", params.sender, params.ephemeral)
            self._disk.threads[thread.id] = thread
            self._say(ANSWERED % (raw_id, self._described(thread)))
            self._say(b'{"method":"thread/started","params":%b}' % self._described(thread))
        elif thread is not None:
            self._of_known(raw_id, method, thread, params)
        elif method == "never" and self._weather is not CALM:
            self._unanswered.append(raw_id)
        else:
            self._say(ANSWERED % (raw_id, raw))
            if method == "slow":
                self._say(b'{"method":"skills/changed","params":{}}')

    def _of_known(self, raw_id: bytes, method: str, thread: Thread, params: _Params) -> None:
        if method == "thread/unsubscribe":
            thread.is_loaded = False
            self._say(ANSWERED % (raw_id, b'{"status":"unsubscribed"}'))
            self._of_thread(thread, "thread/closed")
        elif method == "thread/delete" and thread.turn is None:
            thread.is_loaded = thread.is_durable = False
            self._say(ANSWERED % (raw_id, b"{}"))
            self._of_thread(thread, "thread/deleted")
        elif method == "thread/resume" and not thread.is_durable:
            self._say(REFUSED % (raw_id, b"no rollout found for thread id " + thread.id.encode()))
        elif method == "thread/resume" and self._is_killed_by(thread):
            self._note(f"{self.book.name} dies of the rollout of {thread.id}")
            self.die(-signal.SIGKILL)
        elif method in ("thread/resume", "thread/read"):
            thread.is_loaded |= method == "thread/resume"
            self._say(ANSWERED % (raw_id, self._described(thread)))
            if method == "thread/resume":
                for about, line, decided in self._pending.values():
                    if about is thread and not decided.is_set():
                        self._say(line)
        elif not thread.is_loaded or thread.turn is not None:
            self._say(REFUSED % (raw_id, b"thread not found: " + thread.id.encode()))
        else:
            thread.turns += 1
            thread.turn = f"{thread.id}.{thread.turns}"
            thread.is_durable = not thread.is_ephemeral
            self._say(
                ANSWERED % (raw_id, b'{"turn":{"id":"%b","status":"inProgress"}}' % thread.turn.encode())
            )
            assert self._nursery is not None, "it runs"
            self._nursery.start_soon(self._turn, thread, thread.turn, params)

    def _is_killed_by(self, thread: Thread) -> bool:
        """One that dies of the rollout is followed by another one that does."""
        if self.life == "dies of rollouts" and not thread.kills:
            thread.kills = 2
        if not thread.kills or self._weather is CALM:
            return False
        thread.kills -= 1
        return True

    def _described(self, thread: Thread) -> bytes:
        turns = b'{"id":"%b","status":"inProgress"}' % thread.turn.encode() if thread.turn else b""
        ephemeral = b"true" if thread.is_ephemeral else b"false"
        return b'{"thread":{"id":"%b","ephemeral":%b,"turns":[%b]}}' % (thread.id.encode(), ephemeral, turns)

    async def _turn(self, thread: Thread, turn: str, params: _Params) -> None:
        raw = turn.encode()
        self._of_thread(thread, "thread/status/changed", b',"status":{"type":"active"}')
        self._of_thread(thread, "turn/started", b',"turn":{"id":"%b","status":"inProgress"}' % raw)
        for item in range(self._rng.choice((1, 1, 3))):
            await self._item(thread, raw, b"%b.%d" % (raw, item), params)
        if params.asks:
            await self._ask(thread, raw)
        thread.turn = None
        self._of_thread(thread, "thread/status/changed", b',"status":{"type":"idle"}')
        self._of_thread(thread, "turn/completed", b',"turn":{"id":"%b","status":"completed"}' % raw)

    async def _item(self, thread: Thread, turn: bytes, item: bytes, params: _Params) -> None:
        described = b',"turnId":"%b","item":{"id":"%b"}' % (turn, item)
        self._of_thread(thread, "item/started", described)
        for number in range(params.deltas):
            text = b"x" * self._rng.randrange(params.size + 1)
            said = b',"turnId":"%b","itemId":"%b","delta":"%b"' % (turn, item, text)
            self._of_thread(thread, "item/agentMessage/delta", said)
            if number % 4 == 3:
                await trio.sleep(self._rng.random() * self._weather.pause)
        self._of_thread(thread, "item/completed", described)

    async def _ask(self, thread: Thread, turn: bytes) -> None:
        number, self._asked = self._asked, self._asked + 1
        at = b'"threadId":"%b"' % thread.id.encode()
        line = b'{"id":%d,"method":"%b","params":{%b,"turnId":"%b"}}' % (number, APPROVAL.encode(), at, turn)
        decided = trio.Event()
        self._pending[number] = (thread, line, decided)
        self._say(line)
        with trio.move_on_after(self._rng.choice((5.0, 1000.0))):
            await decided.wait()
        self._say(b'{"method":"serverRequest/resolved","params":{%b,"requestId":%d}}' % (at, number))
        del self._pending[number]

    def _of_thread(self, thread: Thread, method: str, more: bytes = b"") -> None:
        """An event of a thread, with a number that counts through the thread's whole life."""
        thread.events += 1
        params = b'{"threadId":"%b","n":%d%b}' % (thread.id.encode(), thread.events, more)
        self._say(b'{"method":"%b","params":%b}' % (method.encode(), params))

    # Writing.

    def _say(self, line: bytes) -> None:
        self._out.append(line)
        self._has_more.set()

    async def _write(self) -> None:
        """Everything in order, in pieces that know nothing of lines."""
        while True:
            await self._has_more.wait()
            self._has_more = trio.Event()
            lines, self._out = self._out, []
            ends, data = [], b""
            for line in lines:
                data += line + b"\n"
                ends.append(len(data))
            await self._write_piecemeal(lines, ends, data)

    async def _write_piecemeal(self, lines: list[bytes], ends: list[int], data: bytes) -> None:
        at = whole = 0
        while at < len(data):
            size = min(self._rng.choice(self._weather.pieces), self._dies_after - self._written)
            if size <= 0:
                self._note(f"{self.book.name} dies after {self._written} bytes")
                self.die(-signal.SIGKILL)
                await trio.sleep_forever()
            try:
                sent = os.write(self._stdout, data[at : at + size])
            except BlockingIOError:
                await self._wait_for_room()
                continue
            except OSError:  # codexd is gone, or it has closed this itself
                await trio.sleep_forever()
            at += sent
            self._written += sent
            while whole < len(lines) and ends[whole] <= at:
                self.book.says(lines[whole])
                whole += 1
            if self._weather.pause and self._rng.random() < 0.3:
                await trio.sleep(self._rng.random() * self._weather.pause / 10)

    async def _wait_for_room(self) -> None:
        try:
            await wait_writable(self._stdout)
        except trio.ClosedResourceError:  # by itself
            await trio.sleep_forever()
