"""A client that does not read is bounded, told so, and nobody else notices."""

import json
import socket
from random import Random

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from codexd.routing.effects import Replay
from codexd.routing.events import Event, Gap, History, View
from codexd.runtime.archive import NoArchive
from codexd.runtime.budget import OutboxBudget
from codexd.runtime.frames import FRAMES
from codexd.runtime.lag import Lag
from codexd.runtime.outbox import (
    END_GRACE_SECONDS,
    LOADED_BYTES,
    MAX_WAITING,
    SPILL_CHUNKS,
    Outbox,
    OutboxStatistics,
)
from codexd.runtime.timeline import Timeline
from tests.fakes import PATIENCE_SECONDS
from tests.runtime.archives import ListArchive

CLIENT = 7
LIMIT = 100_000
LINE = b'{"method":"m","params":{"text":"' + b"x" * 1000 + b'"}}\n'


def an_outbox(ours, conversation, stalled=0.0):
    """One whose events are kept nowhere else; past its limit it is cut at once if it is not said otherwise."""
    timeline = Timeline(NoArchive())
    return Outbox(CLIENT, ours.fileno(), Lag(timeline), conversation, limit=LIMIT, stalled=stalled)


def fill(outbox):
    """Puts lines until the limit has been passed; returns how many were taken."""
    count = 0
    while outbox.queued_bytes <= LIMIT:
        outbox.put(LINE)
        count += 1
    return count


async def test_lines_are_sent_in_order(connect, nursery):
    """A reader that keeps up gets every line, in order, and the outbox stays empty."""
    ours, far = connect()
    outbox = an_outbox(ours, trio.CancelScope())
    nursery.start_soon(outbox.run)
    for number in range(3):
        outbox.put(b"%d\n" % number)
    assert [await far.line() for _ in range(3)] == [b"0", b"1", b"2"]
    assert outbox.statistics() == OutboxStatistics(0, 0, False)
    await outbox.wait_sent()
    nursery.cancel_scope.cancel()


async def test_client_that_never_reads_is_cut_with_a_reason(connect, nursery):
    """Past the limit nothing more is queued: whole lines, then one error -32052, then the end.

    Regression T10: lspmux and Codex on stdio wait for the client that does not read, and everybody with them.
    """
    ours, far = connect()
    conversation = trio.CancelScope()
    outbox = an_outbox(ours, conversation)
    nursery.start_soon(outbox.run)
    taken = fill(outbox)
    assert not conversation.cancel_called
    for _ in range(1000):
        outbox.put(LINE)
    assert conversation.cancel_called
    assert outbox.queued_bytes < LIMIT
    assert outbox.statistics().is_cut
    nursery.start_soon(_close_when_sent, outbox, ours)
    *lines, last = (await far.rest()).splitlines(keepends=True)
    assert set(lines) == {LINE}
    assert 0 < len(lines) < taken
    error = json.loads(last)
    assert (error["id"], error["error"]["code"]) == (None, -32052)
    assert str(LIMIT) in error["error"]["message"]


async def _close_when_sent(outbox, ours):
    await outbox.wait_rest_sent()
    ours.close()


async def test_client_that_is_cut_in_a_long_line_gets_its_end_and_one_reason(connect, nursery):
    """However much of the line is left, however often something is put meanwhile: the line, the reason, the end."""
    ours, far = connect()
    outbox = an_outbox(ours, trio.CancelScope())
    nursery.start_soon(outbox.run)
    large = b"x" * (20 * LIMIT) + b"\n"
    outbox.put(large)
    for _ in range(3):
        outbox.put(LINE)
    nursery.start_soon(_close_when_sent, outbox, ours)
    first, last = (await far.rest()).splitlines(keepends=True)
    assert first == large
    assert json.loads(last)["error"]["code"] == -32052


