"""The child: one `codex app-server` on pipes, from its start to the sentence that says how it ended.

Its stdout is always drained and its stdin never waited for, so that it can't make anybody wait, and nobody it.
"""

import errno
import fcntl
import logging
import os
import re
import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import trio

from codexd.protocol import messages
from codexd.protocol.errors import Code, CodexdError
from codexd.protocol.framing import LineSplitter, TooLong
from codexd.protocol.sandbox import MARK_VARIABLE
from codexd.runtime import memory
from codexd.runtime.stderr_log import StderrLog
from codexd.runtime.write_queue import WriteQueue

logger = logging.getLogger(__name__)

READ_BYTES = 64 * 1024
"""Memory for more than 128 KiB would be mapped for every read and unmapped again: a fifth of codexd's CPU time for a request (measured)."""
PIPE_BYTES = 1024 * 1024
MAX_LINE_BYTES = 1024 * 1024 * 1024
"""Beyond this a line is no message of Codex but a fault; 150 MiB were seen to pass."""
STEP_SECONDS = 0.6
"""How long each of the ways to end Codex has: its stdin closed, SIGTERM, SIGKILL. The first takes 0.03 s (measured)."""

_LEFTOVER_READS = 64
_RESULT = re.compile(rb'\{"id": ?(\d+), ?"result":')
"""How Codex begins an answer; the id is codexd's own (0.163, 0.171)."""
_SERVICE_MANAGER = ("NOTIFY_SOCKET", "WATCHDOG_", "LISTEN_")
"""What a service manager means for codexd alone: who inherits it could speak or listen in codexd's name."""


class CodexUnavailable(CodexdError):
    """There is no Codex to be had: one sentence that says why, with the way out."""


@dataclass(frozen=True)
class Launch:
    """How to start Codex. `argv[0]` is the binary; `env` is complete and holds the mark (`MARK_VARIABLE`).

    `schema_file`: where to keep what its schema says; it is made when it is missing. `umask`: for the files that it and its
    commands make. `binary_identity`: which file the binary is, read before it is started; None: nobody wants to know.
    """

    argv: list[str]
    env: dict[str, str]
    cwd: str
    version: str
    schema_file: Path
    umask: int = 0o077
    binary_identity: str | None = None

    @property
    def binary(self) -> tuple[str, str] | None:
        """Its path, and which file that is."""
        return (self.argv[0], self.binary_identity) if self.binary_identity is not None else None

    @property
    def mark(self) -> str:
        """What the processes that this Codex leaves behind are known by."""
        return self.env[MARK_VARIABLE]


def environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """What Codex gets of an environment: everything that is not between the service manager and codexd."""
    return {name: value for name, value in inherited.items() if not name.startswith(_SERVICE_MANAGER)}


class Process(Protocol):
    """What is needed of a `trio.Process`."""

    pid: int

    @property
    def returncode(self) -> int | None:
        """How it ended; None while it runs."""

    async def wait(self) -> int:
        """Waits for its end."""

    def terminate(self) -> None:
        """SIGTERM."""

    def kill(self) -> None:
        """SIGKILL."""


