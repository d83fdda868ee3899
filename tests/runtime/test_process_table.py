"""All processes at one look, by /proc and by psutil."""

import errno
import os
import subprocess
import sys

import pytest

from codexd.runtime import process_table
from codexd.runtime.process_table import Process


@pytest.fixture
def child():
    """A process whose name is made to mislead."""
    program = "import time; open('/proc/self/comm', 'w').write(') Z 1 (') if __import__('os').path.exists('/proc/self/comm') else 0; print(flush=True); time.sleep(3600)"
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", program], start_new_session=True, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("look", [process_table.look, lambda: {p.pid: p for p in process_table._by_psutil()}])
def test_every_process_is_seen_with_its_parent_and_its_session(child, look):
    """By both ways of looking, whatever its name is."""
    table = look()
    me = table[os.getpid()]
    assert (me.parent, me.group, me.session, me.ended) == (os.getppid(), os.getpgrp(), os.getsid(0), False)
    found = table[child.pid]
    assert found == Process(child.pid, os.getpid(), child.pid, child.pid, found.started)
    assert found.started >= me.started


def test_one_process_is_as_it_is_among_all(child):
    """So that its start time can be compared."""
    assert process_table.at(child.pid) == process_table.look()[child.pid]


def test_who_has_ended_is_seen_as_that_until_its_parent_knows(child):
    """And is then seen no more."""
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert process_table.look()[child.pid].ended
    child.wait()
    assert child.pid not in process_table.look()
    assert process_table.at(child.pid) is None


def test_an_era_is_the_same_for_all_who_share_it():
    """Another codexd of this boot understands the record."""
    again = "from codexd.runtime.process_table import era; print(era())"
    program = f"import sys; sys.path[:0] = {sys.path!r}; {again}"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == process_table.era() != ""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")
def test_without_proc_nothing_is_seen(monkeypatch):
    """In a container that has none: nothing is known, and nothing is ended."""

    def no_such_directory(*_):
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    with monkeypatch.context() as patched:
        patched.setattr(os, "listdir", no_such_directory)
        patched.setattr(os, "readlink", no_such_directory)
        assert (process_table.look(), process_table.era()) == ({}, "")