async def test_message_larger_than_the_limit_passes_when_little_waits(connect, nursery):
    """The limit is for who does not read, not for large answers."""
    ours, far = connect()
    outbox = an_outbox(ours, trio.CancelScope())
    nursery.start_soon(outbox.run)
    large = b"x" * (20 * LIMIT)
    outbox.put(large + b"\n")
    assert await far.line() == large
    assert not outbox.statistics().is_cut
    nursery.cancel_scope.cancel()


async def test_client_that_reads_slowly_is_not_cut(connect, autojump_clock, nursery):
    """The size of its answers is no reason: one that took 5 MiB a second was cut off, and so was one at full speed."""
    ours, far = connect()
    outbox = an_outbox(ours, trio.CancelScope(), stalled=60.0)
    nursery.start_soon(outbox.run)
    large = b"x" * (20 * LIMIT) + b"\n"
    for _ in range(3):
        outbox.put(large)
    got = 0
    while got < 3 * len(large):
        await trio.sleep(59)
        outbox.put(LINE)
        some = await far.some(100_000)
        assert some
        got += len(some)
    assert not outbox.statistics().is_cut
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("is_put_to", [False, True])
async def test_client_that_takes_nothing_for_a_while_is_cut(connect, autojump_clock, nursery, is_put_to):
    """After `stalled` seconds without progress, whether something is queued for it meanwhile or not."""
    ours, far = connect()
    conversation = trio.CancelScope()
    outbox = an_outbox(ours, conversation, stalled=60.0)
    nursery.start_soon(outbox.run)
    for _ in range(3):
        outbox.put(b"x" * (20 * LIMIT) + b"\n")
    await trio.sleep(59)
    await far.some(100_000)
    for _ in range(59):
        await trio.sleep(1)
        if is_put_to:
            outbox.put(LINE)
    assert not conversation.cancel_called
    await trio.sleep(3)
    assert conversation.cancel_called
    assert (
        "took nothing for 60 s"
        in json.loads((await _rest_when_closed(outbox, ours, far, nursery))[-1])["error"]["message"]
    )


async def _rest_when_closed(outbox, ours, far, nursery):
    nursery.start_soon(_close_when_sent, outbox, ours)
    return (await far.rest()).splitlines()


async def test_client_that_takes_nothing_and_has_little_waiting_is_left_alone(
    connect, autojump_clock, nursery
):
    """It costs nothing, and may be halted in a debugger or be a laptop that sleeps."""
    ours, far = connect()
    outbox = an_outbox(ours, trio.CancelScope(), stalled=60.0)
    nursery.start_soon(outbox.run)
    large = b"x" * (LIMIT * 20) + b"\n"
    outbox.put(large)
    await trio.sleep(30)
    assert outbox.queued_bytes > 0
    while outbox.queued_bytes > LIMIT // 2:
        await far.some(100_000)
        await wait_all_tasks_blocked()
    await trio.sleep(10_000)
    outbox.put(LINE)
    assert not outbox.statistics().is_cut
    nursery.cancel_scope.cancel()


async def test_next_requests_wait_while_large_answers_do(connect, nursery):
    """It is said once when much waits, and once when half of it has been taken."""
    ours, far = connect()
    said: list[bool] = []
    timeline = Timeline(NoArchive())
    outbox = Outbox(CLIENT, ours.fileno(), Lag(timeline), trio.CancelScope(), on_load=said.append)
    nursery.start_soon(outbox.run)
    for _ in range(3):
        outbox.put(b"x" * LOADED_BYTES + b"\n")
    assert said == [True]
    while not outbox.unnumbered_bytes <= LOADED_BYTES // 2:
        assert said == [True]
        await far.some(1 << 20)
        await wait_all_tasks_blocked()
    assert said == [True, False]
    nursery.cancel_scope.cancel()


