"""Orphans below codexd become its children, and are taken leave of."""

import os
import signal
import subprocess
import sys

import psutil
import pytest
import trio
import trio.lowlevel
from trio.testing import wait_all_tasks_blocked

from codexd.runtime import process_table, processes
from codexd.runtime.processes import ended_orphans, reap
from tests.fakes import PATIENCE_SECONDS

pytestmark = pytest.mark.usefixtures("subreaper")

SLEEPER = "import time; time.sleep(3600)"
ORPHAN = "import os, time\nif os.fork(): os._exit(0)\nos.setsid()\ntime.sleep(3600)"
ONLY_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has subreapers")


def run(program, **how):
    """A child of this process."""
    return subprocess.Popen([sys.executable, "-I", "-S", "-c", program], **how)


@pytest.fixture
def codex():
    """A child in a session of its own."""
    child = run(SLEEPER, start_new_session=True)
    yield child
    child.kill()
    child.wait()


@pytest.fixture
def own_child():
    """A child of codexd's own, in its session: a probe, say."""
    child = run(SLEEPER)
    yield child
    child.kill()
    child.wait()


def adopted(before):
    """The pid of the child that has come, when it has a session of its own."""
    while not (found := {child.pid for child in psutil.Process().children()} - before):
        os.sched_yield()
    (orphan,) = found
    while os.getsid(orphan) != orphan:
        os.sched_yield()
    return orphan


@ONLY_LINUX
async def test_orphans_that_end_do_not_stay_zombies(codex):
    """Each is taken leave of as it ends, weeks before Codex does."""
    with trio.fail_after(PATIENCE_SECONDS):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(processes.reap_as_they_end, lambda: codex.pid)
            await wait_all_tasks_blocked()
            before = {child.pid for child in psutil.Process().children()}
            run(ORPHAN).wait()
            orphan = adopted(before)
            os.kill(orphan, signal.SIGKILL)
            while psutil.pid_exists(orphan):
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()


@ONLY_LINUX
def test_from_the_end_of_codex_on_nothing_is_taken_until_the_sweep_is_done(codex):
    """What ended with Codex tells the sweep whose session it led, as long as it is a zombie."""
    before = {child.pid for child in psutil.Process().children()}
    run(ORPHAN).wait()
    orphan = adopted(before)
    codex.kill()
    for pid in (codex.pid, orphan):
        if pid == orphan:
            os.kill(orphan, signal.SIGTERM)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    reap(ended_orphans(codex.pid), codex.pid)
    assert psutil.Process(orphan).status() == psutil.STATUS_ZOMBIE
    codex.wait()
    reap(ended_orphans(codex.pid), codex.pid)
    assert psutil.Process(orphan).status() == psutil.STATUS_ZOMBIE
    reap(ended_orphans())
    assert not psutil.pid_exists(orphan)


@pytest.mark.parametrize("first", ["codex", "own"])
def test_exit_statuses_that_somebody_waits_for_stay_where_they_are(codex, own_child, first):
    """Neither Codex's nor that of a child of codexd's own is taken away from who waits for it."""
    children = {"codex": codex, "own": own_child}
    order = [children.pop(first), *children.values()]
    for child in order:
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        reap(ended_orphans(codex.pid), codex.pid)
    assert [child.wait() for child in order] == [-signal.SIGKILL] * 2


def test_system_that_refuses_a_subreaper_is_an_error(monkeypatch):
    """Without it nothing would be swept: that is said rather than found out later."""
    monkeypatch.setattr(processes, "_PR_SET_CHILD_SUBREAPER", 9999)
    with pytest.raises(OSError, match="Invalid argument"):
        processes.become_subreaper()


@pytest.mark.parametrize("error", [OSError(24, "Too many open files"), MemoryError()])
def test_without_descriptors_or_memory_orphans_stay_a_while(monkeypatch, error):
    """They are found when the next one ends."""

    def fail():
        raise error

    monkeypatch.setattr(process_table, "look", fail)
    assert processes.ended_orphans() == set()
