"""What makes a run of trio the same every time, and what makes it unlike any that a quiet machine would show."""

import logging
import signal
from collections.abc import Awaitable, Callable, Container, Iterator
from contextlib import contextmanager
from random import Random
from types import ModuleType
from typing import Any

import trio
import trio._core._run as scheduler
import trio.lowlevel

from codexd.protocol import long_lines
from codexd.runtime import outbox, session
from tests.simulation.books import Wrong

PAGE_BYTES = 4000
"""The largest page that is read back at once for a client, one large event apart."""
SLICE_BYTES = 16
"""A line of more than 16 of these is a long one."""
_WAITS = ("wait_readable", "wait_writable", "checkpoint")


@contextmanager
def same_every_time(seed: int) -> Iterator[None]:
    """Within it trio schedules its tasks in an order that the seed decides."""
    switch = "_ALLOW_DETERMINISTIC_SCHEDULING"
    before = getattr(scheduler, switch)
    setattr(scheduler, switch, True)
    scheduler._r.seed(seed)
    try:
        yield
    finally:
        setattr(scheduler, switch, before)


@contextmanager
def late(rng: Random, chance: float) -> Iterator[None]:
    """Within it a task of codexd that waited for a descriptor may have its turn late, when others have had theirs."""
    before = {name: getattr(trio.lowlevel, name) for name in _WAITS}
    for name, wait in before.items():
        setattr(trio.lowlevel, name, _late(wait, rng, chance))
    try:
        yield
    finally:
        for name, wait in before.items():
            setattr(trio.lowlevel, name, wait)


def _late(wait: Callable[..., Awaitable[Any]], rng: Random, chance: float) -> Callable[..., Awaitable[Any]]:
    async def wait_and_be_late(*what: Any) -> None:
        await wait(*what)
        if rng.random() < chance:
            await trio.sleep(rng.choice((0.0, 0.001, 0.01)))

    return wait_and_be_late


@contextmanager
def small_measures(rng: Random) -> Iterator[None]:
    """Within it what is done by the hundred and by the megabyte else is done in small: what is rare is common."""
    wanted: tuple[tuple[ModuleType, str, tuple[int, ...]], ...] = (
        (session, "LINES_PER_TURN", (2, 5, 256)),
        (outbox, "PAGE_BYTES", (1, 1000, PAGE_BYTES)),
        (outbox, "PAGE_EVENTS", (1, 3, 512)),
        (outbox, "SPILL_CHUNKS", (2, 1024)),
    )
    slice_bytes, long_lines.SLICE_BYTES = long_lines.SLICE_BYTES, SLICE_BYTES
    before = [(module, name, getattr(module, name)) for module, name, _ in wanted]
    for module, name, values in wanted:
        setattr(module, name, rng.choice(values))
    try:
        yield
    finally:
        long_lines.SLICE_BYTES = slice_bytes
        for module, name, value in before:
            setattr(module, name, value)


@contextmanager
def no_longer_than(seconds: int) -> Iterator[None]:
    """Ends what never comes to an end: the one thing here that is measured in real time."""

    def give_up(*_: object) -> None:
        raise Wrong(f"it goes on and on, for {seconds} s of real time")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


class _Judge(logging.Handler):
    def __init__(self, expected: Container[str]) -> None:
        super().__init__()
        self._expected = expected

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR and record.name not in self._expected:
            raise Wrong(f"codexd logs an error: {record.getMessage()}")


@contextmanager
def log_is_judged(*, something_is_short: bool) -> Iterator[None]:
    """Within it an error in the log is one; but for those that say that something runs out, where it does."""
    logger = logging.getLogger("codexd")
    expected = ["codexd.runtime.accept"]
    if something_is_short:
        expected += ["codexd.runtime.machine", "codexd.runtime.isolation"]
    judge, propagates = _Judge(expected), logger.propagate
    logger.addHandler(judge)
    logger.propagate = False
    try:
        yield
    finally:
        logger.propagate = propagates
        logger.removeHandler(judge)
