"""What waits behind a stretch of the timeline keeps its order, and its bytes are counted."""

from collections.abc import Callable

import trio
from trio.testing import wait_all_tasks_blocked

from codexd.routing.events import History, View
from codexd.runtime.backlog import Backlog, Stretch


def nothing() -> None:
    """No outcome."""


async def errand() -> Callable[[], None]:
    """Something to be done."""
    return nothing


async def test_what_waits_comes_out_in_order_and_is_counted():
    """Only bytes weigh; the oldest number needed is that of the first stretch, as far as it has been read."""
    backlog = Backlog()
    first, second = Stretch(5, 9, View()), Stretch(20, 30, View())
    for waiting in (b"abc", first, errand, b"de", second):
        backlog.add(waiting)
    assert (len(backlog), backlog.bytes, backlog.first) == (5, 5, b"abc")
    await backlog.wait_filled()
    first.next = 7
    assert backlog.oldest_needed == 7
    assert [backlog.pop() for _ in range(3)] == [b"abc", first, errand]
    assert (backlog.bytes, backlog.oldest_needed) == (2, 20)
    backlog.clear()
    assert (len(backlog), backlog.bytes, backlog.first) == (0, 0, None)
    assert backlog.oldest_needed is None
    await backlog.wait_empty()


async def test_an_empty_one_is_waited_for_until_there_is_something(autojump_clock, nursery):
    """And a filled one until there is nothing."""
    backlog = Backlog()
    nursery.start_soon(backlog.wait_filled)
    await backlog.wait_empty()
    backlog.add(b"x")
    nursery.start_soon(backlog.wait_empty)
    backlog.pop()


async def test_what_is_asked_for_is_counted_apart_and_the_oldest_need_may_stand_last() -> None:
    """What comes unasked is bounded by its bytes. Who lags and then asks for the past needs more than it did before."""
    backlog = Backlog()
    for waiting in (Stretch(50, None, View()), b"a", errand, Stretch(7, 9, History(None)), b"b"):
        backlog.add(waiting)
    assert (backlog.asked, backlog.oldest_needed) == (2, 7)
    for _ in range(3):
        backlog.pop()
    assert backlog.asked == 1
    backlog.clear()
    assert (backlog.asked, backlog.oldest_needed) == (0, None)


async def test_who_waits_for_its_end_is_told_though_more_has_come(nursery: trio.Nursery) -> None:
    """What comes while it waits has to go, too."""
    backlog = Backlog()
    backlog.add(b"a")
    ended: list[bool] = []

    async def wait() -> None:
        await backlog.wait_empty()
        ended.append(True)

    nursery.start_soon(wait)
    await wait_all_tasks_blocked()
    backlog.add(b"b")
    backlog.pop()
    await wait_all_tasks_blocked()
    assert not ended
    backlog.pop()
    await wait_all_tasks_blocked()
    assert ended