async def test_numbered_events_are_no_load(connect, nursery):
    """They can be read back, so they hold no request up and count in no limit for all."""
    ours, _far = connect()
    made = Writer(ours)
    budget = OutboxBudget()
    made.outbox = Outbox(CLIENT, ours.fileno(), made.lag, made.conversation, budget=budget)
    made.view(VIEW)
    nursery.start_soon(made.outbox.run)
    for _ in range(60):
        made.event(size=50_000)
    assert made.outbox.queued_bytes > 2_000_000
    assert made.outbox.unnumbered_bytes == budget.held_bytes == 0
    made.line(b"answer")
    assert made.outbox.unnumbered_bytes == budget.held_bytes == len(b"answer\n")
    nursery.cancel_scope.cancel()


async def test_clients_that_never_read_share_a_limit(connect, autojump_clock, nursery):
    """Ten of them took ten times the limit of one: the one that holds most for longest goes first, then the next."""
    budget = OutboxBudget(limit=10 * LIMIT)
    outboxes = []
    for _ in range(10):
        ours, _far = connect()
        timeline = Timeline(NoArchive())
        outbox = Outbox(CLIENT, ours.fileno(), Lag(timeline), trio.CancelScope(), budget=budget)
        nursery.start_soon(outbox.run)
        outboxes.append(outbox)
    for round_ in range(40):
        for outbox in outboxes:
            outbox.put(b"x" * LIMIT + b"\n")
            assert sum(each.queued_bytes for each in outboxes) <= 11 * LIMIT + 500_000
        await trio.sleep(0.1)
        if round_ == 0:
            assert not any(each.statistics().is_cut for each in outboxes)
    assert all(each.statistics().is_cut for each in outboxes[1:])
    nursery.cancel_scope.cancel()


async def test_cut_client_that_still_does_not_read_is_given_up_after_its_time(
    connect, autojump_clock, nursery
):
    """It has 30 seconds to read why, and no more."""
    ours, _far = connect()
    outbox = an_outbox(ours, trio.CancelScope())
    nursery.start_soon(outbox.run)
    fill(outbox)
    outbox.put(LINE)
    before = trio.current_time()
    await outbox.wait_rest_sent()
    assert trio.current_time() - before == END_GRACE_SECONDS == 30
    nursery.cancel_scope.cancel()


async def test_client_that_was_not_cut_has_no_rest(connect, autojump_clock):
    """What waits for a client that left of its own accord is not waited for."""
    ours, _far = connect()
    outbox = an_outbox(ours, trio.CancelScope())
    fill(outbox)
    await outbox.wait_rest_sent()
    assert trio.current_time() == 0


async def test_client_that_is_gone_ends_the_conversation(connect):
    """Who can't be sent anything is not listened to either."""
    ours, far = connect()
    conversation = trio.CancelScope()
    outbox = an_outbox(ours, conversation)
    await far.close()
    outbox.put(LINE)
    assert conversation.cancel_called
    assert outbox.statistics() == OutboxStatistics(0, 0, False)


async def test_client_that_goes_while_lines_wait_ends_the_conversation(connect, nursery):
    """The same when it leaves with lines queued: the writer notices."""
    ours, far = connect()
    conversation = trio.CancelScope()
    outbox = an_outbox(ours, conversation)
    fill(outbox)
    nursery.start_soon(outbox.run)
    await wait_all_tasks_blocked()
    await far.close()
    await wait_all_tasks_blocked()
    assert conversation.cancel_called
    assert outbox.queued_bytes == 0


async def test_what_is_said_last_is_last(connect, autojump_clock, nursery):
    """It stands behind what was queued; later chunks are dropped, a cut too; and there is time to read it."""
    ours, far = connect()
    outbox = an_outbox(ours, trio.CancelScope())
    nursery.start_soon(outbox.run)
    taken = fill(outbox)
    outbox.finish(b"last\n")
    outbox.finish(b"later\n")
    outbox.put(LINE)
    assert not outbox.statistics().is_cut
    nursery.start_soon(_close_when_sent, outbox, ours)
    assert await far.rest() == LINE * taken + b"last\n"


