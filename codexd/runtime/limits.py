"""What codexd allows."""

from dataclasses import dataclass

from codexd.protocol.framing import MAX_MESSAGE_BYTES
from codexd.runtime.budget import MAX_BUFFERED_BYTES, MAX_OUTBOXES_BYTES
from codexd.runtime.outbox import MAX_OUTBOX_BYTES, SPILL_BYTES, STALLED_SECONDS


@dataclass(frozen=True)
class Limits:
    """Bytes and seconds.

    `max_buffered_bytes` is for the unfinished lines of all clients together. For each client: past `spill_bytes` events are
    kept in the timeline alone; past `max_outbox_bytes` it is cut off when it has taken nothing for `stalled_seconds`.
    `max_outboxes_bytes` is for what waits without a number for all clients together: past it one is cut off at once.
    `flush_seconds`: how long clients have at the end to read what is queued for them, after Codex has gone.
    """

    max_message_bytes: int = MAX_MESSAGE_BYTES
    max_buffered_bytes: int = MAX_BUFFERED_BYTES
    max_outbox_bytes: int = MAX_OUTBOX_BYTES
    max_outboxes_bytes: int = MAX_OUTBOXES_BYTES
    stalled_seconds: float = STALLED_SECONDS
    spill_bytes: int = SPILL_BYTES
    flush_seconds: float = 1.0
