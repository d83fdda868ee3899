"""What each client has been sent of each thread: a run of that thread's events, from the first that it got, without a hole."""

from msgspec import Struct

from codexd.protocol.catalogue import EVERYONE_ALTHOUGH_OF_A_THREAD
from codexd.routing.effects import Numbered
from tests.routing.oracle_books import Books
from tests.routing.sim_timeline import SimulatedTimeline
from tests.routing.sim_words import SERVER_REQUEST, Claims, Wrong

NOT_OF_SUBSCRIBERS = EVERYONE_ALTHOUGH_OF_A_THREAD | {SERVER_REQUEST}


class Run(Struct):
    """`first`: its first number; `claims`: what the client wanted to hear then; `count`: how many events it got."""

    first: int
    claims: Claims
    count: int = 0


class Runs:
    """Counts what is sent, and looks now and then whether the timeline has as many, and no more."""

    def __init__(self, books: Books, timeline: SimulatedTimeline) -> None:
        self._books = books
        self._timeline = timeline
        self._of_thread: dict[str, dict[int, Run]] = {}

    def sent(self, effect: Numbered) -> None:
        """An event has gone to these. Who hears no more of the thread has come to the end of its run."""
        event = effect.event
        if event.method in NOT_OF_SUBSCRIBERS:
            return
        recipients = effect.clients + effect.with_number
        runs = self._of_thread.setdefault(event.thread, {})
        for client in recipients:
            if client not in runs:
                runs[client] = Run(event.seq, self._books.clients[client].claims)
            runs[client].count += 1
        if len(runs) > len(recipients):
            heard_by = self._heard_by(event.thread)
            self._of_thread[event.thread] = {
                client: run for client, run in runs.items() if client in heard_by
            }

    def forget(self, thread: str) -> None:
        """What the timeline had of it is deleted."""
        self._of_thread.pop(thread, None)

    def check(self) -> None:
        """Raises `Wrong` if somebody has been sent more or less than there was."""
        for thread, runs in list(self._of_thread.items()):
            heard_by = self._heard_by(thread)
            for client, run in list(runs.items()):
                if client not in heard_by or not self._is_whole(client, run):
                    del runs[client]
                else:
                    self._check_run(client, thread, run)
            if not runs:
                del self._of_thread[thread]

    def _heard_by(self, thread: str) -> frozenset[int]:
        return self._books.threads.followers(thread) | self._books.following.followers(thread)

    def _is_whole(self, client: int, run: Run) -> bool:
        is_missing = self._timeline.gap(run.first - 1, self._books.following.last_seq, None) is not None
        return run.claims is self._books.clients[client].claims and not is_missing

    def _check_run(self, client: int, thread: str, run: Run) -> None:
        due = sum(
            event.thread == thread
            and event.method not in NOT_OF_SUBSCRIBERS
            and self._books.wants(client, event.method)
            for event in self._timeline.between(run.first, self._books.following.last_seq)
        )
        if due != run.count:
            raise Wrong(f"client {client} was sent {run.count} events of {thread}, not {due}: {run}")
        self._books.counts["runs without a hole"] += 1