async def test_who_speaks_frames_is_cut_between_two_of_them(connect, nursery):
    """The frame that has begun is completed, and a close with 1013 stands where a line would have."""
    ours, far = connect()
    outbox = an_outbox(ours, trio.CancelScope())
    outbox.framing = FRAMES
    nursery.start_soon(outbox.run)
    large = FRAMES.chunk([b"x" * (20 * LIMIT)])
    outbox.put(large + FRAMES.chunk([b"never sent"]))
    for _ in range(2):
        outbox.put(FRAMES.chunk([b"nor this"]))
    nursery.start_soon(_close_when_sent, outbox, ours)
    sent = await far.rest()
    assert sent.startswith(large)
    close = sent.removeprefix(large)
    assert (close[0], len(close) - 2, close[2:4]) == (0x88, close[1], (1013).to_bytes(2, "big"))
    assert str(LIMIT) in close[4:].decode()


VIEW = View(threads=frozenset({"T"}), hears_all=True)
SPILL = 2_000
"""So small that a client is behind at once."""


class Writer:
    """The broker's side of one outbox: it writes down what the client must get."""

    def __init__(self, ours, archive=None):
        self.archive = archive or ListArchive()
        self.timeline = Timeline(self.archive, ring_bytes=3_000)
        self.lag = Lag(self.timeline)
        self.conversation = trio.CancelScope()
        self.outbox = Outbox(
            CLIENT, ours.fileno(), self.lag, self.conversation, spill=SPILL, limit=LIMIT, stalled=0.0
        )
        self.view(VIEW)
        self.sent = []
        self.all = []
        self.seq = 0

    def view(self, view):
        """The client's view is another one."""
        self.current_view = view
        self.outbox.change_view(view)

    def line(self, text):
        """Something without a number."""
        self.outbox.put(text + b"\n")
        self.sent.append(text)

    def event(self, thread="T", size=100):
        """An event, which the client gets if its view says so."""
        self.seq += 1
        text = b'{"method":"m","params":{"n":%d,"x":"%b"}}' % (self.seq, b"x" * size)
        event = Event(self.seq, 1.0, thread, "m", text)
        self.timeline.append(event)
        self.all.append(event)
        line = self.current_view.line(event)
        if line is not None:
            if self.lag.keeping_up((CLIENT,)):
                self.outbox.put_events(line + b"\n", self.seq)
            self.sent.append(line)
        self.lag.reach(self.seq)

    def history(self, after):
        """The client follows everything after this number."""
        self.outbox.replay(Replay(1, after + 1, self.seq, History(None)))
        self.sent += [event.dated() for event in self.all if event.seq > after]


@pytest.fixture
def writer(connect, nursery):
    """A writer whose client takes little at once, and the client."""
    ours, far = connect()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    made = Writer(ours)
    nursery.start_soon(made.outbox.run)
    yield made, far
    nursery.cancel_scope.cancel()


async def received(far, count):
    """So many lines."""
    return [await far.line() for _ in range(count)]


async def test_client_that_is_behind_loses_nothing_and_weighs_little(writer):
    """What it has not taken is read back when it does: every event, in order, once."""
    made, far = writer
    for _ in range(5_000):
        made.event()
        made.archive.commit(made.timeline)
    assert made.outbox.queued_bytes < 2 * SPILL + 5_000
    assert not made.conversation.cancel_called
    assert await received(far, len(made.sent)) == made.sent
    await made.outbox.wait_sent()
    made.event()
    assert await far.line() == made.sent[-1]
    assert not made.outbox.is_behind


async def test_who_lags_and_goes_leaves_nothing_behind(connect):
    """Its number will never be another client's, so nobody else would remove it."""
    ours, _ = connect()
    made = Writer(ours)
    while made.lag.keeping_up((CLIENT,)):
        made.event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.outbox.run)
        await wait_all_tasks_blocked()
        assert not made.lag.keeping_up((CLIENT,))
        nursery.cancel_scope.cancel()
    assert made.lag.keeping_up((CLIENT,))