class Codex:
    """One running Codex. Made by `spawn`; it lives until `run` returns.

    `on_taken` is called each time that it has taken some of what waited before its stdin.
    """

    def __init__(self, process: Process, stdin: int, stdout: int, stderr: int) -> None:
        self._process = process
        self._stdin, self._stdout, self._stderr = stdin, stdout, stderr
        self._open = {stdin, stdout, stderr}
        self._requests = WriteQueue(stdin, self._was_taken)
        self.on_taken: Callable[[], None] = lambda: None
        self._splitter = LineSplitter(MAX_LINE_BYTES)
        self._stderr_log = StderrLog()
        self._to_be_ended = trio.Event()
        self._at_once = trio.Event()
        self._verdict: str | None = None
        self._has_spoken = self._has_lost = False

    @classmethod
    async def spawn(cls, launch: Launch) -> "Codex":
        """Starts it in a session of its own, so that no signal of codexd's terminal reaches it.

        Raises:
            CodexUnavailable: it could not be started; the message names what was in the way.
        """
        with ExitStack() as ours, ExitStack() as theirs:
            try:
                stdin_end, stdin = _pipe(theirs, ours)
                stdout_end, stdout = reversed(_pipe(ours, theirs))
                stderr_end, stderr = reversed(_pipe(ours, theirs))
                process = await trio.lowlevel.open_process(
                    launch.argv,
                    stdin=stdin_end,
                    stdout=stdout_end,
                    stderr=stderr_end,
                    env=environment(launch.env),
                    cwd=launch.cwd,
                    umask=launch.umask,
                    start_new_session=True,
                )
            except (OSError, MemoryError) as error:
                culprit = getattr(error, "filename", None) or launch.argv[0]
                why = os.strerror(errno.ENOMEM) if isinstance(error, MemoryError) else error.strerror
                raise CodexUnavailable(f"Codex could not be started: {culprit}: {why}") from None
            ours.pop_all()
        for descriptor in (stdin, stdout, stderr):
            os.set_blocking(descriptor, False)
        _enlarge(stdout)
        return cls(process, stdin, stdout, stderr)

    @property
    def pid(self) -> int:
        """Also the id of its session and of its process group."""
        return self._process.pid

    def _was_taken(self) -> None:
        self.on_taken()

    def write(self, lines: bytes) -> None:
        """Sends lines, each with its line feed. Never blocks; what a dead Codex is sent is dropped."""
        self._requests.put(lines)

    def stop(self, *, at_once: bool = False) -> None:
        """Ends it: by closing its stdin, then harder, within three times `STEP_SECONDS`; or `at_once` by SIGKILL.

        One that is halted (SIGSTOP) notices neither of the others (measured).
        """
        self._end("Codex was stopped")
        if at_once:
            self._at_once.set()

    async def run(
        self,
        receive: Callable[[list[bytes]], None],
        before_end: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint,
    ) -> str:
        """Reads until it has ended and nothing of what it wrote is left; returns a sentence that says how it ended.

        `receive` gets the lines of each read, in order. `before_end` is awaited before Codex is told to end, if it ever
        is. Cancelled, `run` kills Codex and waits for its exit status.
        """
        take_stdout = partial(self._take_stdout, receive)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write_stdin)
                nursery.start_soon(self._read_stdout, take_stdout)
                nursery.start_soon(self._read, self._stderr, self._stderr_log.feed)
                nursery.start_soon(self._end_when_told, before_end)
                await self._process.wait()
                nursery.cancel_scope.cancel()
            _read_what_is_left(self._stdout, take_stdout)
            _read_what_is_left(self._stderr, self._stderr_log.feed)
        finally:
            await self._clear_away(before_end)
        return self._sentence()

    async def _write_stdin(self) -> None:
        await self._requests.run()
        await self._end_unless_it_exits("Codex closed its input while it was running")

    @staticmethod
    async def _read(descriptor: int, take: Callable[[bytes], None]) -> None:
        """Hands over what comes; returns at the end of the stream. One read for each scheduling turn."""
        while True:
            await trio.lowlevel.wait_readable(descriptor)
            if not memory.has():
                await trio.sleep(memory.RETRY_SECONDS)
                continue
            chunk = _read_available(descriptor)
            if chunk == b"":
                return
            if chunk:
                take(chunk)

    async def _read_stdout(self, take: Callable[[bytes], None]) -> None:
        await self._read(self._stdout, take)
        await self._end_unless_it_exits("Codex closed its output while it was running")

    def _take_stdout(self, receive: Callable[[list[bytes]], None], chunk: bytes) -> None:
        self._has_spoken = True
        lines: list[bytes] = []
        for line in self._split(chunk):
            if isinstance(line, TooLong):
                lines += _in_place_of(line.head)
            else:
                lines.append(line)
        if lines:
            receive(lines)

    def _split(self, chunk: bytes) -> list[bytes | TooLong]:
        """The lines that the chunk completes, and one that there is no memory for. Nothing after one that was lost."""
        if self._has_lost:
            return []
        try:
            lines = self._splitter.feed(chunk)
            if not memory.has_for_line(self._splitter.buffered_bytes):
                given_up = self._splitter.give_up()
                assert given_up is not None, "only an unfinished line needs more than the headroom"
                lines.append(given_up)
        except MemoryError:  # what it said is lost, and nobody can tell what it was
            self._has_lost = True
            self._end("codexd had no memory for a message of Codex")
            return []
        return lines

    async def _end_unless_it_exits(self, verdict: str) -> None:
        """A process that exits closes its pipes first: only one that then goes on is to be ended for it."""
        await trio.sleep(STEP_SECONDS)
        self._end(verdict)

    def _end(self, verdict: str) -> None:
        if self._verdict is None:
            self._verdict = verdict
            self._to_be_ended.set()

    async def _end_when_told(self, before_end: Callable[[], Awaitable[None]]) -> None:
        await self._to_be_ended.wait()
        self._requests.abandon()
        # Before the kill, too: the children of a Codex that is dying look as if they had left it.
        await before_end()
        self._close(self._stdin)
        if not await self._is_to_end_at_once():
            logger.warning("Codex goes on without its stdin: SIGTERM")
            self._process.terminate()
            if not await self._is_to_end_at_once():
                logger.warning("Codex goes on after SIGTERM: SIGKILL")
        self._process.kill()

    async def _is_to_end_at_once(self) -> bool:
        """Returns when that is demanded, or after `STEP_SECONDS`."""
        with trio.move_on_after(STEP_SECONDS):
            await self._at_once.wait()
        return self._at_once.is_set()

    async def _clear_away(self, before_end: Callable[[], Awaitable[None]]) -> None:
        if self._process.returncode is None:
            with trio.move_on_after(STEP_SECONDS, shield=True):
                await before_end()
            self._process.kill()
            with trio.move_on_after(STEP_SECONDS, shield=True):
                await self._process.wait()
        self._requests.abandon()
        for descriptor in tuple(self._open):
            self._close(descriptor)
        self._stderr_log.end()

    def _close(self, descriptor: int) -> None:
        self._open.remove(descriptor)
        trio.lowlevel.notify_closing(descriptor)
        os.close(descriptor)

    def _sentence(self) -> str:
        status = self._process.returncode
        assert status is not None, "its exit was waited for"
        if self._verdict is not None:
            return self._verdict
        if status < 0:
            return f"Codex was killed by {_signal_name(-status)}"
        explanation = "" if self._has_spoken else self._stderr_log.explanation
        why = f": {explanation}" if explanation else ""
        return f"Codex exited with status {status}{why}"


