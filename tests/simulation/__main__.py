"""Simulated worlds, many of them: `python -m tests.simulation [--seeds FIRST END] [--seed N]`.

Each seed is a world of its own. One that fails is printed with what happened last in it, and fails again by itself.
"""

import argparse
import sys
import time

from tests.simulation.world import simulate


def main() -> None:
    """Runs them, and says how it went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="this one alone")
    parser.add_argument("--seeds", type=int, nargs=2, default=(0, 10_000), metavar=("FIRST", "END"))
    arguments = parser.parse_args()
    seeds = range(*arguments.seeds) if arguments.seed is None else (arguments.seed,)
    began = time.perf_counter()
    for seed in seeds:
        try:
            simulate(seed)
        except BaseException:
            print(f"seed {seed} fails: python -m tests.simulation --seed {seed}", file=sys.stderr)
            raise
    seconds = time.perf_counter() - began
    print(f"{len(seeds)} seeds in {seconds:.1f} s, {len(seeds) / seconds:.0f} seeds/s")


if __name__ == "__main__":
    main()
