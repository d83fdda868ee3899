"""The whole daemon in simulated worlds: the same thousand in every run. `make soak` tries ten times as many."""

import pytest

from tests.simulation.world import simulate
from tests.unmeasured import run_unmeasured

SEEDS = 1000
AT_ONCE = 100


def test_worlds_go_well():
    """Each message arrives once, unchanged and in order; each request is answered once; codexd ends in time.

    Whatever clients, Codex and the machine do. A seed that fails is run alone with `python -m tests.simulation --seed N`.
    """
    for seed in range(AT_ONCE):
        simulate(seed)


@pytest.mark.parametrize("first", range(AT_ONCE, SEEDS, AT_ONCE))
def test_worlds_go_well_unmeasured(first):
    """The rest of them where nobody counts the lines that are run."""
    simulated = run_unmeasured("tests.simulation", "--seeds", str(first), str(first + AT_ONCE))
    assert simulated.returncode == 0, simulated.stderr
