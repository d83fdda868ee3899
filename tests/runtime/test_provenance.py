"""Which peers count as run by Codex, tried on real processes."""

import errno
import os
import socket
import subprocess
import sys

import pytest

from codexd.routing.rights import Peer
from codexd.runtime import proc
from codexd.runtime.peer import admitted
from codexd.runtime.provenance import met

HOLD = "import sys; print('up', flush=True); sys.stdin.read()"
LEAVE = """
import os
if os.fork(): os._exit(0)
os.setsid()
leader = os.getpid()
if os.fork(): os._exit(0)
while os.getppid() == leader: pass
"""


@pytest.fixture
def connected(tmp_path):
    """Makes a process that has connected; returns our end of its connection, and the process."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "s"))
    listener.listen()
    begun = []

    def make(program=HOLD, before="", **how):
        connect = f"import socket; s = socket.socket(socket.AF_UNIX); s.connect({str(tmp_path / 's')!r}); "
        process = subprocess.Popen(
            [sys.executable, "-c", before + connect + program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            **how,
        )
        ours, _ = listener.accept()
        begun.append((ours, process))
        assert process.stdout
        assert process.stdout.readline() == b"up\n"
        return ours, process

    yield make
    for ours, process in begun:
        ours.close()
        process.kill()
        process.communicate()
    listener.close()


def met_with(ours, mark="mark"):
    """What is known of the peer."""
    credentials = admitted(ours, os.getuid())
    assert credentials
    return met(ours, credentials.pid, mark)


def as_if_codexd_were_another(monkeypatch):
    """The peers of these tests are our children, which would descend from codexd."""
    monkeypatch.setattr(os, "getpid", lambda: 2**22 + 1)


async def test_codexd_itself_is_outside(connect):
    """It talks to itself in tests alone."""
    ours, _far = connect()
    assert met_with(ours) == Peer(os.getpid(), None, os.getcwd())


def test_a_descendant_of_codexd_is_inside(connected):
    """A command of Codex is one: Codex is codexd's child."""
    ours, process = connected()
    assert met_with(ours) == Peer(process.pid, f"it descends from codexd (pid {os.getpid()})", os.getcwd())


def test_an_orphan_that_called_setsid_is_inside(connected, subreaper):
    """codexd adopts the orphans below it."""
    ours, _ = connected(HOLD, before=LEAVE)
    assert met_with(ours).inside == f"it descends from codexd (pid {os.getpid()})"


def test_an_ordinary_client_is_outside(connected, monkeypatch, tmp_path):
    """With the directory that it stands in."""
    as_if_codexd_were_another(monkeypatch)
    ours, process = connected(cwd=tmp_path)
    assert met_with(ours) == Peer(process.pid, None, str(tmp_path))


def test_the_mark_of_this_codexd_is_inside_and_that_of_another_is_not(connected, monkeypatch):
    """What a killed codexd left has its mark; a codexd may be nested in another one's Codex."""
    as_if_codexd_were_another(monkeypatch)
    ours, _ = connected(env=os.environ | {"CODEXD_MARK": "mark"})
    assert met_with(ours, "mark").inside == "it has codexd's mark in its environment (CODEXD_MARK)"
    assert met_with(ours, "other").inside is None


def test_another_pid_namespace_is_inside(monkeypatch, connected):
    """As the sandbox is; below ours it has a pid here, elsewhere it has none."""
    as_if_codexd_were_another(monkeypatch)
    ours, _ = connected()
    monkeypatch.setattr(proc, "shares_pid_namespace", lambda pid: False)
    assert met_with(ours).inside == "it is in another pid namespace, as commands in Codex's sandbox are"
    assert met(ours, None, "mark") == Peer(None, "it is in another pid namespace")


def test_who_has_ended_is_inside(connected, monkeypatch):
    """It may have left the connection to a child; nothing shows that it was outside."""
    as_if_codexd_were_another(monkeypatch)
    ours, process = connected()
    process.kill()
    process.wait()
    assert met_with(ours) == Peer(process.pid, "it had ended before codexd could look at it")


def test_who_ends_while_it_is_looked_at_is_inside(connected, monkeypatch):
    """Its pid may be another's by then, and what was read, too."""
    as_if_codexd_were_another(monkeypatch)
    ours, process = connected()

    def ends(pid):
        process.kill()
        process.wait()

    monkeypatch.setattr(proc, "directory", ends)
    assert met_with(ours) == Peer(process.pid, "it had ended before codexd could look at it")


@pytest.mark.parametrize(
    ("number", "inside"),
    [
        (errno.ESRCH, "it had ended before codexd could look at it"),
        (errno.EMFILE, "it cannot be looked at (its process: Too many open files)"),
        (errno.ENOPROTOOPT, None),
    ],
)
def test_where_the_kernel_gives_no_descriptor_of_it(connected, monkeypatch, number, inside):
    """Gone, or none left: inside. Where the kernel is too old it is opened by its pid."""
    as_if_codexd_were_another(monkeypatch)
    _, process = connected()

    class Old:
        def getsockopt(self, level, option, length):
            raise OSError(number, os.strerror(number))

    assert met(Old(), process.pid, "mark").inside == inside


def test_where_proc_is_missing_everybody_is_inside(connected, monkeypatch):
    """What cannot be told cannot be shown to be outside, and the setting is named to whoever is refused."""
    ours, _ = connected()

    def missing(pid):
        raise NotADirectoryError(errno.ENOTDIR, "Not a directory", "/proc/self/status")

    monkeypatch.setattr(proc, "ancestors", missing)
    assert met_with(ours).inside == "it cannot be looked at (/proc/self/status: Not a directory)"
