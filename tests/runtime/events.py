"""Events as the tests of the timeline write them."""

import time

from codexd.routing.events import Event

NOW = time.time()


def event(seq: int, thread: str = "t", text: bytes = b"", at: float = NOW, ephemeral: bool = False) -> Event:
    """One of a thread; each line is its own, or holds this text."""
    return Event(
        seq, at, thread, "item/agentMessage/delta", b'{"params":"%b"}' % (text or b"%04d" % seq), ephemeral
    )


def events(first: int, last: int, thread: str = "t") -> list[Event]:
    """Some in a row, both included."""
    return [event(seq, thread) for seq in range(first, last + 1)]
