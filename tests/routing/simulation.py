"""The simulated world: clients, a Codex that dies, time that jumps, and the Router between them, step by step.

A step is one input of the Router. Which one comes next is drawn by lot; the weights change with the weather, so that
floods, slow Codexes, crash loops and quiet times all happen. `settle` lets everything run dry and then looks whether
anything was forgotten.
"""

from collections import deque
from collections.abc import Callable, Sequence
from random import Random

from codexd.routing.effects import Effect, Observed, ReadEvents, StartCodex, StopCodex, ToCodex
from codexd.routing.rights import Peer
from codexd.routing.router import Identity, Router
from tests.routing.oracle import Oracle
from tests.routing.oracle_books import Life, Schema
from tests.routing.sim_client_actions import ClientActions
from tests.routing.sim_clients import SimulatedClient
from tests.routing.sim_codex import LEARNT, Disk, SimulatedCodex
from tests.routing.sim_outboxes import SimulatedOutboxes
from tests.routing.sim_settled import check_settled
from tests.routing.sim_timeline import SimulatedTimeline
from tests.routing.sim_weather import Weather, weather
from tests.routing.sim_words import STANDS_IN, UNKNOWN, Wrong

CLIENTS = 9
REMEMBERED = 50
UNLOAD_DELAYS = (0.0, 0.5, 60.0)
SILENCES = (0.0, 20.0, 30.0)
SIGN = b'"thread/loaded/list"'
LONGEST_CLOCK = 120.0
"""Of all that comes about by itself in time, nothing takes longer."""


def _is_sign_of_life(effect: Effect) -> bool:
    """Whether this comes about although nothing happens: Codex is asked whether it lives, and says so."""
    return isinstance(effect, Observed) or (isinstance(effect, ToCodex) and SIGN in effect.line)


