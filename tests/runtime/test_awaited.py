"""Who waits for a condition goes on when it has come true."""

import trio
import trio.testing

from codexd.runtime.awaited import Awaited


async def test_each_waits_for_its_own(nursery: trio.Nursery) -> None:
    """What holds already is not waited for; what has held at a look is enough."""
    awaited, true, done = Awaited(), {0}, []

    async def wait_for(number: int) -> None:
        await awaited.wait_until(lambda: number in true)
        done.append(number)

    for number in range(3):
        nursery.start_soon(wait_for, number)
    await trio.testing.wait_all_tasks_blocked()
    assert done == [0]
    true.add(2)
    awaited.look()
    true.clear()
    await trio.testing.wait_all_tasks_blocked()
    assert done == [0, 2]
    true.add(1)
    awaited.look()


async def test_who_gives_up_is_asked_no_more() -> None:
    """Its condition may be about something that is gone."""
    awaited, asked = Awaited(), []

    def ask() -> bool:
        asked.append(1)
        return False

    with trio.move_on_after(0):
        await awaited.wait_until(ask)
    assert asked == [1]
    awaited.look()
    assert asked == [1]
