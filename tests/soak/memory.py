"""codexd's memory over time, and whether it grows.

It does a little, in steps that become smaller: 57.2 MiB after a minute, 59.2 after ten, in which 1.25 million events came.
Seen from inside, nothing accumulates meanwhile: at the end there were as many objects as at the beginning (36,000), as
many blocks of Python's allocator (250,000), as many bytes in use on the C heap (9.5 MB) and in SQLite (2.7 MB). What
grows is the part of the C heap that is free and in pieces, between messages of all lengths that come and go.
"""

from statistics import linear_regression, median
from typing import NamedTuple

import psutil

MIB = 1024 * 1024
WARM_UP_SECONDS = 60.0
"""How long codexd's memory may grow: what it keeps of the newest events has to fill up first."""
ENOUGH_SECONDS = 120.0
"""Less than that behind the warm-up says nothing."""
MOST_GROWTH_MIB = 4.0
"""From the first third to the last, behind the warm-up: what clients that stall at the moment make of difference."""


class Sample(NamedTuple):
    seconds: float
    bytes: int


class Memory:
    """What one codexd held, sample by sample."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._process = psutil.Process(pid)
        self._samples: list[Sample] = []

    def look(self, seconds: float) -> None:
        """Takes a sample."""
        self._samples.append(Sample(seconds, self._process.memory_info().rss))

    def judged(self) -> tuple[str, bool]:
        """A sentence, and whether memory is flat, as far as can be said."""
        begin = self._samples[0].seconds + WARM_UP_SECONDS
        samples = [sample for sample in self._samples if sample.seconds >= begin]
        if not samples or samples[-1].seconds - begin < ENOUGH_SECONDS:
            most = max(sample.bytes for sample in self._samples) / MIB
            return (
                f"at most {most:.1f} MiB resident; the last codexd did not live long enough to see growth",
                True,
            )
        minutes = [[s.bytes for s in samples if (s.seconds - begin) // 60 == n] for n in range(60)]
        course = " ".join(f"{median(minute) / MIB:.1f}" for minute in minutes if minute)
        third = len(samples) // 3
        first, last = (median(s.bytes for s in part) / MIB for part in (samples[:third], samples[-third:]))
        slope = linear_regression([s.seconds / 60 for s in samples], [s.bytes / MIB for s in samples]).slope
        said = (
            f"{first:.1f} MiB resident in the first third of {samples[-1].seconds - begin:.0f} s, {last:.1f} in the last, "
            f"{max(s.bytes for s in samples) / MIB:.1f} at most; slope {slope:+.2f} MiB a minute; {len(samples)} samples; "
            f"minute by minute {course}"
        )
        return said, last - first <= MOST_GROWTH_MIB
