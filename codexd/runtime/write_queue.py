"""Bytes on their way into a descriptor that may be full: sent at once when it takes them, else as soon as it does.

One queue stands before each client's socket and one before Codex's stdin. Chunks are shared, never copied: what is
queued for two hundred clients is one object.
"""

import math
import os
from collections import deque
from collections.abc import Callable
from itertools import islice

import trio

CHUNKS_PER_WRITE = 64


class WriteQueue:
    """The way into one non-blocking descriptor, in order and without waiting.

    `queued_bytes` is what the kernel has not taken yet. `taken_at`: when it last took something (trio's time), or when
    the queue was last empty; `on_taken` is called each time that it has taken some of the queue. `broken` is true from
    the moment when nobody can read the other side any more, or `abandon` was called: what is queued is dropped then, and
    so is everything put later. The descriptor is the caller's to close, after `abandon`.
    """

    def __init__(self, descriptor: int, on_taken: Callable[[], None] = lambda: None) -> None:
        self._descriptor = descriptor
        self._on_taken = on_taken
        self.taken_at = -math.inf
        self._queue: deque[bytes | memoryview] = deque()
        self._filled = trio.Event()
        self._empty = trio.Event()
        self._empty.set()
        self.queued_bytes = 0
        self.broken = False

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, chunk: bytes) -> None:
        """Sends the chunk, or queues what the kernel does not take of it. Never blocks."""
        if self._queue:
            self._queue.append(chunk)
            self.queued_bytes += len(chunk)
            return
        if self.broken:
            return
        try:
            sent = os.write(self._descriptor, chunk)
        except BlockingIOError:
            sent = 0
        except OSError:  # whatever it is called, nobody can be reached through this descriptor any more
            self.abandon()
            return
        if sent < len(chunk):
            self._queue.append(memoryview(chunk)[sent:] if sent else chunk)
            self.queued_bytes = len(chunk) - sent
            self.taken_at = trio.current_time()
            self._empty = trio.Event()
            self._filled.set()

    def push(self) -> None:
        """Sends what the kernel takes now.

        It takes some long before it says so: a socket counts as writable when three quarters of its buffer are free.
        """
        if self._queue:
            self._send_some()

    async def run(self) -> None:
        """Sends what `put` could not; returns when the queue is broken. Sleeps while nothing is queued."""
        while True:
            await self._filled.wait()
            if self.broken:
                return
            try:
                await trio.lowlevel.wait_writable(self._descriptor)
            except trio.ClosedResourceError:
                return
            if self._queue:
                self._send_some()

    @property
    def begun_bytes(self) -> int:
        """What is left of the chunk of which the kernel has taken a part."""
        begun = self._queue[0] if self._queue else b""
        return len(begun) if isinstance(begun, memoryview) else 0

    async def wait_empty(self) -> None:
        """Waits until the kernel has taken everything, or nobody is there to read it."""
        await self._empty.wait()

    def keep_only_begun(self, end_of_begun: Callable[[bytes, int], int]) -> None:
        """Drops the queue but for the rest of a message of which the kernel has taken a part already.

        `end_of_begun` says where in a chunk the message ends that has begun before a place in it.
        """
        if not self._queue:
            return
        begun = self._queue[0]
        self._queue.clear()
        self.queued_bytes = 0
        if isinstance(begun, memoryview):
            whole = begun.obj
            assert isinstance(whole, bytes), "views are made of chunks"
            at = len(whole) - len(begun)
            end = end_of_begun(whole, at)
            if end > at:
                self._queue.append(begun[: end - at])
                self.queued_bytes = end - at
        if not self._queue:
            self._has_emptied()

    def abandon(self) -> None:
        """Gives up: drops what is queued and takes nothing more. `run` and `wait_empty` return."""
        self.broken = True
        self._queue.clear()
        self.queued_bytes = 0
        self._empty.set()
        self._filled.set()

    def _send_some(self) -> None:
        try:
            sent = os.writev(self._descriptor, list(islice(self._queue, CHUNKS_PER_WRITE)))
        except BlockingIOError:
            return
        except OSError:  # as in `put`
            self.abandon()
            return
        self.queued_bytes -= sent
        self.taken_at = trio.current_time()
        while self._queue and len(self._queue[0]) <= sent:
            sent -= len(self._queue.popleft())
        if not self._queue:
            self._has_emptied()
        elif sent:
            self._queue[0] = memoryview(self._queue[0])[sent:]
        self._on_taken()

    def _has_emptied(self) -> None:
        self._filled = trio.Event()
        self._empty.set()