async def test_many_short_events_spill_before_they_weigh_much(connect, nursery):
    """Each has a place in the queue, which weighs more than a short message does."""
    ours, far = connect()
    made = Writer(ours)
    made.outbox = Outbox(CLIENT, ours.fileno(), made.lag, made.conversation)
    made.view(VIEW)
    nursery.start_soon(made.outbox.run)
    while not made.outbox.is_behind:
        made.event(size=1)
    for _ in range(5_000):
        made.event(size=1)
        made.archive.commit(made.timeline)
    assert made.outbox.statistics().queued_chunks <= SPILL_CHUNKS + 2
    assert await received(far, len(made.sent)) == made.sent
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize(("size", "most"), [(1, 512 * 50), (1000, 64 * 1024)])
async def test_what_is_read_back_at_once_is_bounded(writer, size, most):
    """In events and in bytes: it is all that a client which is behind costs."""
    made, far = writer
    for _ in range(5_000):
        made.event(size=size)
        made.archive.commit(made.timeline)
    queued = []
    for line in made.sent:
        assert await far.line() == line
        queued.append(made.outbox.queued_bytes)
    assert most / 2 < max(queued) <= most


async def test_stretch_ends_where_something_without_number_stands(writer):
    """An answer keeps its place among the events."""
    made, far = writer
    for number in range(200):
        made.event()
        if number % 50 == 0:
            made.line(b"answer %d" % number)
    assert await received(far, len(made.sent)) == made.sent


async def test_stretch_ends_where_the_view_changes(writer):
    """What was not for the client when it came is not for it later, and the other way round."""
    made, far = writer
    for _ in range(60):
        made.event()
        made.event("U")
    made.view(View(threads=frozenset({"T", "U"}), with_numbers=True))
    for _ in range(60):
        made.event()
        made.event("U")
    made.view(View())
    for _ in range(60):
        made.event()
    made.view(View(follows_all=True, unwanted=frozenset({"other"})))
    made.event("V")
    assert await received(far, len(made.sent)) == made.sent


async def test_events_before_the_first_limit_go_as_they_are(writer):
    """Nothing is read back for a client that keeps up."""
    made, far = writer
    made.archive.takes = False
    for _ in range(20):
        made.event()
        assert await far.line() == made.sent[-1]
    assert made.archive.reads == []


async def test_history_comes_in_front_of_what_comes_now(writer):
    """The seam between them has no gap and no double."""
    made, far = writer
    for _ in range(100):
        made.event()
    assert await received(far, 100) == made.sent
    made.sent.clear()
    made.history(10)
    for _ in range(100):
        made.event()
    made.line(b"answer")
    assert await received(far, len(made.sent)) == made.sent


async def test_errand_is_done_when_the_client_has_taken_what_is_before_it(writer):
    """Who asks for much waits for itself."""
    made, far = writer
    for _ in range(100):
        made.event()
    done = []

    async def errand():
        done.append(made.outbox.queued_bytes)
        return lambda: made.line(b"done")

    made.outbox.do_later(errand)
    await wait_all_tasks_blocked()
    assert done == []
    assert await received(far, 101) == [*made.sent[:100], b"done"]
    assert done == [0]


async def test_next_errand_waits_until_the_client_has_taken_the_outcome_of_the_last(writer):
    """Whoever asks for much at once is not cut off for all of the answers together."""
    made, far = writer
    outcome = b"x" * LIMIT

    async def errand():
        assert made.outbox._queue.queued_bytes == 0
        return lambda: made.line(outcome)

    for _ in range(5):
        made.outbox.do_later(errand)
    assert await received(far, 5) == [outcome] * 5
    assert not made.outbox.statistics().is_cut


async def test_without_a_timeline_a_slow_client_is_cut(connect, nursery):
    """Nothing can be read back, so its bytes are kept, up to the second limit."""
    ours, far = connect()
    made = Writer(ours, NoArchive())
    nursery.start_soon(made.outbox.run)
    while not made.outbox.statistics().is_cut:
        made.event()
    assert made.conversation.cancel_called
    nursery.start_soon(_close_when_sent, made.outbox, ours)
    *lines, last = (await far.rest()).splitlines()
    assert lines == made.sent[: len(lines)]
    assert json.loads(last)["error"]["code"] == -32052


