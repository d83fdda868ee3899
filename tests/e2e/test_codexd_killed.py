"""codexd is killed, and what it had committed is there: `kill -9` in a storm of events, with the real Codex."""

import pytest

from tests.e2e.harness import World
from tests.soak.kills import killed_in_storms

pytestmark = pytest.mark.e2e

KILLS = 10
"""A hundred in `make soak`."""


def test_killed_in_a_storm_of_events(world: World) -> None:
    """Ten times: numbers go on, what was committed is there once, what was sent and lost is in a gap that is told.

    And each time Codex ends with its stdin, the next `codexctl` starts the next codexd, that ends what Codex left
    behind, and followers go on from their cursor.
    """
    result = killed_in_storms(world, KILLS, seed=4711)
    assert (result.problems, result.kills) == ([], KILLS)
    assert result.events > KILLS * 100
