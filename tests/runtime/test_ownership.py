"""What is Codex's own and what has left: decided from tables of processes that never were."""

from random import Random

import pytest
from hypothesis import given, strategies as st

from codexd.runtime import ownership
from codexd.runtime.ownership import Record
from codexd.runtime.process_table import Process

CODEXD, CODEX = 10, 20
ERA = "this boot"


class System:
    """A system with codexd, Codex as its child, and what happens to their processes."""

    def __init__(self):
        self.now = 0
        self.table = {1: Process(1, 0, 1, 1, 0), CODEXD: Process(CODEXD, 1, CODEXD, CODEXD, 0)}
        self.table[CODEX] = Process(CODEX, CODEXD, CODEX, CODEX, 0)
        self.last: Record | None = None
        self.free = iter(range(30, 10_000))

    def fork(self, parent, *, setsid=False, pid=None):
        """A child; `setsid`: the leader of a session of its own."""
        self.now += 1
        pid = next(self.free) if pid is None else pid
        above = self.table[parent]
        group, session = (pid, pid) if setsid else (above.group, above.session)
        self.table[pid] = Process(pid, parent, group, session, self.now)
        return pid

    def serve(self):
        """An MCP server: in Codex's session, and a group of its own."""
        pid = self.fork(CODEX)
        self.table[pid] = self.table[pid]._replace(group=pid)
        return pid

    def setsid(self, pid):
        """It makes a session of its own, which who leads a group can't."""
        self.table[pid] = self.table[pid]._replace(group=pid, session=pid)

    def exit(self, pid, *, reaped=True):
        """It ends, its children become codexd's, and its parent takes its exit status or does not."""
        for child in [p for p in self.table.values() if p.parent == pid]:
            self.table[child.pid] = child._replace(parent=CODEXD)
        self.table[pid] = self.table[pid]._replace(ended=True)
        if reaped:
            del self.table[pid]

    def look(self, *, last=False):
        """codexd looks."""
        found = ownership.record(CODEX, dict(self.table), self.last, ERA)
        self.last = Record(found.era, found.codex, found.members, found.sessions, last)

    def codex_dies(self):
        """Its children are ended with it, and wait for codexd to take their exit statuses."""
        children = [p.pid for p in self.table.values() if p.parent == CODEX and not p.ended]
        self.exit(CODEX)
        for child in children:
            self.exit(child, reaped=False)

    def left_behind(self, known=()):
        """What is to be ended."""
        assert self.last is not None
        return {p for p in ownership.owned(self.last, self.table, known) if not self.table[p].ended}


@pytest.fixture
def system():
    """Codex has just started."""
    return System()


def test_an_mcp_server_and_what_it_started_is_codexs_own(system):
    """It is in Codex's session, in a group of its own or not, and nobody else ever is."""
    server = system.serve()
    helper = system.fork(server)
    system.look()
    late = system.fork(helper)
    system.exit(CODEX)
    assert system.left_behind() == {server, helper, late}


def test_a_command_and_its_jobs_are_codexs_own(system):
    """Each command leads a session. Its jobs in the background are its own also when its shell has ended."""
    shell = system.fork(CODEX, setsid=True)
    job = system.fork(shell)
    system.look()
    late = system.fork(job)
    system.exit(shell)
    system.look()
    system.codex_dies()
    assert system.left_behind() == {job, late}


def test_a_daemon_that_a_command_started_has_left(system):
    """tmux, ssh-agent: a session of its own, and no parent below Codex; its windows are its own, too."""
    shell = system.fork(CODEX, setsid=True)
    client = system.fork(shell)
    server = system.fork(client)
    window = system.fork(server, setsid=True)
    system.look()
    system.setsid(server)
    system.exit(client)
    assert system.left_behind() >= {shell}
    system.look()
    system.codex_dies()
    assert system.left_behind() == set()
    assert {server, window} <= system.table.keys()


