"""What is Codex's own does not outlive it, what has left it does, and nobody else comes to harm."""

import json
import logging
import os
import signal
import subprocess
import sys
import uuid

import psutil
import pytest

from codexd.protocol import running
from codexd.runtime import process_table, processes, sweep as sweep_module
from codexd.runtime.belongings import Belongings
from codexd.runtime.ownership import Member, Record
from codexd.runtime.processes import ended_orphans, reap
from codexd.runtime.sweep import end_codex, sweep, sweep_leftovers
from tests.fakes import fake_codex

pytestmark = pytest.mark.usefixtures("subreaper")

SLEEPER = "import time; time.sleep(3600)"
ONLY_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has subreapers")


class Family:
    """A fake Codex in a session of its own that starts what it is told to, and what is known of it."""

    def __init__(self, place):
        self.place = place
        launch = fake_codex(f"test-{uuid.uuid4().hex}", ignore=["EOF"])
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
        self.belongings = Belongings(place / "processes.json")

    def spawn(self, program=SLEEPER, **how):
        """Has it start a program; returns the pid. With `setsid` that is a command, else an MCP server, say."""
        request = {"id": 1, "method": "fake/spawn", "params": {"program": program, **how}}
        assert self.codex.stdin is not None
        assert self.codex.stdout is not None
        self.codex.stdin.write(json.dumps(request) + "\n")
        child = json.loads(self.codex.stdout.readline())["result"]["pid"]
        self.members.append(psutil.Process(child))
        return child

    def below(self, program=SLEEPER, before="", **how):
        """Has it start a shell, say, which starts a program; returns both pids."""
        child = Told(self.place)
        parent = self.spawn(
            f"import os, time\n{before}\nif os.fork(): time.sleep(3600)\n{child.tell}\nexec({program!r})",
            **how,
        )
        return parent, self.joined(child.pid())

    def daemon(self, **how):
        """The same, and the program leaves."""
        child = Told(self.place)
        leave = "if os.fork(): os._exit(0)\nos.setsid()\n"
        parent = self.spawn(
            f"import os, time\nif os.fork(): time.sleep(3600)\n{leave}{child.tell}\n{SLEEPER}", **how
        )
        return parent, self.joined(child.pid())

    def joined(self, pid):
        """Another member of the family."""
        self.members.append(psutil.Process(pid))
        return pid

    def look(self, **how):
        """As codexd does from time to time."""
        self.belongings.look(self.codex.pid, **how)
        return self.belongings.of(self.codex.pid)

    def known(self):
        """What codexd knows when Codex has ended."""
        return self.belongings.of(self.codex.pid)

    def kill_codex(self):
        """Codex dies as a crash would end it; its exit status is taken."""
        self.codex.kill()
        self.codex.communicate()

    def living(self):
        """The pids of all members that still run; a zombie does not."""
        return [p.pid for p in self.members if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


class Told:
    """The pid of a process that says it: `tell` is what it runs."""

    def __init__(self, place):
        self._file = place / uuid.uuid4().hex
        new = f"{self._file}.new"
        self.tell = f"open({new!r}, 'w').write(str(os.getpid())); os.rename({new!r}, {str(self._file)!r})"

    def pid(self):
        """Waits until it was said."""
        while not self._file.exists():
            os.sched_yield()
        return int(self._file.read_text())


@pytest.fixture
def family(tmp_path):
    """A Codex of which nothing is known yet."""
    made = Family(tmp_path)
    yield made
    for member in made.members:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    made.codex.communicate()
    reap(ended_orphans())


@pytest.fixture
def own_child():
    """A child of codexd's own, in its session: a probe, say."""
    child = subprocess.Popen([sys.executable, "-I", "-S", "-c", SLEEPER])
    yield child
    child.kill()
    child.wait()


@ONLY_LINUX
def test_servers_commands_and_what_is_below_them_are_ended(family, own_child, caplog):
    """MCP servers in Codex's session, commands in theirs, with the mark in their environment or without."""
    caplog.set_level(logging.INFO)
    family.spawn()
    family.spawn(forget=True, setsid=True)
    family.below(setsid=True)
    family.look()
    family.kill_codex()
    left = family.living()
    assert len(left) == 4
    assert sweep(family.known())
    assert family.living() == []
    assert not any(psutil.pid_exists(member.pid) for member in family.members), "no zombie is left"
    assert own_child.poll() is None, "what codexd itself started is not Codex's"
    (record,) = caplog.records
    assert record.getMessage().startswith("ended 4 processes that Codex had left behind: ")
    assert all(f"{pid} (" in record.getMessage() for pid in left)


@ONLY_LINUX
@pytest.mark.parametrize("is_looked_at", [True, False])
def test_a_daemon_that_a_command_started_lives_on(family, is_looked_at):
    """Regression: a tmux server with the user's windows in it was killed because it bore codexd's mark."""
    family.look()
    shell, daemon = family.daemon(setsid=True)
    if is_looked_at:
        family.look()
    family.kill_codex()
    assert sweep(family.known())
    assert daemon in family.living()
    assert is_looked_at == (shell not in family.living())


@ONLY_LINUX
def test_a_daemon_that_was_seen_before_it_left_lives_on(family):
    """It was a member of its command then."""
    go = family.place / "go"
    program = f"while not os.path.exists({str(go)!r}): time.sleep(0.001)\nos.setsid()\n{SLEEPER}"
    shell, daemon = family.below(program, before="import os.path", setsid=True)
    family.look()
    os.kill(shell, signal.SIGKILL)
    while psutil.Process(daemon).ppid() == shell:
        os.sched_yield()
    go.touch()
    while os.getsid(daemon) != daemon:
        os.sched_yield()
    family.kill_codex()
    assert sweep(family.known())
    assert family.living() == [daemon]


@ONLY_LINUX
def test_what_was_started_too_late_to_be_looked_at_ends_with_its_command(family):
    """The kernel ended the command with Codex, as it does with Codex's children, and that tells whose session it was."""
    family.look()
    command, job = family.below(setsid=True)
    family.kill_codex()
    os.kill(command, signal.SIGTERM)
    os.waitid(os.P_PID, command, os.WEXITED | os.WNOWAIT)
    assert sweep(family.known())
    assert job not in family.living()


@ONLY_LINUX
def test_a_session_whose_leader_ended_by_itself_is_nobodys(family):
    """A daemon that was started by two forks: the one between, which made the session, has ended in good order."""
    family.look()
    child = Told(family.place)
    daemonize = "if os.fork(): time.sleep(3600)\nos.setsid()\nif os.fork(): os._exit(0)\n"
    family.spawn(f"import os, time\n{daemonize}{child.tell}\n{SLEEPER}", setsid=True)
    daemon = family.joined(child.pid())
    family.kill_codex()
    assert sweep(family.known())
    assert daemon in family.living()


def test_without_a_subreaper_the_record_tells(family):
    """Where orphans become init's (macOS) there are no zombies to learn from."""
    processes.become_subreaper(False)
    family.spawn(forget=True)
    family.below(setsid=True)
    family.look()
    family.kill_codex()
    assert sweep(family.known())
    assert family.living() == []


def test_with_nothing_left_nothing_is_done(family, own_child, caplog):
    """The rule after an orderly end."""
    caplog.set_level(logging.INFO)
    family.look(last=True)
    family.kill_codex()
    assert sweep(family.known())
    assert caplog.records == []


def test_a_process_may_end_in_good_order(family):
    """SIGTERM comes first: a development server removes its lock, a database writes down what it has."""
    ready, done = family.place / "ready", family.place / "done"
    orderly = (
        "import os, signal, time\n"
        f"def end(*_): open({str(done)!r}, 'w').close(); os._exit(0)\n"
        f"signal.signal(signal.SIGTERM, end); open({str(ready)!r}, 'w').close()\n"
        "while True: time.sleep(3600)"
    )
    family.below(orderly, setsid=True)
    while not ready.exists():
        os.sched_yield()
    family.look()
    family.kill_codex()
    assert sweep(family.known())
    assert family.living() == []
    assert done.exists()


def test_one_that_does_not_hear_is_killed(family):
    """Ignoring SIGTERM is no way to outlive Codex."""
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(3600)"
    family.below(deaf, setsid=True)
    family.look()
    family.kill_codex()
    assert sweep(family.known())
    assert family.living() == []


@ONLY_LINUX
def test_goes_on_while_what_it_ends_starts_others(family):
    """A process that keeps starting others does not get away with it."""
    name = uuid.uuid4().hex
    restless = (
        "import subprocess, sys, time\n"
        f"for _ in range(10): subprocess.Popen([sys.executable, '-I', '-S', '-c', 'import time; time.sleep(3600)', {name!r}])\n"
        "time.sleep(3600)"
    )
    for _ in range(3):
        family.spawn(restless, setsid=True)
    family.look()
    family.kill_codex()
    assert sweep(family.known())
    assert family.living() == []
    assert [p for p in psutil.process_iter(["cmdline"]) if name in (p.info["cmdline"] or [])] == []


def test_leftovers_of_a_killed_codexd_are_ended_its_codex_included(family):
    """The next codexd finds them by what the killed one had written down."""
    family.spawn(forget=True)
    family.below(setsid=True)
    family.look()
    record = Belongings(family.place / "processes.json").left_by_a_killed_codexd()
    assert record is not None
    assert sweep_leftovers(record)
    assert family.living() == []


@ONLY_LINUX
def test_leftovers_that_had_left_are_spared_after_a_kill_of_codexd_too(family):
    """And so is what merely bears the mark of that codexd."""
    shell, daemon = family.daemon(setsid=True)
    family.look()
    family.kill_codex()
    record = Belongings(family.place / "processes.json").left_by_a_killed_codexd()
    assert record is not None
    assert sweep_leftovers(record)
    assert family.living() == [daemon]
    assert shell not in family.living()


def test_with_the_sweep_switched_off_only_codex_itself_is_ended(family):
    """It would hold the threads that the next one wants."""
    server = family.spawn()
    record = family.look()
    assert end_codex(record)
    assert family.living() == [server]


@pytest.mark.parametrize("text", [b"", b"{}", b"[1", b"\xff", b'{"era":1}'])
def test_a_record_that_cannot_be_read_ends_nothing(tmp_path, caplog, text):
    """Damaged, or of a codexd that wrote it differently."""
    (tmp_path / "record").write_bytes(text)
    assert Belongings(tmp_path / "record").left_by_a_killed_codexd() is None
    assert "is of no use" in caplog.text


def test_a_record_of_another_boot_ends_nothing(family):
    """Its pids and times mean other processes now."""
    family.look()
    file = family.place / "processes.json"
    file.write_bytes(file.read_bytes().replace(process_table.era().encode(), b"another boot"))
    assert Belongings(file).left_by_a_killed_codexd() is None


def test_a_recorded_pid_that_is_somebody_elses_now_is_left_alone(family):
    """The start time has to be the same."""
    record = family.look()
    moved = [Member(m.pid, m.started + 1, m.parent, m.session) for m in record.members]
    assert sweep_leftovers(Record(record.era, record.codex, moved, record.sessions, is_last=True))
    assert family.living() == [family.codex.pid]


def test_codexd_spares_itself_and_what_it_was_started_by(family):
    """A codexd that a command of the Codex to be cleared away has started ends neither itself nor that Codex."""
    sweeper = (
        f"import sys; sys.path[:0] = {sys.path!r}\n"
        "from pathlib import Path\n"
        "from codexd.runtime.belongings import Belongings\n"
        "from codexd.runtime.sweep import sweep_leftovers\n"
        f"record = Belongings(Path({str(family.place / 'processes.json')!r})).left_by_a_killed_codexd()\n"
        "print('{\"done\": %d}' % sweep_leftovers(record), flush=True)\n"
        "import time; time.sleep(3600)"
    )
    sibling = family.spawn()
    family.look()
    codexd = family.spawn(sweeper, share=True)
    assert json.loads(family.codex.stdout.readline()) == {"done": 1}
    assert family.living() == [family.codex.pid, codexd]
    assert sibling not in family.living()


def test_another_codexd_that_a_command_started_is_spared_with_what_is_below_it(family):
    """Regression: a codexd of another CODEX_HOME was killed with its clients' turns."""
    lock = family.place / running.FILE
    codexd, its_codex = family.below(before=f"held = open({str(lock)!r}, 'w')", setsid=True)
    family.below(setsid=True)
    family.look()
    family.kill_codex()
    assert sweep(family.known())
    assert family.living() == [codexd, its_codex]


def test_what_cannot_be_ended_is_named_and_given_up(family, caplog, monkeypatch):
    """A process that does not end, in an uninterruptible wait say, does not hold codexd up for long."""
    server = family.spawn()
    family.look()
    family.kill_codex()

    def refuse(*_):
        raise psutil.AccessDenied(server)

    with monkeypatch.context() as patched:
        patched.setattr(psutil.Process, "send_signal", refuse)
        patched.setattr(sweep_module, "GRACE_SECONDS", 0.0)
        patched.setattr(sweep_module, "SWEEP_SECONDS", 0.05)
        assert not sweep(family.known())
    (record,) = caplog.records
    assert record.getMessage().startswith(f"processes that could not be ended: {server} (")


@ONLY_LINUX
@pytest.mark.parametrize("seconds_ago", [0, 3600])
def test_a_look_while_codex_is_dying_loses_nobody(family, seconds_ago):
    """Regression: the kernel ends Codex thread by thread, and its commands with them; for a moment what a command had
    started looks as if it had left. The look before may have been long ago."""
    command, detached = family.below("os.setsid()\n" + SLEEPER, setsid=True)
    while os.getsid(detached) != detached:
        os.sched_yield()
    family.look()
    family.belongings._recent = [(at - seconds_ago, record) for at, record in family.belongings._recent]
    os.kill(command, signal.SIGTERM)
    while psutil.Process(detached).ppid() != os.getpid():
        os.sched_yield()
    family.look()
    family.kill_codex()
    assert sweep(family.known())
    assert detached not in family.living()
