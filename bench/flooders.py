"""Clients in a process of their own that keep many requests open each, and how many of those are answered.

    python -m bench.flooders SOCKET lines|frames CLIENTS DEPTH METHOD

Prints a line when all are connected. Begins to flood at the first line of its stdin; at each further one it prints how
many requests were answered and how many were refused since then. Ends with its stdin.
"""

import select
import sys
from collections.abc import Callable
from pathlib import Path

from bench.wires import LineWire, WebSocketWire, Wire, initialize, request


class Flooder:
    """One client. A request that is refused is asked again at once, as a client does that knows no better."""

    def __init__(self, wire: Wire, method: str, depth: int) -> None:
        self.wire = wire
        initialize(wire)
        self._line = request(1, method, {})
        self._depth = depth
        self.answered = self.refused = 0

    def begin(self) -> None:
        """Opens all its requests."""
        self.wire.send(*[self._line] * self._depth)

    def go_on(self) -> None:
        """Takes what there is, and asks as many again."""
        again = 0
        while True:
            try:
                message = self.wire.receive(0)
            except TimeoutError:
                break
            if message.startswith(b'{"error"'):
                self.refused += 1
                again += 1
            elif message.startswith(b'{"id"'):
                self.answered += 1
                again += 1
        if again:
            self.wire.send(*[self._line] * again)


def main() -> None:
    """Floods until stdin ends."""
    path, clients, depth, method = Path(sys.argv[1]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
    connect: Callable[[Path], Wire] = LineWire.to_socket if sys.argv[2] == "lines" else WebSocketWire
    flooders = [Flooder(connect(path), method, depth) for _ in range(clients)]
    print("ready", flush=True)
    if not sys.stdin.readline():
        return
    for flooder in flooders:
        flooder.begin()
    by_descriptor = {flooder.wire.fileno(): flooder for flooder in flooders}
    with select.epoll() as poll:
        for descriptor in (*by_descriptor, sys.stdin.fileno()):
            poll.register(descriptor, select.EPOLLIN)
        while True:
            for descriptor, _ in poll.poll():
                if descriptor != sys.stdin.fileno():
                    by_descriptor[descriptor].go_on()
                    continue
                if not sys.stdin.readline():
                    return
                print(
                    sum(flooder.answered for flooder in flooders),
                    sum(flooder.refused for flooder in flooders),
                    flush=True,
                )
                for flooder in flooders:
                    flooder.answered = flooder.refused = 0


if __name__ == "__main__":
    main()