async def fall_behind(made):
    """Events that the client does not take, and the archive has."""
    for _ in range(1_000):
        made.event()
        made.archive.commit(made.timeline)
    await wait_all_tasks_blocked()


@pytest.mark.parametrize("what", ["trimmed", "unreadable", "history trimmed"])
async def test_client_whose_stretch_is_gone_is_cut(connect, nursery, what):
    """It is told so; never is something left out in silence."""
    ours, far = connect()
    made = Writer(ours)
    nursery.start_soon(made.outbox.run)
    if what == "history trimmed":
        made.view(View())
    await fall_behind(made)
    if what == "history trimmed":
        made.line(b"x" * SPILL * 200)
        made.history(1)
    if what == "unreadable":
        made.archive.failure = "the disk is gone"
    else:
        made.timeline.trim(900, force=True)
    lines = [await far.line()]
    while b"-32052" not in lines[-1]:
        lines.append(await far.line())
    assert lines[:-1] == made.sent[: len(lines) - 1]
    why = "the past that this client follows can't be read" if "history" in what else "did not read in time"
    assert why in json.loads(lines[-1])["error"]["message"]
    assert made.outbox.oldest_needed is None
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("ends", ["finished", "cut"])
async def test_what_was_said_last_is_kept_though_a_stretch_before_it_is_gone(connect, nursery, ends):
    """It ends while the stretch is being read, which fails then."""
    ours, far = connect()
    made = Writer(ours)
    made.outbox._limit = 10**7
    nursery.start_soon(made.outbox.run)
    await fall_behind(made)
    made.archive.failure = "the disk is gone"

    def end():
        if ends == "finished":
            made.outbox.finish(b"good bye\n")
        else:
            made.outbox._limit = 0
            made.outbox.put(b"x" * 10)
            made.outbox.put(b"y")

    made.archive.on_read = end
    lines = [await far.line()]
    while lines[-1] in made.sent:
        lines.append(await far.line())
    assert lines[:-1] == made.sent[: len(lines) - 1]
    assert (b"good bye" if ends == "finished" else b"-32052") in lines[-1]
    await made.outbox.wait_sent()
    nursery.cancel_scope.cancel()


async def test_gap_that_was_told_is_no_reason_to_be_cut(writer):
    """The follower knows that it is missing."""
    made, far = writer
    made.view(View())
    await fall_behind(made)
    made.timeline.trim(900, force=True)
    made.archive.kept = made.archive.kept[899:]
    gap = made.timeline.gap(1, made.seq)
    assert gap == Gap(2, 899)
    made.outbox.replay(Replay(1, 2, made.seq, History(None), gap))
    assert await received(far, 101) == [event.dated() for event in made.all[899:]]


async def test_who_asks_for_the_past_again_and_again_and_takes_nothing_is_cut(connect):
    """Each question takes memory, although it weighs nothing."""
    ours, _far = connect()
    made = Writer(ours)
    for _ in range(3):
        made.event()
    for _ in range(MAX_WAITING):
        made.outbox.replay(Replay(1, 1, 3, History(None)))
    assert not made.outbox.statistics().is_cut
    made.outbox.replay(Replay(1, 1, 3, History(None)))
    assert made.outbox.statistics().is_cut
    assert made.conversation.cancel_called


class SlowArchive(ListArchive):
    """Answers when the gate is opened."""

    def __init__(self):
        super().__init__()
        self.gate = trio.Event()

    async def read(self, *wanted, **limits):
        """See `Archive.read`."""
        await self.gate.wait()
        return await super().read(*wanted, **limits)


