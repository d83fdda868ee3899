"""What is queued for one client: it never makes anybody wait, and it is bounded.

Past the limit the queue is cut: the message that has begun is completed, the last one says why (an error line, or a
WebSocket close), and the client is treated as gone. Who does not read harms itself alone.
"""

import trio
from msgspec import Struct

from codexd.runtime.lines import LINES
from codexd.runtime.transport import Framing
from codexd.runtime.write_queue import WriteQueue

MAX_OUTBOX_BYTES = 64 * 1024 * 1024
END_GRACE_SECONDS = 30.0
"""How long a client that was told something last has to read it, and what is left before it."""


class OutboxStatistics(Struct, frozen=True):
    """How full an outbox is. `queued_bytes` counts what the kernel has not taken yet."""

    queued_bytes: int
    queued_chunks: int
    is_cut: bool


class Outbox:
    """The way to one client.

    `conversation` is cancelled when nothing more can be said to the client: it does not read, or it is gone.
    `framing` is what the client speaks; whoever finds out that it is not lines sets it.
    """

    def __init__(self, descriptor: int, limit: int, conversation: trio.CancelScope) -> None:
        self._queue = WriteQueue(descriptor)
        self._limit = limit
        self._conversation = conversation
        self.framing: Framing = LINES
        self._has_ended = False
        self._is_cut = False

    @property
    def queued_bytes(self) -> int:
        """What the kernel has not taken yet."""
        return self._queue.queued_bytes

    def put(self, chunk: bytes) -> None:
        """Queues whole messages in the client's framing. Never blocks, never reorders.

        The limit is looked at before the chunk is added: one that is larger than the limit passes when little waits.
        """
        if self._has_ended:
            return
        queue = self._queue
        if queue.queued_bytes > self._limit:
            self._cut()
        else:
            queue.put(chunk)
            if queue.broken:
                self._conversation.cancel()

    def finish(self, last: bytes) -> None:
        """Queues what is said last; what is put later is dropped. A client that was told something last keeps that."""
        if not self._has_ended:
            self._has_ended = True
            self._queue.put(last)

    async def run(self) -> None:
        """Sends what `put` could not; returns when the client can't be reached any more."""
        await self._queue.run()
        self._conversation.cancel()

    async def wait_sent(self) -> None:
        """Waits until nothing is queued any more, whether it was sent or the client is gone."""
        await self._queue.wait_empty()

    async def wait_rest_sent(self) -> None:
        """Gives a client that was told something last its time to read it; any other has had its time."""
        if self._has_ended:
            with trio.move_on_after(END_GRACE_SECONDS):
                await self._queue.wait_empty()

    def statistics(self) -> OutboxStatistics:
        """How full it is."""
        return OutboxStatistics(self._queue.queued_bytes, len(self._queue), self._is_cut)

    def _cut(self) -> None:
        self._is_cut = True
        self._queue.keep_only_begun(self.framing.end_of_begun)
        self.finish(
            self.framing.too_slow(
                f"cut off: this client did not read, and more than {self._limit} bytes were waiting for it; "
                "connect again and resume the threads"
            )
        )
        self._conversation.cancel()
