"""Clients in a process of their own, which follow a thread, and how late what is told there comes to them.

    python -m bench.listeners SOCKET THREAD CLIENTS [--seldom]

Prints a line when all have subscribed; then, after each turn of which all have seen the end, one with the delays in
nanoseconds of all deltas to all clients, those of a `clock` turn. With `--seldom` they are read now and then and no times are
taken: to be many at little cost. Ends with its stdin.
"""

import json
import os
import select
import sys
import time
from pathlib import Path

from bench.wires import READ_BYTES, LineWire, call, initialize

_DELTA = b'"method":"item/agentMessage/delta"'
_TEXT = b'"delta":"'
_END = b'"method":"turn/completed"'
_PAUSE_SECONDS = 0.005


class Listener:
    """One client."""

    def __init__(self, path: Path, thread: str) -> None:
        self.wire = LineWire.to_socket(path)
        initialize(self.wire)
        call(self.wire, "thread/resume", {"threadId": thread, "excludeTurns": True})
        self.delays: list[int] = []
        self.turns = 0
        self._tail = b""

    def read(self) -> None:
        """What there is, without a look into it."""
        self._chunk()

    def listen(self) -> None:
        """What there is, and how late it is."""
        chunk, now = self._chunk(), time.monotonic_ns()
        *lines, self._tail = (self._tail + chunk).split(b"\n")
        for line in lines:
            if _DELTA in line:
                _, _, text = line.partition(_TEXT)
                self.delays.append(now - int(text.partition(b" ")[0]))
            elif _END in line:
                self.turns += 1

    def _chunk(self) -> bytes:
        chunk = os.read(self.wire.fileno(), READ_BYTES)
        if not chunk:
            raise ConnectionError("a client was cut off")
        return chunk


def main() -> None:
    """Listens until stdin ends."""
    path, thread, clients = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    is_seldom = "--seldom" in sys.argv
    listeners = [Listener(path, thread) for _ in range(clients)]
    print("[]", flush=True)
    turns = 0
    by_descriptor = {listener.wire.fileno(): listener for listener in listeners}
    with select.epoll() as poll:
        for descriptor in (*by_descriptor, sys.stdin.fileno()):
            poll.register(descriptor, select.EPOLLIN)
        while True:
            for descriptor, _ in poll.poll():
                if descriptor == sys.stdin.fileno():
                    return
                listener = by_descriptor[descriptor]
                listener.read() if is_seldom else listener.listen()
            if is_seldom:
                time.sleep(_PAUSE_SECONDS)
            elif all(listener.turns > turns for listener in listeners):
                turns += 1
                print(json.dumps([delay for listener in listeners for delay in listener.delays]), flush=True)
                for listener in listeners:
                    listener.delays.clear()


if __name__ == "__main__":
    main()
