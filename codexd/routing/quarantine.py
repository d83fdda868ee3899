"""Threads that were being resumed when Codex died: one that may have caused it twice is not resumed any more.

A rollout whose resume exhausts memory kills every Codex that is asked for it. Without this table codexd would ask each
next one, until Codex is left down for everybody.

Rule 1. A death counts for every thread of which a `thread/resume` was under way, a client's or codexd's own. One that hangs
        and is killed has died; one that codexd ends to stop, or replaces while it has nothing to answer, has not.
Rule 2. A thread with such a death is a suspect. Its next resume waits until no other is under way, so that a thread that
        was only near a death is not taken for its cause.
Rule 3. Any answer to a resume of the thread ends the suspicion.
Rule 4. At the second death the thread is quarantined: codexd does not resume it, and refuses to let clients resume or fork
        it. Every other request for it passes.
Rule 5. The two deaths of a quarantined thread do not count towards those after which Codex is left down.
Rule 6. `codexd/threads/release` ends the quarantine, `thread/deleted` does, and so does the end of codexd: it is kept in
        memory only.
"""

from collections.abc import Iterable
from typing import Any

from codexd.protocol.catalogue import OF_ROLLOUT
from codexd.protocol.errors import Code
from codexd.routing.requests import Call

MOST_SUSPECTS = 1000
"""Beyond it the oldest suspicion is forgotten."""


def sentence(thread: str) -> str:
    """What happened, what follows from it, and the way out."""
    return (
        f"Codex died twice while it was resuming thread {thread}, so codexd lets nobody resume or fork it; "
        f"`codexctl threads release {thread}` lifts that"
    )


class Quarantine:
    """Which deaths each thread was near.

    `waiting`: the suspects for which a resume is kept back.
    """

    def __init__(self) -> None:
        self._suspects: dict[str, float] = {}
        self._quarantined: dict[str, None] = {}
        self._waiting: dict[str, None] = {}

    def died(self, threads: Iterable[str], now: float) -> tuple[list[str], set[float]]:
        """Codex died while these threads were being resumed; returns those that are quarantined by that, and the times
        of their first deaths.
        """
        quarantined, first_deaths = [], set()
        for thread in dict.fromkeys(threads):
            earlier = self._suspects.pop(thread, None)
            if earlier is None:
                self._suspects[thread] = now
            else:
                self._quarantined[thread] = None
                quarantined.append(thread)
                first_deaths.add(earlier)
        for oldest in list(self._suspects)[:-MOST_SUSPECTS]:
            del self._suspects[oldest]
        return quarantined, first_deaths

    def answered(self, thread: str | None) -> None:
        """Codex has answered a resume of the thread; of `None` nothing is known."""
        if thread is not None:
            self._suspects.pop(thread, None)

    def lift(self, thread: str) -> bool:
        """The thread may be resumed again, as if nothing had happened; returns whether it was quarantined."""
        self._suspects.pop(thread, None)
        if thread not in self._quarantined:
            return False
        del self._quarantined[thread]
        return True

    def threads(self) -> list[str]:
        """The quarantined threads, the oldest quarantine first."""
        return list(self._quarantined)

    def is_suspect(self, thread: str) -> bool:
        """Whether a resume of the thread is to be the only one."""
        return thread in self._suspects

    def wait(self, thread: str) -> None:
        """A resume of this suspect is kept back, because another one is under way."""
        self._waiting[thread] = None

    def take_waiting(self) -> list[str]:
        """The suspects for which that is so; they are to be tried again."""
        waiting, self._waiting = list(self._waiting), {}
        return waiting

    def refusal(self, call: Call) -> tuple[Code, str, dict[str, Any]] | None:
        """Code, message and data of the error for a request that would load a quarantined thread; None for any other."""
        if call.method not in OF_ROLLOUT or call.thread not in self._quarantined or not call.wants_answer:
            return None
        return (
            Code.INVALID_REQUEST,
            sentence(call.thread),
            {"reason": "threadQuarantined", "safeToRetry": False},
        )