class World:
    """One life of a codexd.

    Shared by all lives: `used_ids`, the ids under which clients were ever asked, and the timeline.
    """

    def __init__(self, seed: int, used_ids: set[int], now: float, timeline: SimulatedTimeline) -> None:
        self.rng = Random(seed)
        self.now = now
        self.steps = 0
        self.clients: dict[int, SimulatedClient] = {}
        self.codex: SimulatedCodex | None = None
        self.trace: deque[tuple[str, object, Sequence[Effect]]] = deque(maxlen=REMEMBERED)
        unload_delay = self.rng.choice(UNLOAD_DELAYS)
        self.silence = self.rng.choice(SILENCES)
        self.oracle = Oracle(used_ids, unload_delay, self.silence, timeline)
        self.outboxes = SimulatedOutboxes(timeline, self.rng)
        self._timeline = timeline
        self._reads: list[ReadEvents] = []
        self.stopped = False
        self._disk = Disk()
        self._late: list[int] = []
        self._busy_at = now
        self._clients_so_far = 0
        self.weather = weather(self.rng)
        identity = Identity(
            pid=1,
            version="0",
            socket="s",
            codex_home="h",
            started_at=now,
            thread_unload_delay=unload_delay,
            codex_silence=self.silence,
            is_observed=True,
        )
        self.router = Router(identity, lambda _: 0, lambda _: None, timeline)
        self.acts = ClientActions(self)
        self._actions: dict[str, Callable[[], None]] = {
            "join": self._join,
            "leave": self._leave,
            "client": self.acts.act,
            "take": self._take,
            "answer": self._answer,
            "happen": self._happen,
            "say": self._say,
            "learn": self._learn,
            "die": self._die,
            "hang": self._hang,
            "time": self._time,
            "late": self._late_report,
            "look": self.look,
            "read": self._read,
            "drift": self.outboxes.drift,
            "load": self._load,
        }
        self.oracle.death.starts()
        self.input("start", None, lambda: self.router.start(self.now))

    def run(self, steps: int) -> None:
        """So many steps; the weather changes now and then, and in between everything runs dry."""
        end = self.steps + steps
        while self.steps < end:
            self.weather = weather(self.rng)
            self._apply_weather(self.weather)
            names, weights = self.weather.actions()
            turn = min(end, self.steps + self.rng.randrange(100, 1200))
            while self.steps < turn:
                for name in self.rng.choices(names, weights, k=32):
                    self._actions[name]()
            if self.rng.random() < 0.7:
                self.settle()

    def input(self, what: str, about: object, call: Callable[[], list[Effect]]) -> None:
        """One input: what comes out is judged and carried out."""
        self.steps += 1
        self.oracle.time_is(self.now)
        effects = call()
        self.trace.append((what, about, effects))
        if not all(map(_is_sign_of_life, effects)):
            self._busy_at = self.now
        for effect in effects:
            written = self.oracle.judge(effect)
            if written is not None:
                assert self.codex is not None, "the oracle would not allow it"
                self.codex.arrive(written)
            elif not isinstance(effect, ToCodex):
                self._carry_out(effect)
        self.oracle.finished()

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case StartCodex():
                self.codex = SimulatedCodex(effect.incarnation, self._disk, self.rng)
                self._apply_weather(self.weather)
            case StopCodex():
                assert self.codex is not None, "there is one to stop"
                self.codex.told_to_stop = True
            case ReadEvents():
                self._reads.append(effect)
            case _:
                self.outboxes.carry_out(effect)

    def _apply_weather(self, now: Weather) -> None:
        if self.codex is not None:
            self.codex.overloaded = now.overloaded
            self.codex.affairs = now.affairs
            self.codex.forgetful = now.forgetful
            self.codex.deadly = now.deadly

    def some_threads(self) -> list[str]:
        """Threads that a client may know of: those of now, some that died or were let go of, or killed Codex, and one that never was."""
        threads = self.oracle.books.threads
        quarantined = list(self.oracle.books.quarantine.threads)[-2:]
        known = [view.id for view in threads][-16:]
        return [*known, *list(threads.lost)[-2:], *threads.forgotten, *quarantined, UNKNOWN]

    def not_known_yet(self) -> list[str]:
        """Sub-agents' threads that have said something, of which codexd does not know yet whose they are."""
        return [view.id for view in self.oracle.books.threads if view.backlog]

    def followed_by(self, client: int) -> list[str]:
        """The threads that the client follows."""
        return [view.id for view in self.oracle.books.threads if client in view.followers]

    def followed_by_nobody(self) -> list[str]:
        """The threads that codexd knows and nobody follows."""
        threads = self.oracle.books.threads
        return [view.id for view in threads if view.known and not threads.followers(view.id)]

    def is_being_joined(self, thread: str) -> bool:
        """Whether somebody's resume of this thread is open, of which Codex may have nothing on disk."""
        view = self.oracle.books.threads.get(thread)
        is_open = self.oracle.books.requests.is_wanted_by_resume(thread)
        return view is not None and view.started and is_open

    def recent_asks(self) -> list[int]:
        """Ids under which clients were asked lately; some are over."""
        return list(self.oracle.books.asks.recent)

    def _join(self) -> None:
        if len(self.clients) >= CLIENTS:
            return
        self._clients_so_far += 1
        chance = self.rng.random()
        client = SimulatedClient(self._clients_so_far, chance < 0.93, chance < 0.6, heard=[])
        self.clients[client.id] = client
        self.oracle.clients.connects(client.id)
        self.outboxes.connect(client.id)
        pid = self.rng.choice((None, 100 + client.id))
        self.input(
            "connect", client.id, lambda: self.router.connect(client.id, Peer(pid, cwd=STANDS_IN), self.now)
        )

    def _leave(self) -> None:
        """Often one that somebody waits for."""
        if self.clients:
            asked = [
                c for ask in self.oracle.books.asks.undecided() for c in ask.asked if len(ask.asked) == 1
            ]
            candidates = asked if asked and self.rng.random() < 0.5 else list(self.clients)
            self.leave(self.rng.choice(candidates))

    def leave(self, client: int) -> None:
        """This client's connection is gone."""
        del self.clients[client]
        self.outboxes.leave(client)
        self.oracle.clients.leaves(client)
        self.input("disconnect", client, lambda: self.router.disconnect(client, self.now))

    def _read(self) -> None:
        """The timeline has read one of the things that it was asked for: at times when nobody wants it any more."""
        if not self._reads:
            return
        read = self._reads.pop(self.rng.randrange(len(self._reads)))
        if read.client not in self.clients and self.rng.random() < 0.5:
            return
        if self.rng.random() < 0.1:
            self.oracle.events.can_not_answer(read.number)
            self.input("no events", read, lambda: self.router.events_read(read.number, "no disk", self.now))
            return
        fewer = self.rng.randrange(1, read.limit + 1) if self.rng.random() < 0.2 else read.limit
        events = self._timeline.collect(read.after + 1, read.last, read.thread, fewer)
        self.oracle.events.answers(read.number, events)
        self.input("events", read, lambda: self.router.events_read(read.number, events, self.now))

    def _load(self) -> None:
        """Large answers wait for a client, or it has taken them."""
        loaded = self.oracle.books.requests.loaded
        if loaded and self.rng.random() < 0.6:
            self._is_read(self.rng.choice(sorted(loaded)))
        elif idle := sorted(self.clients.keys() - loaded):
            client = self.rng.choice(idle)
            self.oracle.books.requests.load(client)
            self.oracle.books.counts["large answers"] += 1
            self.router.hold(client)

    def _is_read(self, client: int) -> None:
        self.oracle.books.requests.loaded.discard(client)
        self.input("read", client, lambda: self.router.let_go_on(client, self.now))

    def _take(self) -> None:
        if self.codex is not None and self.codex.works:
            self.codex.take(self.rng.choice((1, 2, 8, 128)))

    def _answer(self) -> None:
        if self.codex is not None and self.codex.works:
            for _ in range(self.rng.choice((1, 2, 8))):
                self.codex.answer()

    def _happen(self) -> None:
        if self.codex is not None and self.codex.works:
            self.codex.happen()

    def _say(self) -> None:
        codex = self.codex
        if codex is None:
            return
        if not codex.spawned:
            self._spawn(codex)
        elif not codex.saying:
            if codex.dead or codex.told_to_stop:
                self._exit(codex)
        else:
            for _ in range(min(len(codex.saying), self.rng.choice((1, 1, 4, 16)))):
                self._say_one(codex)

    def _say_one(self, codex: SimulatedCodex) -> None:
        said = codex.next_said()
        if not self.stopped and not self.oracle.books.condemned:
            self.oracle.silence.hears()
            self.oracle.codex.says(said)
        self.oracle.observed.hears(said.line)
        self.input("codex", said, lambda: self.router.codex_receive(codex.incarnation, said.line, self.now))

    def _spawn(self, codex: SimulatedCodex) -> None:
        if codex.told_to_stop or self.rng.random() < self.weather.failing_starts:
            self._exit(codex)
            return
        codex.spawned = True
        if not self.stopped and not self.oracle.books.condemned:
            self.oracle.death.spawned()
        pid = 1000 + codex.incarnation
        self.input("spawned", pid, lambda: self.router.codex_spawned(codex.incarnation, pid, self.now))
        if self.rng.random() < self.weather.learnt_at_once:
            self._learn()
        if self.rng.random() < self.weather.failing_starts:
            self.rng.choice((self._die, codex.refuse_introduction, codex.fall_silent))()

    def _learn(self) -> None:
        """codexd is told what the schema says, or why it says nothing: at once, or long after the handshake."""
        codex = self.codex
        if codex is None or not codex.spawned or codex.learnt:
            return
        codex.learnt = True
        there = self.rng.random() < 0.85
        if not self.stopped:
            self.oracle.death.learns(Schema.THERE if there else Schema.NONE)
        learnt = LEARNT if there else "Codex wrote no schema"
        self.input("learnt", there, lambda: self.router.codex_learnt(codex.incarnation, learnt, self.now))

    def _die(self) -> None:
        """From now on it does nothing; what it has said may still come out, or may not."""
        codex = self.codex
        if codex is None or not codex.spawned or codex.dead:
            return
        codex.dead = True
        keep = self.rng.randrange(len(codex.saying) + 1)
        while len(codex.saying) > keep:
            codex.saying.pop()

    def _hang(self) -> None:
        """From now on it does nothing and does not end; what it has said may still come out."""
        if self.codex is not None and self.codex.introduced and self.silence:
            self.codex.hung = True

    def _exit(self, codex: SimulatedCodex) -> None:
        reason = f"exit status {self.rng.randrange(256)}"
        codex.dead = True
        self.codex = None
        self._late.append(codex.incarnation)
        self.oracle.time_is(self.now)
        self.oracle.death.exits(reason)
        self.input("exited", reason, lambda: self.router.codex_exited(codex.incarnation, reason, self.now))

    def _time(self) -> None:
        deadline = self.router.deadline()
        books = self.oracle.books
        if deadline is None:
            if books.life in (Life.STARTING, Life.WAITING):
                told = self.codex is not None and self.codex.told_to_stop
                if not told:
                    raise Wrong(f"Codex is {books.life.name} and nothing is ever due")
        elif self.rng.random() < 0.8:
            self.now = max(self.now, deadline)
        if self.weather.asleep and self.rng.random() < self.weather.asleep:
            self.now += self.silence
        self.tick()

    def tick(self) -> None:
        """Time has passed."""
        self.oracle.time_is(self.now)
        self.oracle.death.time_passes()
        self.oracle.silence.time_passes(self.router.deadline())
        self.oracle.ends.time_passes()
        self.oracle.codex.waits_no_longer()
        self.input("tick", self.now, lambda: self.router.tick(self.now))

    def _late_report(self) -> None:
        """Something of an incarnation that is over: nothing may follow."""
        self.now += self.rng.expovariate(1 / self.weather.pause)
        self.oracle.time_is(self.now)
        if self._late:
            old = self.rng.choice(self._late)
            line = b'{"method":"skills/changed","params":{}}'
            self.oracle.observed.hears(line)
            self.input("late line", old, lambda: self.router.codex_receive(old, line, self.now))
            self.input("late exit", old, lambda: self.router.codex_exited(old, "late", self.now))
            self.input("late spawn", old, lambda: self.router.codex_spawned(old, 1, self.now))
            self.input("late schema", old, lambda: self.router.codex_learnt(old, "late", self.now))

    def look(self) -> None:
        """What the Router says of itself is what the oracle has counted."""
        self.oracle.compare(self.router)

    def settle(self) -> None:
        """Everything runs dry: Codex takes, answers and says all it has, and what is due comes about."""
        self._busy_at = self.now
        for _ in range(10_000):
            if not self._run_dry() or self.now > self._busy_at + LONGEST_CLOCK:
                break
        else:
            raise Wrong("it never settles")
        self.outboxes.catch_up()
        check_settled(self)

    def _run_dry(self) -> bool:
        codex = self.codex
        if self._reads:
            self._read()
        elif loaded := self.oracle.books.requests.loaded:
            self._is_read(min(loaded))
        elif codex is not None and not codex.spawned:
            self._spawn(codex)
        elif codex is not None and (codex.dead or codex.told_to_stop) and not codex.saying:
            self._exit(codex)
        elif codex is not None and not codex.learnt:
            self._learn()
        elif codex is not None and codex.is_busy:
            if codex.works:
                codex.run_dry()
            while codex.saying:
                self._say_one(codex)
        elif (deadline := self.router.deadline()) is not None:
            self.now = max(self.now, deadline)
            self.tick()
        else:
            return False
        return True

    def stop(self) -> None:
        """codexd ends: what is open is answered, and Codex goes."""
        for client in self.clients.values():
            if not self.oracle.books.clients[client.id].paused:
                self.acts.read_events(client)
        self.stopped = True
        self.oracle.death.stops()
        self.input("stop", None, lambda: self.router.stop(self.now))
        self.settle()
        self._timeline.ends(self.rng, killed=False)

    def be_killed(self) -> None:
        """codexd is gone at once: nobody hears of it, and what was in memory alone is lost."""
        self._timeline.ends(self.rng, killed=True)
