"""Some minutes with the real Codex: clients come and go, Codex and codexd die, and in the end everything is compared."""

import signal
import time
from random import Random
from typing import Any

import psutil

from tests.e2e.harness import World
from tests.e2e.harness_client import PATIENCE_S
from tests.ends import wait_for_ends
from tests.soak.books import Books
from tests.soak.history import History
from tests.soak.memory import Memory
from tests.soak.pool import Pool
from tests.soak.recording import RecordingClient
from tests.soak.visitors import Follower, Passer, Subscriber, Talker, Visitor

TALKERS, PASSERS, SUBSCRIBERS = 4, 3, 3
CODEX_DIES_SECONDS = 20.0
"""Between two deaths of Codex: five in a minute would leave it down."""
_LOOK_SECONDS = 0.5
_ENDS = (signal.SIGKILL, signal.SIGTERM)


class Course:
    """A soak in a world. In its first third codexd dies, once in a minute; its memory is looked at from then on."""

    def __init__(self, world: World, seconds: float, seed: int) -> None:
        self._world = world
        self._seconds = seconds
        self._rng = Random(seed)
        self._books = Books()
        self._began = time.monotonic()
        deaths = max(1, round(seconds / 3 / 60))
        self._codexd_dies = [seconds / 3 * (n + 1) / deaths for n in range(deaths)]
        pause = min(CODEX_DIES_SECONDS, seconds / 2)
        self._codex_dies = [pause * (n + 0.7) for n in range(int(seconds / pause))]

    def go(self) -> bool:
        """Runs it and prints what came of it. False: something is wrong."""
        self._started()
        visitors = list(self._visitors())
        for visitor in visitors:
            visitor.thread.start()
        try:
            while not self._books.done:
                self._look()
        finally:
            self._books.finish()
            for visitor in visitors:
                visitor.thread.join()
                if not visitor.has_finished:
                    self._books.complain(f"a {visitor.name} has stumbled, see above")
        return self._report()

    def _visitors(self) -> list[Visitor]:
        kinds = [Follower] + [Talker] * TALKERS + [Passer] * PASSERS + [Subscriber] * SUBSCRIBERS
        pool = Pool(Random(self._rng.random()))
        return [kind(self._world, self._books, pool, Random(self._rng.random())) for kind in kinds]

    def _now(self) -> float:
        return time.monotonic() - self._began

    def _started(self) -> None:
        """By a command that needs it."""
        shown = self._world.codexctl("threads")
        if shown.returncode:
            self._books.complain(f"codexctl threads: {shown.stderr}")
            self._books.finish()
            return
        self._memory = Memory(self._status()["codexd"]["pid"])
        self._books.codexd_is_there()

    def _status(self) -> dict[str, Any]:
        client = self._world.connect()
        status: dict[str, Any] = client.call("codexd/status")
        client.close()
        return status

    def _look(self) -> None:
        """What is due."""
        now = self._now()
        if not psutil.pid_exists(self._memory.pid):
            self._books.complain("codexd has ended")
            self._books.finish()
            return
        self._memory.look(now)
        if self._codexd_dies and self._codexd_dies[0] <= now:
            self._codexd_dies.pop(0)
            self._kill_codexd()
        elif self._codex_dies and self._codex_dies[0] <= now:
            self._codex_dies.pop(0)
            self._kill_codex()
        if now >= self._seconds:
            self._books.finish()
        self._books.rest(_LOOK_SECONDS)

    def _kill_codexd(self) -> None:
        self._books.codexd_goes()
        daemon = psutil.Process(self._memory.pid)
        daemon.kill()
        wait_for_ends([daemon], PATIENCE_S)
        self._books.count("deaths of codexd")
        self._started()

    def _kill_codex(self) -> None:
        codex = self._status()["codex"]
        if codex["state"] == "ready":
            psutil.Process(codex["pid"]).send_signal(self._rng.choice(_ENDS))
            self._books.count("deaths of Codex")

    def _report(self) -> bool:
        books = self._books
        history = History(self._world)
        last = self._world.connect_as(RecordingClient)
        last.follow("last follower", books.cursor)
        last.wait_events(lambda received: received.last >= history.seqs[-1])
        last.close()
        books.note(last.received)
        for received in books.received:
            history.check(received)
        history.close()
        timeline = self._status()["timeline"]
        said, is_flat = self._memory.judged()
        problems = books.problems + history.problems
        if timeline["state"] != "on":
            problems.append(f"the timeline is {timeline}")
        if not is_flat:
            problems.append("codexd's memory grows")
        print(f"{len(history.seqs)} events in the timeline, {timeline['bytes'] / 1e6:.0f} MB on disk")
        print(
            f"{len(books.received)} streams compared with it; {history.lost} events were sent and are in a told gap"
        )
        for what, count in sorted(books.counts.items()):
            print(f"{count:10} {what}")
        print(f"memory of codexd: {said}")
        for problem in problems[:50]:
            print(f"WRONG: {problem}")
        print("nothing is lost" if not problems else f"{len(problems)} things are wrong")
        return not problems
