"""What a client that never reads costs a codexd as it is by default, whatever passes it."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bench.wires import LineWire, call, initialize, request
from tests.service.place import PATIENCE_SECONDS, Place

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc tells the peak")

MIB = 1024 * 1024
THREAD = "01a1fc06-0d86-7a53-a176-e1e171885d08"
PIECE_BYTES = 2 * MIB
RING_BYTES = 8 * MIB
"""How much of the newest is kept in memory."""
GROWTH_BYTES = 24 * MIB
"""Most of it would be had without the client that does not read, too. What passes it is 80 MB."""
ANSWER_BYTES = 2 * MIB
"""Of events it has about a megabyte; there is something around them, too."""
_NUMBER = re.compile(rb'"itemId": "(\d+)"')


class Turn:
    """A thread that somebody started, who reads all that is said in it."""

    def __init__(self, place: Place, process: subprocess.Popen[str]) -> None:
        self._place = place
        self._status = Path(f"/proc/{process.pid}/status")
        self.reader = self.joined()
        self.said = 0

    def joined(self) -> LineWire:
        """A client that is told of the thread."""
        wire = LineWire.to_socket(self._place.socket)
        initialize(wire)
        call(wire, "thread/resume", {"threadId": THREAD, "thread": {"id": THREAD}})
        return wire

    def stream(self, count: int, length: int) -> None:
        """So many deltas are said, a piece at a time: each is read, and kept, before the next is said."""
        params = {"threadId": THREAD, "turnId": "t", "itemId": "NUMBER", "delta": "x" * length}
        message = {"method": "item/agentMessage/delta", "params": params}
        end, piece = self.said + count, PIECE_BYTES // length
        for first in range(self.said, end, piece):
            self.said = min(first + piece, end)
            flood = {"message": message, "count": self.said - first, "first": first}
            self.reader.send(request(-1, "fake/flood", flood))
            assert numbers_read(self.reader, self.said - first) == list(range(first, self.said))
            self._wait_until_kept()

    def _wait_until_kept(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self._place.ask("codexd/status")["result"]["timeline"]["memoryBytes"] > RING_BYTES:
            assert time.monotonic() < deadline, "what is on disk stays in memory"

    def peak_bytes(self) -> int:
        """The most memory that codexd ever had."""
        (kib,) = re.findall(r"VmHWM:\s+(\d+) kB", self._status.read_text())
        return int(kib) * 1024


def numbers_read(wire: LineWire, count: int) -> list[int]:
    """The numbers of the next deltas."""
    numbers: list[int] = []
    while len(numbers) < count:
        if found := _NUMBER.search(wire.receive()):
            numbers.append(int(found[1]))
    return numbers


@pytest.fixture
def turn(place: Place) -> Iterator[Turn]:
    """In a codexd whose settings are the defaults."""
    place.codex()
    process = place.start("run", stderr=subprocess.DEVNULL)
    place.wait_until_listening(process)
    made = Turn(place, process)
    yield made
    made.reader.close()
    place.end(process)


def test_what_passes_a_client_that_never_reads_takes_little_memory(turn: Turn) -> None:
    """However much it is, and however long each; also while it is read at last: all of it, in order, once."""
    turn.stream(100, 100_000)
    turn.stream(6_000, 2_000)
    before, begin = turn.peak_bytes(), turn.said
    with closing(turn.joined()) as stalled:
        turn.stream(20_000, 2_000)
        turn.stream(400, 100_000)
        assert turn.peak_bytes() - before < GROWTH_BYTES
        assert numbers_read(stalled, turn.said - begin) == list(range(begin, turn.said))
        turn.stream(1, 2_000)
        assert numbers_read(stalled, 1) == [turn.said - 1]
        assert turn.peak_bytes() - before < GROWTH_BYTES


def test_what_is_collected_in_one_answer_is_bounded(turn: Turn) -> None:
    """However many events somebody asks for, who then does not read them."""
    turn.stream(2_000, 2_000)
    answer = call(turn.reader, "codexd/events/read", {"after": 0, "limit": 2_000})
    size = len(json.dumps(answer))
    assert 0 < size < ANSWER_BYTES
