"""The whole daemon in simulated worlds: the same thousand in every run. `make soak` tries ten times as many."""

import pytest

from tests.simulation.world import simulate

SEEDS = 1000
AT_ONCE = 100


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_worlds_go_well(first):
    """Each message arrives once, unchanged and in order; each request is answered once; codexd ends in time.

    Whatever clients, Codex and the machine do. A seed that fails is run alone with `python -m tests.simulation --seed N`.
    """
    for seed in range(first, first + AT_ONCE):
        simulate(seed)
