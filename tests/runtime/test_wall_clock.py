"""The time goes on with trio's, and over the machine's sleep."""

import trio

from codexd.runtime.wall_clock import SLEPT_SECONDS, WallClock


async def test_time_goes_on_with_trios(autojump_clock: object) -> None:
    """Also where the clock is behind, set back perhaps: it never goes back."""
    told = 1000.0
    clock = WallClock(lambda: told)
    await trio.sleep(7)
    clock.start()
    assert clock.now() == 1000
    await trio.sleep(30)
    assert clock.now() == 1030
    told = 500.0
    assert clock.now() == 1030
    assert clock.in_trio(1031) == trio.current_time() + 1


async def test_sleep_of_the_machine_is_slept_over(autojump_clock: object) -> None:
    """Trio's clock has stood still meanwhile. A little difference is none: two clocks never agree."""
    told = 1000.0
    clock = WallClock(lambda: told)
    clock.start()
    told += SLEPT_SECONDS
    assert clock.now() == 1000
    told += 36_000
    assert clock.now() == told
    assert clock.in_trio(told + 1) == trio.current_time() + 1
    await trio.sleep(1)
    assert clock.now() == told + 1