def _pipe(reading: ExitStack, writing: ExitStack) -> tuple[int, int]:
    """A pipe whose ends are closed by these stacks."""
    ends = os.pipe()
    for stack, end in zip((reading, writing), ends, strict=True):
        stack.callback(os.close, end)
    return ends


def _read_available(descriptor: int) -> bytes | None:
    """What is there to be read: empty at the end of the stream, None when there is nothing, or no memory, just now."""
    try:
        return os.read(descriptor, READ_BYTES)
    except (BlockingIOError, MemoryError):
        return None


def _read_what_is_left(descriptor: int, take: Callable[[bytes], None]) -> None:
    """What a process wrote before it ended; what its children go on writing is nobody's."""
    for _ in range(_LEFTOVER_READS):
        chunk = _read_available(descriptor)
        if not chunk:
            return
        take(chunk)


def _in_place_of(head: bytes) -> list[bytes]:
    """What is heard of a line that is skipped, of which this is the beginning: who asked for it gets an error."""
    logger.warning(
        "Codex sent a line of more than %d bytes, or of more than the free memory: skipped", MAX_LINE_BYTES
    )
    result = _RESULT.match(head)
    if result is None:
        return []
    return [messages.error(result[1], Code.TOO_LARGE, "codexd has too little memory for the answer")]


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # the real-time signals between the first and the last have no name
        return f"signal {number}"


def _enlarge(pipe: int) -> None:
    """Fewer and larger reads where Codex is fast; a limit of the system's is no reason to go without."""
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        try:
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        except OSError:
            logger.debug("the system allows no larger pipe for Codex's stdout")
