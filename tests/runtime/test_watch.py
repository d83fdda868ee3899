"""When what is Codex's own is looked at: soon after something happened, and never while nothing does."""

import math

import pytest
import trio
import trio.testing

from codexd.runtime.watch import AFTER_SECONDS, LEAST_SECONDS, Watch, may_matter


@pytest.fixture
async def looks(nursery):
    """A watch that runs, and the times at which it looked, which takes a second each."""
    times = []

    async def look():
        times.append(round(trio.current_time() - begun, 3))
        await trio.sleep(1)

    begun = trio.current_time()
    watch = Watch(look)
    nursery.start_soon(watch.run)
    await trio.testing.wait_all_tasks_blocked()
    yield watch, times
    nursery.cancel_scope.cancel()


async def test_looks_at_once_and_then_at_growing_distances_until_it_rests(looks, autojump_clock):
    """An idle codexd does not wake up: after the last one there is none for a year."""
    _, times = looks
    await trio.sleep(365 * 86400)
    at, expected = 0.0, [0.0]
    for distance in AFTER_SECONDS:
        at += 1 + distance
        expected.append(round(at, 3))
    assert times == expected


async def test_a_stir_wakes_it(looks, autojump_clock):
    """What was started a moment ago is seen as soon as it is there."""
    watch, times = looks
    await trio.sleep(1000)
    seen = len(times)
    watch.stir()
    await trio.sleep(AFTER_SECONDS[0] + 1 + AFTER_SECONDS[1] + 0.1)
    assert times[seen:] == [1000 + AFTER_SECONDS[0], round(1001 + AFTER_SECONDS[0] + AFTER_SECONDS[1], 3)]


async def test_many_stirs_make_no_more_looks_than_there_is_time_for(looks, autojump_clock):
    """A storm of messages costs a look now and then."""
    watch, times = looks
    await trio.sleep(1000)
    seen = len(times)
    for _ in range(10_000):
        watch.stir()
        await trio.sleep(0.001)
    assert len(times) - seen <= 10 / (1 + LEAST_SECONDS) + 1
    gaps = [later - earlier for earlier, later in zip(times[seen:], times[seen + 1 :], strict=False)]
    assert all(gap >= 1 + LEAST_SECONDS - 0.01 for gap in gaps)
    assert math.isclose(max(gaps), 1 + LEAST_SECONDS, abs_tol=0.01), (
        "none was put off by those that came later"
    )


@pytest.mark.parametrize(
    ("line", "answered", "matters"),
    [
        (b'{"method":"item/started","params":{}}', None, True),
        (b'{"method":"item/agentMessage/delta","params":{}}', None, False),
        (b'{"method":"command/exec/outputDelta","params":{}}', None, False),
        (b'{"id":1,"result":{}}', "command/exec", True),
        (b'{"id":1,"result":{}}', "thread/list", False),
        (b'{"id":1,"result":{}}', None, True),
        (b'{"id":1,"method" : "process/spawn","params":{}}', None, True),
        (b'{"id":1,"method":"thread/loaded/list","params":{}}', None, False),
        (b'{"id":1,"method":"thread/resume","params":{}}', None, True),
        (b'{"id":1,"method":"turn/interrupt","params":{}}', None, True),
        (b'{"id":1,"params":{"x":"' + b"x" * 1000 + b'"},"method":"thread/list"}', None, True),
    ],
)
def test_pieces_of_text_and_mere_reading_stir_nothing(line, answered, matters):
    """They are most of what passes. What cannot be told in a glance counts as a stir."""
    assert may_matter(line, answered) is matters
