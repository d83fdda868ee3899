"""A client that does not read is bounded, told so, and nobody else notices."""

import json

import trio
from trio.testing import wait_all_tasks_blocked

from codexd.runtime.archive import NoArchive
from codexd.runtime.frames import FRAMES
from codexd.runtime.outbox import END_GRACE_SECONDS, Outbox, OutboxStatistics
from codexd.runtime.timeline import Timeline

LIMIT = 100_000
LINE = b'{"method":"m","params":{"text":"' + b"x" * 1000 + b'"}}\n'


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
    outbox = Outbox(ours.fileno(), Timeline(NoArchive()), trio.CancelScope(), limit=LIMIT)
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
    outbox = Outbox(ours.fileno(), Timeline(NoArchive()), conversation, limit=LIMIT)
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
    outbox = Outbox(ours.fileno(), Timeline(NoArchive()), trio.CancelScope(), limit=LIMIT)
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
    outbox = Outbox(ours.fileno(), Timeline(NoArchive()), trio.CancelScope(), limit=LIMIT)
    nursery.start_soon(outbox.run)
    large = b"x" * (20 * LIMIT)
    outbox.put(large + b"\n")
    assert await far.line() == large
    assert not outbox.statistics().is_cut
    nursery.cancel_scope.cancel()


async def test_cut_client_that_still_does_not_read_is_given_up_after_its_time(
    connect, autojump_clock, nursery
):
    """It has 30 seconds to read why, and no more."""
    ours, _far = connect()
    outbox = Outbox(ours.fileno(), Timeline(NoArchive()), trio.CancelScope(), limit=LIMIT)
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
    outbox = Outbox(ours.fileno(), Timeline(NoArchive()), trio.CancelScope(), limit=LIMIT)
    fill(outbox)
    await outbox.wait_rest_sent()
    assert trio.current_time() == 0


async def test_client_that_is_gone_ends_the_conversation(connect):
    """Who can't be sent anything is not listened to either."""
    ours, far = connect()
    conversation = trio.CancelScope()
    outbox = Outbox(ours.fileno(), Timeline(NoArchive()), conversation, limit=LIMIT)
    await far.close()
    outbox.put(LINE)
    assert conversation.cancel_called
    assert outbox.statistics() == OutboxStatistics(0, 0, False)


async def test_client_that_goes_while_lines_wait_ends_the_conversation(connect, nursery):
    """The same when it leaves with lines queued: the writer notices."""
    ours, far = connect()
    conversation = trio.CancelScope()
    outbox = Outbox(ours.fileno(), Timeline(NoArchive()), conversation, limit=LIMIT)
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
    outbox = Outbox(ours.fileno(), Timeline(NoArchive()), trio.CancelScope(), limit=LIMIT)
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
    outbox = Outbox(ours.fileno(), Timeline(NoArchive()), trio.CancelScope(), limit=LIMIT)
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
