"""One Codex after another, each reported from its start to its end, and swept up after."""

import json
import os
import signal
import sys
import threading
import uuid

import psutil
import pytest
import trio
import trio.lowlevel

from codexd.runtime.belongings import Belongings
from codexd.runtime.codex import Codex, CodexUnavailable
from codexd.runtime.machine import ThisMachine
from codexd.runtime.supervisor import STOPPED_EARLY, Supervisor
from tests.fakes import PATIENCE_SECONDS, RecordingReports, fake_codex

pytestmark = pytest.mark.usefixtures("subreaper")

SLEEPER = "import time; time.sleep(3600)"


@pytest.fixture
def reports():
    """What the supervisor reports."""
    return RecordingReports()


@pytest.fixture
async def supervise(nursery, reports):
    """Runs a supervisor that finds Codex this way; a fake one with these manners if nothing is said."""

    def start(find=None, record=None, **manners):
        mark = f"test-{uuid.uuid4().hex}"
        machine = ThisMachine(find or (lambda: fake_codex(mark, **manners)), record)
        supervisor = Supervisor(machine, reports)
        nursery.start_soon(supervisor.run)
        return supervisor

    with trio.fail_after(PATIENCE_SECONDS):
        yield start
        nursery.cancel_scope.cancel()


def request(method, params=None, number=1):
    """The bytes of a request."""
    return json.dumps({"id": number, "method": method, "params": params or {}}).encode() + b"\n"


async def wait_for(reports, condition):
    """Waits until the reports are as wanted, and returns what the condition says."""
    while not (found := condition()):
        await reports.wait_change()
    return found


async def test_lives_follow_each_other_and_reports_say_whose_they_are(supervise, reports):
    """Spawned, heard, exited, for each incarnation under its own number.

    Regression T22: happy took the exit report of an old child for the end of the new one.
    """
    supervisor = supervise()
    for incarnation in (1, 2):
        supervisor.start(incarnation)
        await wait_for(reports, lambda: incarnation in reports.pids)  # noqa: B023  # waited for right here
        supervisor.write(request("hello", number=incarnation))
        await wait_for(reports, lambda: len(reports.lines) == incarnation)  # noqa: B023
        supervisor.write(request("fake/die", {"signal": signal.SIGKILL}))
        await wait_for(reports, lambda: len(reports.exits) == incarnation)  # noqa: B023
    assert reports.pids[1] != reports.pids[2]
    assert reports.lines == [(1, b'{"id": 1, "result": {}}'), (2, b'{"id": 2, "result": {}}')]
    assert reports.exits == [(n, "Codex was killed by SIGKILL") for n in (1, 2)]


async def test_what_codex_leaves_is_gone_before_the_next_one_starts(supervise, reports):
    """The next Codex never meets the processes of the one before."""
    supervisor = supervise()
    supervisor.start(1)
    await wait_for(reports, lambda: 1 in reports.pids)
    supervisor.write(request("fake/spawn", {"program": SLEEPER}))
    await wait_for(reports, lambda: reports.lines)
    left = json.loads(reports.lines[0][1])["result"]["pid"]
    supervisor.write(request("fake/die", {"signal": signal.SIGKILL}))
    supervisor.start(2)
    await wait_for(reports, lambda: 2 in reports.pids)
    assert not psutil.pid_exists(left)


async def test_what_a_killed_codexd_left_is_gone_before_the_first_one_starts(reports, supervise, tmp_path):
    """The Codex of a codexd that was killed holds the threads' locks: it has to go first, once."""
    record = tmp_path / "processes.json"
    mark = f"test-{uuid.uuid4().hex}"
    left = await Codex.spawn(fake_codex(mark, ignore=["EOF", "SIGTERM"]))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(left.run, lambda lines: None)
        Belongings(record).look(left.pid)
        supervisor = supervise(lambda: fake_codex(mark), record)
        supervisor.start(1)
        await wait_for(reports, lambda: 1 in reports.pids)
    assert not psutil.pid_exists(left.pid)
    assert reports.exits == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has subreapers")
async def test_orphans_that_end_meanwhile_are_no_zombies(supervise, reports):
    """A Codex that runs for weeks does not fill the process table through codexd."""
    supervisor = supervise()
    supervisor.start(1)
    await wait_for(reports, lambda: reports.learnt)
    program = "import os, time\nif os.fork(): os._exit(0)\nos.setsid()\ntime.sleep(3600)"
    supervisor.write(request("fake/spawn", {"program": program}))
    own_children = psutil.Process().children
    while not (adopted := {child.pid for child in own_children()} - {reports.pids[1]}):
        await trio.lowlevel.checkpoint()
    (orphan,) = adopted
    while os.getsid(orphan) != orphan:
        await trio.lowlevel.checkpoint()
    os.kill(orphan, signal.SIGKILL)
    while psutil.pid_exists(orphan):
        await trio.lowlevel.checkpoint()
    assert reports.exits == []


