"""One simulated world: codexd as it is, in one process under virtual time, among clients, Codexes and faults.

Everything that happens by chance comes from one seed, so that a seed that fails fails again.
"""

import atexit
import gc
import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import cache
from random import Random

import trio
from trio.testing import MockClock

from codexd.routing.router import Identity
from codexd.runtime.limits import Limits
from codexd.runtime.timeline import Timeline
from tests.simulation.archive import BLOCK, File, SimulatedArchive
from tests.simulation.books import EventBook, Wrong
from tests.simulation.clients import MAX_MESSAGE_BYTES, SimulatedClient
from tests.simulation.clock import SimulatedClock
from tests.simulation.codex import Disk, SimulatedCodex, weather
from tests.simulation.disorder import late, log_is_judged, no_longer_than, same_every_time, small_measures
from tests.simulation.followers import Diary, Follower
from tests.simulation.machine import Doorway, SimulatedMachine, processes_are_of
from tests.simulation.shortage import Shortage, refused
from tests.simulation.watched import WatchedBroker

STOP_SECONDS = 5.0
"""codexd promises to end within this time, whatever clients and Codex do."""
PATIENCE_SECONDS = 400.0
"""How long a calm world may take until everything that is due has come: longer than any deadline of codexd's."""
REAL_SECONDS = 5
"""A seed takes a fiftieth of one."""
REMEMBERED = 60


