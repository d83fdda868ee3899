"""Numbered events, and what is said of those that are kept."""

from typing import Literal

from msgspec import Struct


class Event(Struct, frozen=True):
    """One message of a thread that has a number.

    `at`: seconds since the epoch. `line`: as it is sent to who has not asked for numbers. `ephemeral`: of a thread that
    leaves nothing on disk.
    """

    seq: int
    at: float
    thread: str
    method: str
    line: bytes
    ephemeral: bool = False


class Gap(Struct, frozen=True, rename={"from_": "from"}):
    """Numbers of which some can't be had any more, the first and the last of them."""

    from_: int
    to: int


class TimelineStatistics(Struct, frozen=True, rename="camel"):
    """How the timeline is: `bytes` and `events` are those on disk, `memory_bytes` those of the newest events.

    `state`: `on`; `off`, by the settings; `degraded`, and `problem` is a sentence that says why and what to do.
    """

    last_seq: int
    bytes: int
    events: int
    memory_bytes: int
    state: Literal["on", "off", "degraded"]
    problem: str | None = None
