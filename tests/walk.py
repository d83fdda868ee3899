"""A long random walk through the core: `python -m tests.walk [STEPS] [--seed N]`.

A failure prints the seed, the step and the last 50 inputs with their effects; the same seed and the same number of
steps take the same way again.
"""

import argparse
import sys
import time
from collections import Counter
from random import Random

from tests.routing.sim_timeline import SimulatedTimeline
from tests.routing.sim_words import Said, Wrong
from tests.routing.simulation import World

LIFE = 3_000
"""About so many steps until codexd is stopped and another one is started; some live ten times as long."""
EPOCH = 1_800_000_000.0


class Walk:
    """Many lives of codexd, one after the other. Ids under which clients were asked, and numbers of events, never repeat."""

    def __init__(self, seed: int) -> None:
        self._rng = Random(seed)
        self._used_ids: set[int] = set()
        self._timeline = SimulatedTimeline()
        self._now = EPOCH
        self.steps = 0
        self.counts: Counter[str] = Counter()
        self.world: World | None = None

    def go(self, steps: int) -> None:
        """Takes so many steps, or a few more."""
        while self.steps < steps:
            before = self.steps
            self.world = world = World(self._rng.getrandbits(32), self._used_ids, self._now, self._timeline)
            try:
                life = LIFE if self._rng.random() < 0.95 else 10 * LIFE
                world.run(min(self._rng.randrange(life // 2, life * 2), steps - before))
                if self._rng.random() < 0.5:
                    world.settle()
                if self._rng.random() < 0.5:
                    world.stop()
                else:
                    world.be_killed()
            finally:
                self.steps = before + world.steps
            self.counts += world.oracle.books.counts
            self.counts["lines read back"] += world.outboxes.read_back
            self._now = world.now + self._rng.random()

    def trace(self) -> str:
        """The last inputs and what came out."""
        assert self.world is not None, "it has gone"
        lines = []
        for what, about, effects in self.world.trace:
            shown = f"{about.line!r} ({about.kind.name})" if isinstance(about, Said) else about
            lines.append(f"{what}: {shown}")
            lines += [f"    -> {effect}" for effect in effects]
        return "\n".join(lines)


def main() -> int:
    """Walks, and says how it went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("steps", nargs="?", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else time.time_ns() % 1_000_000_007
    print(f"seed {seed}", flush=True)
    walk = Walk(seed)
    began = time.perf_counter()
    try:
        walk.go(arguments.steps)
    except Exception as error:
        print(walk.trace())
        print(f"\nseed {seed}, step {walk.steps}: {type(error).__name__}: {error}", file=sys.stderr)
        if isinstance(error, Wrong):
            return 1
        raise
    seconds = time.perf_counter() - began
    print(f"{walk.steps} steps in {seconds:.1f} s, {walk.steps / seconds:.0f} steps/s")
    for what, count in sorted(walk.counts.items()):
        print(f"{count:10} {what}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
