"""Short random walks through the core; `make walk` takes a million steps."""

import pytest

from tests.walk import Walk


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_a_walk_finds_no_step_that_breaks_a_promise(seed: int) -> None:
    """Every answer reaches its asker once, nobody gets what is another's."""
    walk = Walk(seed)
    walk.go(15_000)
    assert walk.steps >= 15_000
    assert walk.counts["request"] > 50