def test_a_daemon_that_left_after_the_last_look_has_left(system):
    """It was a child of a command when it was seen; the session is another one since."""
    shell = system.fork(CODEX, setsid=True)
    client = system.fork(shell)
    server = system.fork(client)
    system.look()
    system.setsid(server)
    system.exit(client)
    system.codex_dies()
    assert system.left_behind() == set()


def test_a_build_daemon_that_lost_its_client_after_the_last_look_has_left(system):
    """It had its session when it was seen, and then the client that was its parent ended before Codex did."""
    shell = system.fork(CODEX, setsid=True)
    client = system.fork(shell)
    system.fork(client, setsid=True)
    system.look()
    system.exit(client)
    system.codex_dies()
    assert system.left_behind() == set()


@pytest.mark.parametrize("reaped", [True, False])
def test_a_client_whose_status_nobody_took_does_not_hold_its_daemon(system, reaped):
    """A zombie below a living shell tells nothing of when it ended."""
    shell = system.fork(CODEX, setsid=True)
    inner = system.fork(shell)
    client = system.fork(inner)
    daemon = system.fork(client, setsid=True)
    system.look()
    system.exit(client, reaped=reaped)
    system.codex_dies()
    assert daemon not in system.left_behind()
    assert inner in system.left_behind()


def test_a_browser_that_still_had_its_parent_when_codex_died_was_left_behind(system):
    """A session of its own alone is no leave: an MCP server starts its browser in one."""
    server = system.serve()
    browser = system.fork(server, setsid=True)
    tab = system.fork(browser)
    system.look()
    system.codex_dies()
    assert system.left_behind() == {browser, tab}


def test_what_lost_its_parent_while_codex_ended_in_good_order_was_left_behind(system):
    """Codex takes the exit statuses of its children then, so nothing tells afterwards; the last look does."""
    server = system.serve()
    browser = system.fork(server, setsid=True)
    system.look(last=True)
    system.exit(server)
    system.exit(CODEX)
    assert system.left_behind() == {browser}


def test_the_same_without_a_last_look_is_spared(system):
    """Nobody knows whether it left before Codex ended or was left behind: what is not proved is not ended."""
    server = system.serve()
    system.fork(server, setsid=True)
    system.look()
    system.exit(server)
    system.exit(CODEX)
    assert system.left_behind() == set()


def test_a_pid_that_was_used_again_proves_nothing(system):
    """Weeks later the number of a command is that of somebody's editor."""
    shell = system.fork(CODEX, setsid=True)
    system.look()
    system.exit(shell)
    system.exit(CODEX)
    system.fork(CODEXD, setsid=True, pid=shell)
    system.fork(shell)
    assert system.left_behind() == set()


def test_the_session_of_a_command_that_nobody_recorded_is_known_by_its_leader(system):
    """What was started too late to be looked at ends with the command that ended with Codex."""
    system.look()
    shell = system.fork(CODEX, setsid=True)
    job = system.fork(shell)
    system.codex_dies()
    assert system.left_behind() == set()
    assert system.left_behind({shell}) == {job}


def test_a_daemon_of_codexs_own_program_that_was_seen_on_its_way_has_left(system):
    """Codex runs git in its own group, and git starts daemons: one is a child of Codex's group for a moment."""
    git = system.fork(CODEX)
    daemon = system.fork(git, setsid=True)
    system.look()
    system.exit(git)
    system.look()
    worker = system.fork(daemon)
    system.codex_dies()
    assert system.left_behind() == set()
    assert worker in system.table


def test_a_codex_that_outlived_its_codexd_is_ended_with_all_that_it_has(system):
    """After a `kill -9` of codexd: it may be halted, or its end may take long."""
    system.look()
    shell = system.fork(CODEX, setsid=True)
    system.fork(CODEXD, setsid=True)
    assert system.left_behind() == {CODEX, shell}


