"""A soak with the real Codex: `python -m tests.soak [--minutes M] [--kills N] [--seed N]`.

First codexd is killed so often in a storm of events; then it has clients for some minutes, which come and go, and
whose Codex dies now and then. Everything that anybody was sent is compared with the timeline. Exit status 1: something
was lost or sent twice, somebody was cut off or never answered, or codexd's memory grows.
"""

import argparse
import signal
import sys
import time

from tests.codex_binaries import chosen, from_pypi
from tests.e2e.harness import a_world
from tests.soak.course import Course
from tests.soak.kills import killed_in_storms


def main() -> int:
    """Runs it, and says how it went."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000_007)
    arguments = parser.parse_args()
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, lambda number, _: sys.exit(128 + number))
    print(f"seed {arguments.seed}", flush=True)
    codex = chosen() or from_pypi()
    is_well = True
    if arguments.kills:
        with a_world(codex) as world:
            killed = killed_in_storms(world, arguments.kills, arguments.seed)
        print(
            f"codexd killed {killed.kills} times: {killed.events} events in the timeline, "
            f"{killed.lost} were sent and are in a told gap",
            *killed.problems,
            sep="\n",
            flush=True,
        )
        is_well = not killed.problems
    if arguments.minutes:
        with a_world(codex) as world:
            is_well &= Course(world, arguments.minutes * 60, arguments.seed).go()
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
