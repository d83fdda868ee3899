"""Bytes go out in order, at once when they can, and never make anybody wait."""

import os

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from codexd.runtime.lines import LINES
from codexd.runtime.write_queue import CHUNKS_PER_WRITE, WriteQueue

MEGABYTE = bytes(1024 * 1024)


async def test_small_chunk_is_sent_before_anything_else_runs(connect):
    """What the kernel takes needs no task: it is sent when `put` returns."""
    ours, far = connect()
    queue = WriteQueue(ours.fileno())
    queue.put(b"one\n")
    queue.put(b"two\n")
    assert (queue.queued_bytes, len(queue)) == (0, 0)
    assert await far.line() == b"one"
    assert await far.line() == b"two"


async def test_what_the_kernel_does_not_take_follows_in_order(connect, nursery):
    """A chunk that goes out in many pieces, and all that is put behind it, arrive complete and in order."""
    ours, far = connect()
    queue = WriteQueue(ours.fileno())
    nursery.start_soon(queue.run)
    await wait_all_tasks_blocked()
    expected = MEGABYTE
    queue.put(MEGABYTE)
    for number in range(3 * CHUNKS_PER_WRITE):
        chunk = b"%d," % number
        queue.put(chunk)
        expected += chunk
    assert 0 < queue.queued_bytes < len(expected)
    nursery.start_soon(_close_when_empty, queue, ours)
    assert await far.rest() == expected
    assert (queue.queued_bytes, len(queue)) == (0, 0)


async def _close_when_empty(queue, ours):
    await queue.wait_empty()
    ours.close()


async def test_queue_that_was_full_once_sends_at_once_again(connect, nursery):
    """Having been slow leaves nothing behind: the next chunk needs no task again."""
    ours, far = connect()
    queue = WriteQueue(ours.fileno())
    nursery.start_soon(queue.run)
    for _ in range(2):
        queue.put(MEGABYTE + b"\n")
        assert await far.line() == MEGABYTE
        await queue.wait_empty()
    queue.put(b"short\n")
    assert queue.queued_bytes == 0
    assert await far.line() == b"short"
    nursery.cancel_scope.cancel()


async def test_chunks_are_not_copied(connect):
    """Two hundred queues that hold one chunk hold one object."""
    ours, _far = connect()
    queue = WriteQueue(ours.fileno())
    queue.put(MEGABYTE)
    queue.put(chunk := b"shared")
    assert queue._queue[1] is chunk
    assert isinstance(begun := queue._queue[0], memoryview)
    assert begun.obj is MEGABYTE


async def test_reader_that_is_gone_breaks_the_queue(connect):
    """Nothing is kept for who is gone, `run` and `wait_empty` return, and later chunks are dropped."""
    ours, far = connect()
    queue = WriteQueue(ours.fileno())
    await far.close()
    queue.put(b"x")
    assert queue.broken
    await queue.run()
    await queue.wait_empty()
    queue.put(b"y")
    assert queue.queued_bytes == 0


async def test_reader_that_goes_while_chunks_wait_breaks_the_queue(connect):
    """The same for a reader that leaves in the middle of a chunk."""
    ours, far = connect()
    queue = WriteQueue(ours.fileno())
    queue.put(MEGABYTE)
    await far.close()
    await queue.run()
    assert (queue.broken, queue.queued_bytes, len(queue)) == (True, 0, 0)


@pytest.mark.parametrize("chunk", [MEGABYTE, b"short"])
async def test_descriptor_may_be_closed_under_a_writer(chunk):
    """`abandon`, and telling trio, is all that closing needs, whether `run` waits for room or for work."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    queue = WriteQueue(writing)
    queue.put(chunk)
    async with trio.open_nursery() as writers:
        writers.start_soon(queue.run)
        await wait_all_tasks_blocked()
        queue.abandon()
        trio.lowlevel.notify_closing(writing)
        os.close(writing)
    os.close(reading)
    assert queue.broken


async def test_keeping_only_the_begun_line(connect):
    """Of a line that has begun the rest is kept, and what follows it is dropped, in the same chunk too."""
    ours, far = connect()
    queue = WriteQueue(ours.fileno())
    line = MEGABYTE + b"\n"
    queue.put(line + b"never sent\n")
    queue.put(b"nor this\n")
    queue.keep_only_begun(LINES.end_of_begun)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(queue.run)
        nursery.start_soon(_close_when_empty, queue, ours)
        assert await far.rest() == line
        nursery.cancel_scope.cancel()


async def test_keeping_nothing_when_no_line_has_begun(connect):
    """Where the kernel has taken whole lines, or nothing of a chunk, nothing stays."""
    ours, _far = connect()
    queue = WriteQueue(ours.fileno())
    queue.put(MEGABYTE + b"\n")
    taken = len(MEGABYTE) + 1 - queue.queued_bytes
    whole_lines = b"\n" * taken + b"unsent\n" * 1000
    other, _other_far = connect()
    queue = WriteQueue(other.fileno())
    queue.put(whole_lines)
    assert queue.queued_bytes > 0
    queue.keep_only_begun(LINES.end_of_begun)
    assert (queue.queued_bytes, len(queue)) == (0, 0)
    queue.keep_only_begun(LINES.end_of_begun)
    await queue.wait_empty()


async def test_writer_that_waits_for_work_is_woken_after_there_was_nothing_to_keep(connect, nursery):
    """Nothing was queued, so nothing is dropped; what is put then, and does not fit, is sent as soon as it does."""
    ours, far = connect()
    queue = WriteQueue(ours.fileno())
    nursery.start_soon(queue.run)
    await wait_all_tasks_blocked()
    queue.keep_only_begun(LINES.end_of_begun)
    queue.put(MEGABYTE + b"\n")
    assert queue.queued_bytes > 0
    assert await far.line() == MEGABYTE
    nursery.cancel_scope.cancel()


async def test_writer_that_woke_for_nothing_sends_nothing(connect, nursery):
    """When the queue is emptied while the writer waits for room, it goes back to sleep, and later chunks pass."""
    ours, far = connect()
    queue = WriteQueue(ours.fileno())
    nursery.start_soon(queue.run)
    queue.put(b"\n" * (1024 * 1024))
    await wait_all_tasks_blocked()
    queue.keep_only_begun(LINES.end_of_begun)
    assert len(queue) == 0
    with trio.move_on_after(0):
        await far.line()
    await wait_all_tasks_blocked()
    queue.put(b"later\n")
    assert await far.line() == b"later"
    nursery.cancel_scope.cancel()