async def test_who_is_cut_while_its_stretch_is_read_gets_nothing_of_it(connect, nursery):
    """The last word is the last."""
    ours, far = connect()
    archive = SlowArchive()
    made = Writer(ours, archive)
    nursery.start_soon(made.outbox.run)
    await fall_behind(made)
    while not made.outbox._backlog.first or made.outbox._queue.queued_bytes:
        await far.line()
        await wait_all_tasks_blocked()
    while not made.outbox.statistics().is_cut:
        made.outbox.put(LINE)
    archive.gate.set()
    await wait_all_tasks_blocked()
    nursery.start_soon(_close_when_sent, made.outbox, ours)
    rest = (await far.rest()).splitlines()
    assert b"-32052" in rest[-1]
    assert made.timeline.statistics().last_seq == 1_000
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("seed", range(40))
async def test_whatever_happens_the_client_gets_all_of_it_in_order_once(writer, seed, nursery):
    """Events of two threads, answers, views, history, a client that reads now and then, an archive that is behind."""
    made, far = writer
    rng = Random(seed)
    views = [VIEW, View(threads=frozenset({"T", "U"})), View(follows_all=True), View(), View(hears_all=True)]
    got: list[bytes] = []
    for number in range(rng.randrange(400)):
        match rng.randrange(12):
            case 0:
                made.view(rng.choice(views))
            case 1:
                made.line(b"answer %d" % number)
            case 2:
                made.archive.commit(made.timeline, rng.randrange(1, 60))
            case 3 if made.seq:
                made.history(rng.randrange(made.seq))
            case 4 | 5 if len(made.sent) > len(got):
                got += await received(far, rng.randrange(1, len(made.sent) - len(got) + 1))
            case _:
                made.event(rng.choice("TTU"), rng.choice((1, 100, 1_000)))
        if rng.random() < 0.2:
            await trio.lowlevel.checkpoint()
    got += await received(far, len(made.sent) - len(got))
    assert got == made.sent
    await made.outbox.wait_sent()
    assert not made.outbox.is_behind


async def test_who_waits_for_the_disk_is_not_stalled(connect, autojump_clock):
    """It has taken all that it was given; a slow disk is no fault of the client's."""
    ours, _far = connect()
    made = Writer(ours)
    made.event()
    made.history(0)
    await trio.sleep(100)
    made.line(b"x" * (2 * LIMIT))
    made.line(b"answer")
    assert made.outbox.is_behind
    assert not made.outbox.is_stalled()
    assert not made.outbox.statistics().is_cut


@pytest.mark.parametrize("begin", [11.181301761913168, 6.181301761913168, 0.1, 0.7])
async def test_the_end_of_the_time_is_the_same_for_who_waits_and_who_counts(
    connect, autojump_clock, nursery, begin
):
    """A difference in the last digit had codexd wake up again and again at one instant, for ever."""
    ours, _far = connect()
    conversation = trio.CancelScope()
    await trio.sleep_until(begin)
    outbox = an_outbox(ours, conversation, stalled=5.0)
    nursery.start_soon(outbox.run)
    for _ in range(2):
        outbox.put(b"x" * (20 * LIMIT) + b"\n")
    with trio.fail_after(PATIENCE_SECONDS):
        await trio.sleep_until(begin + 7)
    assert conversation.cancel_called
    nursery.cancel_scope.cancel()


async def test_a_mistake_in_presenting_what_was_missed_ends_that_client_alone(writer, monkeypatch, caplog):
    """It is told why, and what it has been sent by then is whole; the outbox itself raises nothing."""
    made, far = writer
    await fall_behind(made)

    def fail(self, event):
        raise ZeroDivisionError("a mistake")

    monkeypatch.setattr(View, "line", fail)
    lines = [await far.line()]
    while lines[-1] in made.sent:
        lines.append(await far.line())
    assert lines[:-1] == made.sent[: len(lines) - 1]
    assert json.loads(lines[-1])["error"]["code"] == -32603
    assert made.conversation.cancel_called
    assert "ZeroDivisionError: a mistake" in caplog.text
