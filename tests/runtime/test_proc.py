"""What the system tells of a process, tried on real ones."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from codexd.runtime import proc
from codexd.runtime.proc import Unclear, ancestors, directory, has_variable, shares_pid_namespace

SLEEP = "import sys, time; print('up', flush=True); sys.stdin.read()"


@pytest.fixture
def child(tmp_path):
    """Starts a process that waits until the test is over; returns it when it is up."""
    started = []

    def start(*argv, **how):
        command = [*argv, sys.executable, "-c", SLEEP]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **how)
        started.append(process)
        assert process.stdout
        if process.stdout.readline() != b"up\n":
            pytest.skip(f"this machine cannot run {argv}")
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_ancestors_from_the_parent_on(child):
    """A child's are its parent and the parent's own."""
    assert ancestors(child().pid) == [os.getpid(), *ancestors(os.getpid())]


def test_the_first_process_has_none():
    """The walk has an end."""
    assert ancestors(1) == []


def test_a_process_that_is_gone_is_unclear(child):
    """It may have left a child that holds its connection."""
    process = child()
    process.kill()
    process.wait()
    with pytest.raises(Unclear, match="ended before"):
        ancestors(process.pid)


def test_ancestors_that_change_between_two_looks_are_looked_at_again(monkeypatch):
    """A parent ends while it is looked at; what two looks agree on was so at the time between them."""
    looks = iter([[(9, 1), (8, 1)], [(9, 1), (2, 1), (1, 1)], [(9, 1), (2, 1), (1, 1)]])
    monkeypatch.setattr(proc, "_walk", lambda pid: next(looks))
    assert ancestors(9) == [2, 1]


def test_ancestors_that_never_stay_the_same_are_unclear(monkeypatch):
    """Who makes a race of it does not win it."""
    looks = iter(range(1000))
    monkeypatch.setattr(proc, "_walk", lambda pid: [(pid, 0), (next(looks), 0)])
    with pytest.raises(Unclear, match="change"):
        ancestors(9)


def test_a_long_line_of_ancestors_is_given_up(monkeypatch):
    """Reading it would keep everybody waiting."""
    monkeypatch.setattr(proc, "_stat", lambda pid: proc._Stat(pid + 1, 0))
    with pytest.raises(Unclear, match="more than 256"):
        ancestors(9)


def test_a_hidden_parent_ends_the_line(monkeypatch):
    """Where `/proc` is mounted with `hidepid`, other users' processes cannot be seen; Codex is none of them."""
    known = {9: proc._Stat(8, 1), 8: proc._Stat(7, 1)}
    monkeypatch.setattr(proc, "_stat", known.get)
    assert ancestors(9) == [8]


def test_a_name_with_parentheses_does_not_shift_the_fields(child):
    """A program may call itself `x) 1 1 (`."""
    process = subprocess.Popen(
        [sys.executable, "-c", f"import ctypes; ctypes.CDLL(None).prctl(15, b') S 1 (', 0, 0, 0); {SLEEP}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout
    assert process.stdout.readline() == b"up\n"
    assert b") S 1 (" in Path(f"/proc/{process.pid}/stat").read_bytes()
    assert ancestors(process.pid)[0] == os.getpid()
    process.communicate()


def test_pid_namespaces_are_told_apart(child):
    """By how many pids a process has, which needs no right to look at it."""
    assert shares_pid_namespace(child().pid)
    other = child("unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child")
    (inner,) = Path(f"/proc/{other.pid}/task/{other.pid}/children").read_text().split()
    assert not shares_pid_namespace(int(inner))


def test_a_kernel_without_pid_namespaces_has_one(monkeypatch):
    """Nobody can be in another."""
    monkeypatch.setattr(proc, "_read", lambda process, what: b"Name:\tx\n")
    assert shares_pid_namespace(1)


def test_a_variable_of_the_environment_that_it_was_started_with(child):
    """The whole variable: neither a beginning nor another value counts."""
    process = child(env=os.environ | {"A_MARK": "abc"})
    assert has_variable(process.pid, "A_MARK", "abc")
    assert not has_variable(process.pid, "A_MARK", "ab")
    assert not has_variable(process.pid, "MARK", "abc")


def test_an_environment_that_is_hidden_holds_nothing(monkeypatch):
    """ssh-agent and sshd hide theirs; they are judged by their ancestors."""

    def hidden(process, what):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(proc, "_read", hidden)
    assert not has_variable(1, "A_MARK", "abc")


def test_the_working_directory(child, tmp_path):
    """As the process has it at this time."""
    assert directory(child(cwd=tmp_path).pid) == str(tmp_path)


def test_a_removed_directory_is_none(child, tmp_path):
    """Linux still has a name for it, with ` (deleted)` behind."""
    gone = tmp_path / "gone"
    gone.mkdir()
    process = child(cwd=gone)
    gone.rmdir()
    assert directory(process.pid) is None


def test_a_directory_that_no_message_can_name_is_none(child, tmp_path):
    """JSON is UTF-8."""
    odd = os.fsencode(tmp_path) + b"/\xff"
    os.mkdir(odd)
    assert directory(child(cwd=odd).pid) is None


def test_a_directory_in_another_mount_namespace_is_none(child, tmp_path):
    """The same path may be something else here."""
    process = child("unshare", "--user", "--map-root-user", "--mount", cwd=tmp_path)
    assert directory(process.pid) is None


def test_a_process_that_is_gone_has_no_directory():
    """Nor one that nobody may look at."""
    assert directory(2**22 + 1) is None
