"""What is queued for one client: it never makes anybody wait, and it is bounded.

Past the limit the queue is cut: the line that has begun is completed, one error line says why, and the client is
treated as gone. Who does not read harms itself alone.
"""

import trio
from msgspec import Struct

from codexd.protocol import messages
from codexd.protocol.errors import Code
from codexd.runtime.write_queue import WriteQueue

MAX_OUTBOX_BYTES = 64 * 1024 * 1024
CUT_GRACE_SECONDS = 30.0
"""How long a client that was cut has to read what is left for it."""


class OutboxStatistics(Struct, frozen=True):
    """How full an outbox is. `queued_bytes` counts what the kernel has not taken yet."""

    queued_bytes: int
    queued_chunks: int
    is_cut: bool


class Outbox:
    """The way to one client.

    `conversation` is cancelled when nothing more can be said to the client: it does not read, or it is gone.
    """

    def __init__(self, descriptor: int, limit: int, conversation: trio.CancelScope) -> None:
        self._queue = WriteQueue(descriptor)
        self._limit = limit
        self._conversation = conversation
        self._is_cut = False

    @property
    def queued_bytes(self) -> int:
        """What the kernel has not taken yet."""
        return self._queue.queued_bytes

    def put(self, chunk: bytes) -> None:
        """Queues whole lines, each with its line feed. Never blocks, never reorders.

        The limit is looked at before the chunk is added: one that is larger than the limit passes when little waits.
        """
        if self._is_cut:
            return
        queue = self._queue
        if queue.queued_bytes > self._limit:
            self._cut()
        else:
            queue.put(chunk)
            if queue.broken:
                self._conversation.cancel()

    async def run(self) -> None:
        """Sends what `put` could not; returns when the client can't be reached any more."""
        await self._queue.run()
        self._conversation.cancel()

    async def wait_sent(self) -> None:
        """Waits until nothing is queued any more, whether it was sent or the client is gone."""
        await self._queue.wait_empty()

    async def wait_rest_sent(self) -> None:
        """Gives a client that was cut its time to read why; any other has had its time."""
        if self._is_cut:
            with trio.move_on_after(CUT_GRACE_SECONDS):
                await self._queue.wait_empty()

    def statistics(self) -> OutboxStatistics:
        """How full it is."""
        return OutboxStatistics(self._queue.queued_bytes, len(self._queue), self._is_cut)

    def _cut(self) -> None:
        self._is_cut = True
        text = (
            f"this client was cut off: it did not read, and more than {self._limit} bytes were waiting for it; "
            "connect again and resume the threads"
        )
        self._queue.keep_only_begun_line()
        self._queue.put(messages.error(b"null", Code.TOO_SLOW, text) + b"\n")
        self._conversation.cancel()
