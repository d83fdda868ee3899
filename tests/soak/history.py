"""What the timeline has in the end, and whether it is what its readers were sent."""

import json
from array import array
from bisect import bisect_left, bisect_right

import msgspec
from msgspec import Raw, Struct

from codexd.protocol import extension
from codexd.protocol.catalogue import EVERYONE_ALTHOUGH_OF_A_THREAD
from tests.e2e.harness import World
from tests.soak.recording import TOLD_AFTER_A_RESUME, Received, check_sum, thread_of

_EVERYONE = "everyone"
_ONLY_FOLLOWED = "followers"
_DELTA = "item/agentMessage/delta"
_SHOWN = 5


class _Event(Struct):
    seq: int
    at: float
    method: str
    params: Raw


class _Gap(Struct, rename={"from_": "from"}):
    from_: int
    to: int


class _Page(Struct):
    events: list[_Event]
    last: int
    gap: _Gap | None = None


class _Delta(Struct, rename="camel"):
    item_id: str
    delta: str


class _Answer(Struct):
    result: _Page


class History:
    """Everything that `codexd/events/read` has, read once. `problems` is what is wrong, in words.

    What somebody was sent and is not there any more must lie in a gap that codexd tells; `lost` is how many those are.
    """

    def __init__(self, world: World) -> None:
        self.problems: list[str] = []
        self.seqs = array("Q")
        self.last = 0
        self._sums = array("L")
        self._threads: list[str] = []
        self._audiences: list[str] = []
        self._methods: list[str] = []
        self._gaps: list[_Gap] = []
        self._lost: set[int] = set()
        self._run: dict[str, list[int]] = {}
        self._counted: dict[str, int] = {}
        self._connection = world.connect_raw()
        self._incoming = self._connection.makefile("rb")
        self._read_all()

    @property
    def lost(self) -> int:
        """How many events were sent and are in a gap."""
        return len(self._lost)

    def close(self) -> None:
        """Hangs up."""
        self._incoming.close()
        self._connection.close()

    def check(self, received: Received) -> None:
        """Compares what somebody was sent with what there is: nothing missing, nothing twice, nothing of others."""
        if received.followed is not None:
            self._check_numbers(received)
            self._check_followed(received)
        elif received.subscribed:
            self._check_numbers(received)
            self._check_subscribed(received)
        for thread, sums in received.by_thread.items():
            self._check_run(received, thread, sums)

    def _page(self, after: int, limit: int) -> _Page:
        asked = {"id": 1, "method": extension.EVENTS_READ, "params": {"after": after, "limit": limit}}
        self._connection.sendall(json.dumps(asked).encode() + b"\n")
        return msgspec.json.decode(self._incoming.readline(), type=_Answer).result

    def _read_all(self) -> None:
        newest = 0
        while (page := self._page(newest, 1000)).events:
            for event in page.events:
                if event.seq <= newest:
                    self.problems.append(f"the timeline has {event.seq} behind {newest}")
                if newest and event.seq != newest + 1:
                    self._note_hole(newest, event.seq)
                newest = event.seq
                self._take(event)
        self.last = page.last
        if newest < self.last:
            self._note_hole(newest, self.last + 1)

    def _take(self, event: _Event) -> None:
        thread = thread_of(event.params)
        audience = _audience(event.method, thread)
        if audience == thread and event.method != TOLD_AFTER_A_RESUME:
            self._run.setdefault(thread, []).append(len(self.seqs))
        if event.method == _DELTA:
            self._check_count(event)
        self.seqs.append(event.seq)
        self._sums.append(check_sum(event.method, event.params))
        self._threads.append(thread)
        self._methods.append(event.method)
        self._audiences.append(audience)

    def _check_count(self, event: _Event) -> None:
        """A model that streams counts from 1 on."""
        delta = msgspec.json.decode(event.params, type=_Delta)
        if delta.delta.strip().isdigit():
            number = self._counted.get(delta.item_id, 0) + 1
            self._counted[delta.item_id] = number
            if int(delta.delta) != number:
                self.problems.append(f"{event.seq} is delta {delta.delta} of {delta.item_id}, not {number}")

    def _note_hole(self, previous: int, following: int) -> None:
        gap = self._page(previous, 1).gap
        if gap is None:
            return
        self._gaps.append(gap)
        if not previous < gap.from_ <= gap.to < following:
            self.problems.append(f"the gap {gap} has events in it: {previous} or {following}")

    def _is_in_gap(self, seq: int) -> bool:
        return any(gap.from_ <= seq <= gap.to for gap in self._gaps)

    def _between(self, after: int, last: int) -> range:
        return range(bisect_right(self.seqs, after), bisect_right(self.seqs, last))

    def _check_numbers(self, received: Received) -> None:
        """Each is in order, is the event that it was, or lies in a gap that is told."""
        before = received.after
        back, astray, other = [], [], []
        for seq, of_event in zip(received.seqs, received.sums, strict=True):
            if seq <= before:
                back.append(seq)
            before = seq
            at = bisect_left(self.seqs, seq)
            if at == len(self.seqs) or self.seqs[at] != seq:
                self._lost.add(seq)
                if not self._is_in_gap(seq):
                    astray.append(seq)
            elif self._sums[at] != of_event:
                other.append(seq)
        self._complain_of(received, back, "was sent again, or too late,")
        self._complain_of(received, astray, "was sent what is neither in the timeline nor in a gap")
        self._complain_of(received, other, "was sent under the number of another event")

    def _check_followed(self, received: Received) -> None:
        got = set(received.seqs)
        wanted = received.followed
        missed = [
            self.seqs[at]
            for at in self._between(received.after, max(received.last, received.upto))
            if wanted in ("", self._threads[at]) and self.seqs[at] not in got
        ]
        self._complain_of(received, missed, "was not sent")
        if wanted:
            self._check_whose(received, {wanted})

    def _check_subscribed(self, received: Received) -> None:
        got = set(received.seqs)
        begun: set[str] = set()
        missed = []
        first = received.seqs[0] if received.seqs else received.last + 1
        for at in self._between(first - 1, max(received.last, received.upto)):
            if self.seqs[at] in got:
                begun.add(self._audiences[at])
            elif self._audiences[at] in begun:
                missed.append(self.seqs[at])
        self._complain_of(received, missed, "was not sent")
        for audience in begun - received.subscribed - {_EVERYONE}:
            self._complain(received, f"was sent what is for {audience}")

    def _check_whose(self, received: Received, threads: set[str]) -> None:
        found = set()
        for seq in received.seqs:
            at = bisect_left(self.seqs, seq)
            if at < len(self.seqs) and self.seqs[at] == seq:
                found.add(self._threads[at])
        if found - threads:
            self._complain(received, f"was sent events of {found - threads}")

    def _check_run(self, received: Received, thread: str, sums: "array[int]") -> None:
        """What came without numbers is a stretch of what the thread's subscribers are told.

        At its very end, a codexd that was killed may have lost what it had sent.
        """
        indices = [at for at in self._run.get(thread, []) if self.seqs[at] > received.after]
        run = array("L", (self._sums[at] for at in indices))
        whole = len(sums)
        if any(run[at] == sums[0] and run[at : at + whole] == sums for at in range(len(run))):
            return
        ends = {
            bisect_left(indices, bisect_left(self.seqs, gap.from_)) for gap in self._gaps_behind(received)
        }
        if not any(
            run[end - kept : end] == sums[:kept] for end in ends for kept in range(min(end, whole) + 1)
        ):
            self._complain(received, f"was sent of {thread} what is no stretch of its {len(run)} events")

    def _gaps_behind(self, received: Received) -> list[_Gap]:
        return [gap for gap in self._gaps if received.was_killed and gap.to > received.after]

    def _complain_of(self, received: Received, seqs: list[int], what: str) -> None:
        if seqs:
            self._complain(received, f"{what} {len(seqs)} events: {seqs[:_SHOWN]} …")

    def _complain(self, received: Received, what: str) -> None:
        self.problems.append(f"{received.who} {what}")


def _audience(method: str, thread: str) -> str:
    if method == extension.SERVER_REQUEST:
        return _ONLY_FOLLOWED
    return _EVERYONE if method in EVERYONE_ALTHOUGH_OF_A_THREAD else thread
