"""codexd killed in a storm of events, again and again, and the next one started by whatever `codexctl` comes next."""

import signal
from dataclasses import dataclass, field
from random import Random
from typing import Any

import psutil

from codexd.runtime.archive_inspection import inspect
from codexd.service.locks import timeline_file
from tests.e2e.harness import World
from tests.e2e.harness_children import sleepers, start_job
from tests.e2e.harness_client import PATIENCE_S
from tests.ends import wait_for_ends
from tests.soak.history import History
from tests.soak.recording import SEQ, PlainClient, Received, RecordingClient

THREADS = 3
STREAM = 800
"""Deltas of each thread's turn: more than come before the kill."""
WAITED_FOR = 5
"""After every so many kills, Codex's own end is waited for."""


@dataclass
class Killed:
    """What came of it. `problems`: what is wrong, in words; `lost`: events that were sent and are in a told gap."""

    kills: int = 0
    events: int = 0
    seen: int = 0
    lost: int = 0
    problems: list[str] = field(default_factory=list)


class Storms:
    """One world in which codexd dies."""

    def __init__(self, world: World, seed: int) -> None:
        self._world = world
        self._rng = Random(seed)
        self._records: list[Received] = []
        self._threads: list[str] = []
        self._cursor = 0
        self._newest = 0
        self.result = Killed()

    def go(self, kills: int) -> Killed:
        """Kills so often, and compares everything that anybody was sent with the timeline at the end."""
        self._codexctl()
        talker = self._world.client("talker")
        self._threads = [talker.start_thread(cwd=str(self._world.project)) for _ in range(THREADS)]
        for thread in self._threads:
            talker.wait_turn(talker.start_turn(thread, "hello"))
        talker.close()
        for _ in range(kills):
            self._storm()
            self._codexctl()
            self._look()
            self.result.kills += 1
        self._compare()
        return self.result

    def _codexctl(self) -> None:
        """The next command starts the next codexd."""
        if self._rng.random() < 0.5:
            shown = self._world.codexctl("threads", "--json")
        else:
            shown = self._world.codexctl("send", "--json", "hello")
        self._expect(shown.returncode == 0, f"codexctl ended with {shown.returncode}: {shown.stderr}")

    def _storm(self) -> None:
        """All threads stream, all are followed in every way, and in the midst of it codexd is killed."""
        world, rng = self._world, self._rng
        follower, subscriber = self._follower("follower", self._cursor), self._recording(SEQ)
        plain = world.connect_as(PlainClient)
        plain.initialize("plain")
        for client in (subscriber, plain):
            for thread in self._threads:
                client.call("thread/resume", {"threadId": thread, "excludeTurns": True})
        subscriber.begin("subscriber", subscribed=frozenset(self._threads))
        plain.begin("plain", after=self._newest)
        start_job(world, plain)
        world.until(lambda: len(sleepers(world)) == 1)
        begun = len(follower.received.seqs)
        for thread in self._threads:
            plain.start_turn(thread, f"stream {STREAM}")
        enough = begun + rng.randrange(20, THREADS * STREAM // 2)
        follower.wait_events(lambda received: len(received.seqs) >= enough)
        self._kill(plain.call("codexd/status"))
        for client in (follower, subscriber, plain):
            client.wait_closed()
            client.received.was_killed = True
            self._records.append(client.received)
            self.result.seen += len(client.received.seqs)
            client.close()
        self._cursor = follower.received.last
        self._newest = max(self._newest, self._cursor, subscriber.received.last)

    def _kill(self, status: dict[str, Any]) -> None:
        """Now and then Codex is given the second that it takes to end by itself; else the next codexd ends it."""
        codex = psutil.Process(status["codex"]["pid"])
        psutil.Process(status["codexd"]["pid"]).send_signal(signal.SIGKILL)
        if self.result.kills % WAITED_FOR == 0:
            self._expect(wait_for_ends([codex], PATIENCE_S) == [], "Codex has not ended with its stdin")

    def _look(self) -> None:
        """The next one has an intact timeline, whose numbers go on, and nothing is left of the one before."""
        client = self._world.connect()
        status = client.call("codexd/status")
        timeline = status["timeline"]
        self._expect(timeline["state"] == "on", f"the timeline is {timeline}")
        self._expect(timeline["lastSeq"] > self._newest, f"{self._newest} was sent, and {timeline} goes back")
        self._expect(sleepers(self._world) == [], "what Codex left behind was not ended")
        codexes = self._world.codexes()
        self._expect(codexes == [status["codex"]["pid"]], f"there are several Codexes: {codexes}")
        self._newest = timeline["lastSeq"]
        client.close()

    def _compare(self) -> None:
        follower = self._follower("last follower", self._cursor)
        self._records.append(follower.received)
        history = History(self._world)
        follower.wait_events(lambda received: received.last >= history.seqs[-1])
        for received in self._records:
            history.check(received)
        history.close()
        follower.close()
        found = inspect(timeline_file(self._world.env, self._world.codex_home))
        self._expect(not isinstance(found, str), f"the timeline's file is not well: {found}")
        self.result.events, self.result.lost = len(history.seqs), history.lost
        self.result.problems += history.problems

    def _follower(self, who: str, after: int) -> RecordingClient:
        """One that goes on from a number, which a gap may be told of, and never a number that is there."""
        client = self._recording({})
        client.follow(f"{who} from {after}", after)
        return client

    def _recording(self, capabilities: dict[str, Any]) -> RecordingClient:
        client = self._world.connect_as(RecordingClient)
        client.initialize("recording", **capabilities)
        return client

    def _expect(self, holds: bool, otherwise: str) -> None:
        if not holds:
            self.result.problems.append(f"after {self.result.kills} kills: {otherwise}")


def killed_in_storms(world: World, kills: int, seed: int) -> Killed:
    """See `Storms.go`."""
    return Storms(world, seed).go(kills)
