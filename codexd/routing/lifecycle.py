"""Codex's life as a table: what may follow on what, and how long to wait before the next try.

    EXITED ──START──> STARTING ──ANSWERED──> READY ──STOP──> DRAINING       (STARTING ──STOP──> DRAINING, too)
       ^                 │                     │                │
       └──────EXIT───────┴────────EXIT─────────┴──────EXIT──────┘

    EXITED ──RETRY──> WAITING ──START──> STARTING        without RETRY it is left down

It is left down after five deaths within a minute, and after a minute of starts of which none was answered: a Codex that
hangs takes half of that for one start.

An incarnation is one life of one process. Reports of an older incarnation than the present one are to be ignored:
`is_current` says so.
"""

from collections import deque
from collections.abc import Container
from enum import Enum, auto


class State(Enum):
    """Where Codex is. The value is the word that `codexd/status` says."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    EXITED = "exited"
    WAITING = "waiting"


class Event(Enum):
    """What can happen to Codex."""

    START = auto()
    ANSWERED = auto()
    EXIT = auto()
    RETRY = auto()
    STOP = auto()


TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.EXITED, Event.START): State.STARTING,
    (State.WAITING, Event.START): State.STARTING,
    (State.STARTING, Event.ANSWERED): State.READY,
    (State.STARTING, Event.EXIT): State.EXITED,
    (State.READY, Event.EXIT): State.EXITED,
    (State.DRAINING, Event.EXIT): State.EXITED,
    (State.EXITED, Event.RETRY): State.WAITING,
    (State.STARTING, Event.STOP): State.DRAINING,
    (State.READY, Event.STOP): State.DRAINING,
    (State.DRAINING, Event.STOP): State.DRAINING,
    (State.WAITING, Event.STOP): State.EXITED,
    (State.EXITED, Event.STOP): State.EXITED,
}

BACKOFF_SECONDS = (0.0, 0.25, 1.0, 2.0)
"""How long to wait after the first, second, ... death within a minute; a fifth one is not followed by a try."""
CRASH_LOOP_DEATHS = 5
CRASH_LOOP_SECONDS = 60.0
START_SECONDS = 30.0
"""How long a new Codex may take to answer `initialize`; it answers within 0.1 s (measured)."""


class IllegalTransition(AssertionError):
    """The table has no such step: our bug."""


class Lifecycle:
    """The present state, the present incarnation, and the memory of recent deaths."""

    def __init__(self) -> None:
        self.state = State.EXITED
        self.incarnation = 0
        self.pid: int | None = None
        self.started_at: float | None = None
        self.binary: tuple[str, str] | None = None
        """The path of the program that it runs, and the identity of that file (`codexd.protocol.binary`)."""
        self.reason: str | None = None
        self.stopping = False
        self.deadline: float | None = None
        self._deaths: deque[float] = deque(maxlen=CRASH_LOOP_DEATHS)
        self.left_down_because: str | None = None
        """What it did that it is not tried again, as it stands in a sentence."""
        self._unanswered: list[float] = []
        """When each start began since Codex was ready last."""

    def fire(self, event: Event) -> None:
        """Takes one step of the table; raises `IllegalTransition` for a step that it does not have."""
        try:
            self.state = TRANSITIONS[self.state, event]
        except KeyError:
            raise IllegalTransition(f"{event.name} in state {self.state.name}") from None

    def is_current(self, incarnation: int) -> bool:
        """Whether a report of this incarnation is about the process that counts now, and is still expected."""
        return incarnation == self.incarnation and self.state in (State.STARTING, State.READY, State.DRAINING)

    def start(self, now: float) -> int:
        """Begins the next incarnation and returns its number."""
        self.fire(Event.START)
        self.incarnation += 1
        self._unanswered.append(now)
        self.deadline = now + START_SECONDS
        return self.incarnation

    def spawned(self, pid: int, now: float, binary: tuple[str, str] | None = None) -> None:
        """The process is there; it has not answered yet."""
        self.pid = pid
        self.binary = binary
        self.started_at = now

    def answered(self) -> None:
        """`initialize` was answered."""
        self.fire(Event.ANSWERED)
        self.reason = None
        self.deadline = None
        self._unanswered.clear()

    def exited(self, reason: str, now: float, *, by_wish: bool = False, counts: bool = True) -> bool:
        """The process is gone, or could not be had. Returns whether it will be tried again (at `deadline`).

        `by_wish`: it was ended so that another one takes its place, which is no death to be counted. `counts`: whether any
        other death is; not one whose cause is known and will not come again.
        """
        self.fire(Event.EXIT)
        self.pid = self.binary = None
        self.started_at = None
        self.deadline = None
        self.reason = reason
        if self.stopping:
            return False
        if by_wish or not counts:
            self.fire(Event.RETRY)
            self.deadline = now
            return True
        self._deaths.append(now)
        self.left_down_because = self._left_down_because(now)
        if self.left_down_because is not None:
            return False
        recent = sum(now - death <= CRASH_LOOP_SECONDS for death in self._deaths)
        self.fire(Event.RETRY)
        self.deadline = now + BACKOFF_SECONDS[recent - 1]
        return True

    def excuse(self, deaths: Container[float]) -> None:
        """The deaths at these times do not count: their cause is known, and will not come again."""
        kept = (death for death in self._deaths if death not in deaths)
        self._deaths = deque(kept, maxlen=CRASH_LOOP_DEATHS)

    def _left_down_because(self, now: float) -> str | None:
        if len(self._deaths) == CRASH_LOOP_DEATHS and now - self._deaths[0] <= CRASH_LOOP_SECONDS:
            return f"died {CRASH_LOOP_DEATHS} times within a minute"
        # One start alone may have slept with the machine.
        if len(self._unanswered) > 1 and now - self._unanswered[0] >= CRASH_LOOP_SECONDS:
            return "did not start within a minute"
        return None

    def condemn(self) -> None:
        """The process is good for nothing and is being ended; the next one takes its place."""
        self.deadline = None
        self.fire(Event.STOP)

    def forgive(self) -> None:
        """Somebody asks for another try: the deaths so far do not count."""
        self._deaths.clear()
        self._unanswered.clear()

    def stop(self) -> None:
        """No more tries; the process, if there is one, is being ended."""
        self.stopping = True
        self.deadline = None
        self.fire(Event.STOP)

    @property
    def restarts(self) -> int:
        """How many starts there were after the first one."""
        return max(0, self.incarnation - 1)

    @property
    def is_left_down(self) -> bool:
        """No Codex, and no further try without somebody asking for one."""
        return self.state is State.EXITED and self.incarnation > 0