class World:
    """What a seed makes of it. `trace` holds the last things that happened; `lateness`: how often tasks come too late."""

    def __init__(self, seed: int, directory: str) -> None:
        self.rng = Random(seed)
        self.trace: deque[str] = deque(maxlen=REMEMBERED)
        self._clock = SimulatedClock(seed, self.note)
        self.shortage = Shortage(seed, self.note)
        self.codexd_is_to_end = False
        self.lateness = self.rng.choice((0.0, 0.0, 0.05, 0.5))
        self._directory = directory
        self._disk = Disk()
        self._file = File()
        self.events = EventBook(self._file.faults)
        threads = self.rng.choice(((), (), (None,), ("t0",), (None, "t1")))
        self._diaries = [Diary(f"follower of {thread}", thread, self.events) for thread in threads]
        self._pause = self.rng.choice((0.001, 0.05, 2.0))
        self._path = ""
        self._clients = 0
        self._lives = 0

    def threads(self) -> list[str]:
        """Threads that there are, and one that never was."""
        return [*list(self._disk.threads)[-4:], "t-none"]

    def starter(self, thread: str) -> int:
        """Which client has started a thread."""
        found = self._disk.threads.get(thread)
        return found.starter if found is not None else 0

    def note(self, what: str) -> None:
        """Writes down what happens."""
        self.trace.append(f"{trio.current_time():9.3f}  {what}")

    async def run(self) -> None:
        """One codexd, or two, one after the other."""
        for _ in range(self.rng.choice((1, 1, 1, 2))):
            self._clock.set_right()
            async with trio.open_nursery() as outside:
                outside.start_soon(self._clock.run)
                await self._live(outside)
                outside.cancel_scope.cancel()

    async def _live(self, outside: trio.Nursery) -> None:
        """One life of codexd, to its end."""
        self._lives += 1
        self.codexd_is_to_end = False
        self._path = path = f"{self._directory}/{self._lives}"

        def start(codex: SimulatedCodex) -> None:
            self.note(f"{codex.book.name} is spawned: {codex.life}")
            outside.start_soon(codex.run)

        now = weather(self.rng)
        machine = SimulatedMachine(self.rng, self._disk, now, start, self.shortage, self.note)
        with Doorway(path, self.rng, self.shortage) as doorway, processes_are_of(machine, now.pipe_bytes):
            archive = SimulatedArchive(self._file, self.rng, self._first_number(), self.note)
            broker = self._broker(machine, archive, doorway)
            codexd = Codexd(broker, archive, doorway)
            await outside.start(codexd.run)
            visitors = [self._visitor(path) for _ in range(self.rng.choice((1, 2, 3, 5)))]
            for visitor in tuple(visitors):
                outside.start_soon(self._visit, visitor, doorway)
            for diary in self._diaries:
                outside.start_soon(self._follow, diary, visitors, doorway)
            outside.start_soon(self._lose_the_socket, broker, doorway)
            ending = self.rng.choice(("settled", "settled", "in the middle", "in a flood", "killed"))
            with trio.CancelScope() as until_flood:
                if ending == "in a flood":
                    broker.flooded = until_flood.cancel
                await self._until_finished(visitors, self.rng.random() if ending == "in the middle" else 1.0)
            if ending == "settled":
                await self._settle(machine, archive, visitors)
            self.note(f"codexd is to end: {ending}")
            self.codexd_is_to_end = True
            await codexd.end(killed=ending == "killed")
            doorway.close()
            if ending != "killed":
                await self._look_at_the_last(archive, visitors)

    def _first_number(self) -> int:
        """The clock, in microseconds; it may have been set back a little since the last life."""
        back = self.rng.choice((0, 0, BLOCK // 2)) if self._file.reserved else 0
        return int(self._clock() * 1_000_000) - back

    def _broker(
        self, machine: SimulatedMachine, archive: SimulatedArchive, doorway: Doorway
    ) -> WatchedBroker:
        limits = Limits(
            max_message_bytes=MAX_MESSAGE_BYTES,
            max_outbox_bytes=self.rng.choice((8_000, 40_000, 1 << 20)),
            max_outboxes_bytes=self.rng.choice((60_000, 1 << 28, 1 << 28)),
            stalled_seconds=self.rng.choice((0.5, 0.5, 5.0)),
            spill_bytes=self.rng.choice((500, 4_000, 1 << 20)),
        )
        timeline = Timeline(
            archive,
            ring_bytes=self.rng.choice((1, 3_000, 1 << 20)),
            backlog_bytes=self.rng.choice((3_000, 1 << 20, 1 << 20)),
        )
        identity = Identity(
            pid=1,
            version="0",
            socket="/s",
            codex_home="/nonexistent",
            started_at=self._clock(),
            thread_unload_delay=self.rng.choice((0.0, 0.5, 60.0)),
        )
        return WatchedBroker(
            identity, machine, timeline, limits, doorway, self.events, self.shortage, self._clock
        )

    def _visitor(self, path: str) -> SimulatedClient:
        self._clients += 1
        return SimulatedClient(self._clients, path, self, self._pause)

    async def _visit(self, visitor: SimulatedClient, doorway: Doorway) -> None:
        try:
            await trio.sleep(self.rng.choice((0.0, 0.0, self._pause * 5)) * self.rng.random())
            self.note(str(visitor))
            if visitor.knock():
                doorway.door.knocking.append(visitor)
                await visitor.run()
        finally:
            visitor.close()

    async def _lose_the_socket(self, broker: WatchedBroker, doorway: Doorway) -> None:
        """Somebody removes the path, several times maybe, and codexd notices some time later, as its upkeep does."""
        while self.rng.random() < 0.3:
            await trio.sleep(self._pause * self.rng.choice((0.1, 1.0, 10.0)) * self.rng.random())
            if self.codexd_is_to_end:
                return
            self.note("the socket vanishes")
            doorway.vanish()
            await trio.sleep(self._pause * self.rng.choice((0.0, 0.5, 5.0)))
            if self.codexd_is_to_end:
                return
            self.note("the socket is made anew")
            broker.replace_listener(*doorway.renew())

    async def _follow(self, diary: Diary, visitors: list[SimulatedClient], doorway: Doorway) -> None:
        """Comes again and again, each time from where it was."""
        while not self.codexd_is_to_end:
            self._clients += 1
            follower = Follower(self._clients, self._path, self, self._pause, diary)
            visitors.append(follower)
            await self._visit(follower, doorway)
            if self.rng.random() < 0.3:
                return

    async def _until_finished(self, visitors: Sequence[SimulatedClient], part: float) -> None:
        """Until so much of them have done what they wanted, or it takes too long."""
        wanted = int(part * len(visitors))
        with trio.move_on_after(100 * self._pause * (part + 0.1)):
            await _until(
                lambda: sum(visitor.has_finished for visitor in visitors) >= wanted, self._pause / 10
            )

    async def _settle(
        self, machine: SimulatedMachine, archive: SimulatedArchive, visitors: Sequence[SimulatedClient]
    ) -> None:
        """The faults stop. Everything that is due must come, and nobody is thrown out."""
        self.note("the world calms down")
        machine.calm_down()
        self.shortage.calm_down()
        archive.calm_down()
        for visitor in visitors:
            visitor.hurry()
        with trio.move_on_after(PATIENCE_SECONDS):
            await _until(lambda: all(visitor.is_settled for visitor in visitors))
            for visitor in visitors:
                if isinstance(visitor, Follower):
                    visitor.has_all(self.events.last)
            return
        raise Wrong("; ".join(str(v.book) for v in visitors if not v.is_settled))

    async def _look_at_the_last(self, archive: SimulatedArchive, visitors: Sequence[SimulatedClient]) -> None:
        """codexd has ended in good order: who reads has been answered everything, and sees the end."""
        reading = [visitor for visitor in visitors if visitor.reads == "eager" and visitor.has_knocked]
        with trio.move_on_after(PATIENCE_SECONDS):
            await _until(lambda: all(visitor.has_ended for visitor in reading))
        for visitor in reading:
            book = visitor.book
            if not visitor.has_ended:
                raise Wrong(f"{book.name} does not see the end")
            is_late = book.waits_for_disk and (self.lateness or not archive.reads_at_once)
            if not (visitor.has_left or book.was_cut or is_late) and book.lacks_something:
                raise Wrong(f"codexd has ended, and has not answered all: {book}")


async def _until(condition: Callable[[], bool], pause: float = 0.01) -> None:
    """Looks now and then, less and less often."""
    while not condition():
        await trio.sleep(pause)
        pause = min(1.5 * pause, 10.0)


class Codexd:
    """The one that is tried out."""

    def __init__(self, broker: WatchedBroker, archive: SimulatedArchive, doorway: Doorway) -> None:
        self._broker, self._archive, self._doorway = broker, archive, doorway
        self._scope = trio.CancelScope()
        self._ended = trio.Event()

    async def run(self, task_status: trio.TaskStatus[None]) -> None:
        """Serves to its end."""
        with self._scope:
            await self._broker.run([self._doorway.door], task_status=task_status)
        self._ended.set()

    async def end(self, *, killed: bool) -> None:
        """Stops it, or just ends it."""
        if killed:
            self._archive.kill()
            self._scope.cancel()
        else:
            self._broker.stop()
        with trio.move_on_after(STOP_SECONDS):
            await self._ended.wait()
            return
        raise Wrong(f"codexd does not end within {STOP_SECONDS:.0f} s")


@cache
def _directory() -> str:
    """Where the sockets are: one for all worlds of this process."""
    directory = tempfile.TemporaryDirectory(prefix="codexd-simulation-")
    atexit.register(directory.cleanup)
    return directory.name


def simulate(seed: int) -> World:
    """Runs the world of a seed to its end. Raises what went wrong, with the last things that happened as its notes."""
    with ExitStack() as stack:
        world = World(seed, _directory())
        stack.enter_context(no_longer_than(REAL_SECONDS))
        stack.enter_context(log_is_judged(something_is_short=world.shortage.is_any))
        stack.enter_context(same_every_time(seed))
        stack.enter_context(small_measures(world.rng))
        stack.enter_context(refused(world.shortage))
        stack.enter_context(late(world.rng, world.lateness))
        gc.disable()  # there is enough time for that when the world is over
        try:
            trio.run(world.run, clock=MockClock(autojump_threshold=0.0))
        except BaseException as error:
            error.add_note("\n".join([*world.trace, f"seed {seed}"]))
            raise
        finally:
            gc.enable()
        return world