async def test_codex_that_cannot_be_had_is_reported_and_tried_again_when_told(supervise, reports):
    """Not found, or found and not to be started: the sentence is the reason."""

    def find():
        if not reports.exits:
            raise CodexUnavailable("no Codex found: install it")
        return fake_codex(start=[["die", {"status": 2}]])

    supervisor = supervise(find)
    for incarnation in (1, 2):
        supervisor.start(incarnation)
        await wait_for(reports, lambda: len(reports.exits) == incarnation)  # noqa: B023
    assert reports.exits == [(1, "no Codex found: install it"), (2, "Codex exited with status 2")]
    assert set(reports.pids) == {2}


async def test_finish_ends_codex_and_what_it_left_and_returns(reports):
    """When `run` has returned there is no process any more."""
    supervisor = Supervisor(ThisMachine(lambda: fake_codex(f"test-{uuid.uuid4().hex}")), reports)
    with trio.fail_after(PATIENCE_SECONDS):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervisor.run)
            supervisor.start(1)
            await wait_for(reports, lambda: reports.pids)
            supervisor.write(request("fake/spawn", {"program": SLEEPER, "setsid": True}))
            await wait_for(reports, lambda: reports.lines)
            supervisor.finish()
    left = json.loads(reports.lines[0][1])["result"]["pid"]
    assert not psutil.pid_exists(left)
    assert reports.exits == [(1, "Codex was stopped")]


async def test_stop_while_codex_is_still_looked_for(supervise, reports):
    """A search that takes long, on a dead network disk say, is not waited for."""
    searching, found = threading.Event(), threading.Event()

    def find():
        searching.set()
        found.wait(PATIENCE_SECONDS)
        return fake_codex()

    supervisor = supervise(find)
    supervisor.start(1)
    await trio.to_thread.run_sync(searching.wait)
    supervisor.stop(1)
    await wait_for(reports, lambda: reports.exits)
    found.set()
    assert reports.exits == [(1, STOPPED_EARLY)]
    assert reports.pids == {}


async def test_stop_before_the_order_was_begun(supervise, reports):
    """An order that was taken back is not carried out, and the next one is."""
    supervisor = supervise()
    supervisor.start(1)
    supervisor.stop(1)
    supervisor.start(2)
    await wait_for(reports, lambda: 2 in reports.pids)
    assert reports.exits == [(1, STOPPED_EARLY)]
    assert set(reports.pids) == {2}


async def test_stop_in_the_instant_of_the_spawn(reports):
    """A Codex that is just being spawned when it is to stop is ended as soon as it is there."""

    def find():
        trio.from_thread.run_sync(
            setattr, supervisor, "_last_stopped", 1
        )  # the search itself is over by then
        return fake_codex()

    supervisor = Supervisor(ThisMachine(find), reports)
    with trio.fail_after(PATIENCE_SECONDS):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervisor.run)
            supervisor.start(1)
            await wait_for(reports, lambda: reports.exits)
            supervisor.finish()
    assert reports.exits == [(1, "Codex was stopped")]


async def test_stop_after_the_end_is_no_fault(supervise, reports):
    """The core may learn of an end later than it asks for one."""
    supervisor = supervise(start=[["die", {"status": 0}]])
    supervisor.start(1)
    await wait_for(reports, lambda: reports.exits)
    supervisor.stop(1)
    supervisor.start(2)
    await wait_for(reports, lambda: len(reports.exits) == 2)
    assert [incarnation for incarnation, _ in reports.exits] == [1, 2]


async def test_cancelled_supervisor_leaves_nothing(reports):
    """Whatever brings codexd down: Codex and what it started are gone."""
    supervisor = Supervisor(
        ThisMachine(lambda: fake_codex(f"test-{uuid.uuid4().hex}", ignore=["EOF", "SIGTERM"])), reports
    )
    with trio.fail_after(PATIENCE_SECONDS):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervisor.run)
            supervisor.start(1)
            await wait_for(reports, lambda: reports.pids)
            supervisor.write(request("fake/spawn", {"program": SLEEPER, "setsid": True}))
            await wait_for(reports, lambda: reports.lines)
            nursery.cancel_scope.cancel()
    left = json.loads(reports.lines[0][1])["result"]["pid"]
    assert not psutil.pid_exists(left)
    assert not psutil.pid_exists(reports.pids[1])
    assert reports.exits == []