def test_who_is_above_us_is_spared_and_so_is_another_codexd_with_what_is_below_it(system):
    """codexd may have been started by a command of the Codex that is to be cleared away, and start another one."""
    shell = system.fork(CODEX, setsid=True)
    me = system.fork(shell, setsid=True)
    sibling = system.fork(shell)
    other = system.fork(shell)
    its_codex = system.fork(other, setsid=True)
    its_command = system.fork(its_codex, setsid=True)
    mine = system.fork(me, setsid=True)
    candidates = {CODEX, shell, me, sibling, other, its_codex, its_command, mine}
    spared = ownership.spared(candidates, system.table, me, lambda process: process.pid in (other, CODEXD))
    assert spared == {CODEX, shell, me, other, its_codex, its_command}


def test_an_orphan_of_ours_that_an_outer_codexd_has_taken_in_is_not_its_own(system):
    """A codexd that is below another one finds what its predecessor left as children of the outer one."""
    me = system.fork(CODEXD, setsid=True)
    orphan = system.fork(CODEXD, setsid=True)
    assert ownership.spared({orphan}, system.table, me, lambda process: process.pid == CODEXD) == set()


def test_the_codex_of_a_living_codexd_is_spared_whatever_a_record_says(system):
    """Two codexds of one CODEX_HOME must not be; if they are, neither ends the other's Codex."""
    me = system.fork(1, setsid=True)
    assert ownership.spared({CODEX}, system.table, me, lambda process: process.pid == CODEXD) == {CODEX}


class History(System):
    """Processes that fork, leave, end and are looked at by chance, and which of them are Codex's own in truth."""

    def __init__(self, seed, *, always_looking):
        super().__init__()
        self.rng = Random(seed)
        self.commands = {CODEX}
        self.look()
        for _ in range(self.rng.randrange(60)):
            self.rng.choice((self.start, self.start, self.branch, self.end, self.leave, self.look))()
            if always_looking:
                self.look()
        self.own = self.owned_in_truth()
        self.codex_dies()

    def below_codex(self):
        """Its living descendants."""
        found, grown = {CODEX}, None
        while found != grown:
            grown = set(found)
            found |= {p.pid for p in self.table.values() if p.parent in grown and not p.ended}
        return found

    def owned_in_truth(self):
        """As docs/processes.md has it."""
        found = self.below_codex() | {p.pid for p in self.table.values() if p.session in self.commands}
        grown = None
        while found != grown:
            grown = set(found)
            found |= {p.pid for p in self.table.values() if p.parent in grown}
        return found - {CODEX}

    def living(self):
        """All that anything can happen to."""
        return [p for p in self.table if p not in (1, CODEXD, CODEX) and not self.table[p].ended]

    def start(self):
        """Codex starts a command or an MCP server."""
        if self.rng.random() < 0.6:
            self.commands.add(self.fork(CODEX, setsid=True))
        else:
            self.serve()

    def branch(self):
        """Somebody starts something."""
        if living := self.living():
            self.fork(self.rng.choice(living), setsid=self.rng.random() < 0.3)

    def leave(self):
        """Somebody makes a session."""
        if living := [p for p in self.living() if self.table[p].group != p]:
            self.setsid(self.rng.choice(living))

    def end(self):
        """Somebody ends. Codex takes the exit statuses of its children at once, others may not."""
        if living := self.living():
            pid = self.rng.choice(living)
            self.exit(pid, reaped=self.table[pid].parent in (CODEX, CODEXD) or self.rng.random() < 0.5)


@given(st.integers(0, 2**32))
def test_nothing_that_left_is_ever_ended_however_old_the_last_look_is(seed):
    """And nothing that was never Codex's."""
    history = History(seed, always_looking=False)
    assert history.left_behind() <= history.own


@given(st.integers(0, 2**32))
def test_everything_that_is_codexs_own_is_ended_when_nothing_was_missed(seed):
    """There was a look after everything that happened."""
    history = History(seed, always_looking=True)
    living = {pid for pid in history.own if not history.table[pid].ended}
    assert history.left_behind() == living
