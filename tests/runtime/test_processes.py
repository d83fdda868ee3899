"""What Codex leaves behind does not outlive it, and nobody else comes to harm."""

import json
import logging
import os
import signal
import subprocess
import sys
import uuid

import psutil
import pytest
import trio
import trio.lowlevel
from trio.testing import wait_all_tasks_blocked

from codexd.protocol.sandbox import MARK_VARIABLE
from codexd.runtime import processes
from codexd.runtime.processes import reap_adopted, sweep, sweep_leftovers
from tests.fakes import PATIENCE_SECONDS, fake_codex

pytestmark = pytest.mark.usefixtures("subreaper")

SLEEPER = "import time; time.sleep(3600)"
ONLY_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has subreapers")


class Family:
    """A fake Codex in a session of its own that starts what it is told to."""

    def __init__(self, mark):
        self.mark = mark
        launch = fake_codex(mark, ignore=["EOF", "SIGTERM"])
        self.codex = subprocess.Popen(
            launch.argv,
            env=launch.env,
            start_new_session=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self.members = [psutil.Process(self.codex.pid)]

    def spawn(self, program=SLEEPER, **how):
        """Has it start a program; returns the pid."""
        request = {"id": 1, "method": "fake/spawn", "params": {"program": program, **how}}
        assert self.codex.stdin is not None
        assert self.codex.stdout is not None
        self.codex.stdin.write(json.dumps(request) + "\n")
        child = psutil.Process(json.loads(self.codex.stdout.readline())["result"]["pid"])
        self.members.append(child)
        return child.pid

    def kill_codex(self):
        """Codex dies as a crash would end it; its exit status is taken."""
        self.codex.kill()
        self.codex.communicate()

    def living(self):
        """The pids of all members that still run; a zombie does not."""
        return [p.pid for p in self.members if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture
def family():
    """A family with a mark that no other test has."""
    made = Family(f"test-{uuid.uuid4().hex}")
    yield made
    for member in made.members:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    made.codex.communicate()
    reap_adopted()


@pytest.fixture
def own_child():
    """A child of codexd's own, in its session: a probe, say."""
    child = subprocess.Popen([sys.executable, "-I", "-S", "-c", SLEEPER])
    yield child
    child.kill()
    child.wait()


@ONLY_LINUX
def test_sweep_ends_everything_that_codex_left(family, own_child):
    """Children and grandchildren, those with a session of their own too, and those that have forgotten the mark."""
    family.spawn()
    family.spawn(setsid=True)
    family.spawn(forget=True, setsid=True)
    family.kill_codex()
    assert len(family.living()) == 3
    assert sweep(family.mark, family.codex.pid) == 3
    assert family.living() == []
    assert not any(psutil.pid_exists(member.pid) for member in family.members), "no zombie is left"
    assert own_child.poll() is None, "what codexd itself started is not Codex's"


def test_sweep_without_a_subreaper_finds_what_has_the_session_or_the_mark(family):
    """Where orphans become init's (macOS), Codex's session and the mark tell whose they were."""
    processes.become_subreaper(False)
    family.spawn(forget=True)
    family.spawn(setsid=True)
    family.kill_codex()
    assert sweep(family.mark, family.codex.pid) == 2
    assert family.living() == []


def test_sweep_with_nothing_left_does_nothing(family, own_child, caplog):
    """The rule after an orderly end."""
    caplog.set_level(logging.INFO)
    family.kill_codex()
    assert sweep(family.mark, family.codex.pid) == 0
    assert caplog.records == []


def test_sweep_goes_on_while_what_it_ends_starts_others(family):
    """A process that keeps starting others does not get away with it."""
    restless = (
        "import subprocess, sys, time\n"
        "for _ in range(10): subprocess.Popen([sys.executable, '-I', '-S', '-c', 'import time; time.sleep(3600)'])\n"
        "time.sleep(3600)"
    )
    for _ in range(3):
        family.spawn(restless, setsid=True)
    family.kill_codex()
    assert sweep(family.mark, family.codex.pid) >= 3
    assert family.living() == []
    assert marked(family.mark) == []


def marked(mark):
    """The pids of all living processes with the mark."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK_VARIABLE) == mark:
                found.append(process.pid)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def test_leftovers_of_a_killed_codexd_are_ended_its_codex_included(family):
    """The next codexd ends them by their mark, and what is below them without one.

    Codex withholds the mark from MCP servers, so those are found as its children.
    """
    family.spawn(setsid=True)
    family.spawn(forget=True)
    assert len(family.living()) == 3
    assert sweep_leftovers(family.mark) == 3
    assert family.living() == []


def test_leftovers_of_somebody_else_are_left_alone(family):
    """Another CODEX_HOME has another mark, however alike."""
    for mark in (family.mark[:-1], family.mark + "x", ""):
        assert sweep_leftovers(mark) == 0
    assert family.living() == [family.codex.pid]


def test_codexd_spares_itself_and_what_it_was_started_by(family):
    """A codexd that a command of the Codex to be cleared away has started ends neither itself nor that Codex."""
    sweeper = (
        f"import sys; sys.path[:0] = {sys.path!r}\n"
        "from codexd.runtime.processes import sweep_leftovers\n"
        f"print('{{\"swept\": %d}}' % sweep_leftovers({family.mark!r}), flush=True)\n"
        "import time; time.sleep(3600)"
    )
    sibling = family.spawn()
    codexd = family.spawn(sweeper, share=True)
    assert json.loads(family.codex.stdout.readline()) == {"swept": 1}
    assert family.living() == [family.codex.pid, codexd]
    assert sibling not in family.living()


def test_what_cannot_be_ended_is_named_and_given_up(caplog):
    """A process that does not end, in an uninterruptible wait say, does not hold codexd up for long."""

    class Immortal:
        def kill(self):
            """Does nothing, as on a process that waits for a dead disk; or the process is not ours to kill."""
            raise psutil.AccessDenied(1)

    process = processes._Process(1, 0, 0, None, Immortal())  # type: ignore[arg-type]  # a stand-in
    assert processes._end_all(lambda: [process]) == 0
    assert [record.getMessage() for record in caplog.records] == ["processes that could not be ended: [1]"]


@ONLY_LINUX
async def test_orphans_that_end_while_codex_runs_do_not_stay_zombies(family):
    """Each is taken leave of as it ends, weeks before Codex does."""
    with trio.fail_after(PATIENCE_SECONDS):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(processes.reap_adopted_as_they_end, family.codex.pid)
            await wait_all_tasks_blocked()
            before = {child.pid for child in psutil.Process().children()}
            family.spawn("import os, time\nif os.fork(): os._exit(0)\nos.setsid()\ntime.sleep(3600)")
            while not (adopted := {child.pid for child in psutil.Process().children()} - before):
                await trio.lowlevel.checkpoint()
            (orphan,) = adopted
            os.kill(orphan, signal.SIGKILL)
            while psutil.pid_exists(orphan):
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize("first", ["codex", "own"])
def test_exit_statuses_that_somebody_waits_for_stay_where_they_are(family, own_child, first):
    """Neither Codex's nor that of a child of codexd's own is taken away from who waits for it."""
    children = {"codex": family.codex, "own": own_child}
    order = [children.pop(first), *children.values()]
    for child in order:
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        reap_adopted(family.codex.pid)
    assert [child.wait() for child in order] == [-signal.SIGKILL] * 2


def test_system_that_refuses_a_subreaper_is_an_error(monkeypatch):
    """Without it nothing would be swept: that is said rather than found out later."""
    monkeypatch.setattr(processes, "_PR_SET_CHILD_SUBREAPER", 9999)
    with pytest.raises(OSError, match="Invalid argument"):
        processes.become_subreaper()
