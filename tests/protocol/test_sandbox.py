"""Whether this very process is run by Codex: for good advice, in every environment."""

import os
import sys

import pytest

from codexd.protocol import sandbox
from codexd.protocol.sandbox import is_sandbox, mark_of, why_not_to_start

ENVIRON = {"HOME": "/home/me", "XDG_STATE_HOME": "/home/me/state"}
HOME = "/home/me/.codex"
STATUS = "Name:\tx\nNSpid:\t{}\n"


@pytest.fixture
def proc(monkeypatch):
    """Sets what /proc says; by default that of an ordinary process."""
    files = {"/proc/1/cmdline": b"/sbin/init\0splash\0", "/proc/self/status": STATUS.format("77").encode()}
    monkeypatch.setattr(sandbox, "_read", lambda path: files.get(path, b""))
    return files


def test_an_ordinary_process_is_in_no_sandbox(proc):
    """Nor is one in a container, where everything has the same namespaces."""
    assert not is_sandbox(ENVIRON)
    proc["/proc/1/cmdline"] = b"/bin/bash\0"
    assert not is_sandbox(ENVIRON)
    assert why_not_to_start(ENVIRON, HOME) is None


def test_an_approved_command_outside_of_the_sandbox_is_in_none(proc):
    """It has this variable all the same (0.163, 0.171)."""
    assert not is_sandbox(ENVIRON | {"CODEX_SANDBOX_NETWORK_DISABLED": "1"})


def test_the_first_process_of_codexs_sandbox_tells(proc):
    """By whatever path it was started."""
    for name in (b"codex-linux-sandbox\0--x\0", b"/tmp/x/codex-linux-sandbox\0"):
        proc["/proc/1/cmdline"] = name
        assert is_sandbox(ENVIRON)


def test_a_namespace_below_that_of_proc_tells(proc):
    """Where no /proc could be mounted for the sandbox, the one outside is there."""
    proc["/proc/self/status"] = STATUS.format("4242\t2").encode()
    assert is_sandbox(ENVIRON)


def test_seatbelt_tells():
    """macOS has no such namespaces."""
    assert is_sandbox({"CODEX_SANDBOX": "seatbelt"})


def test_without_proc_nothing_is_known(tmp_path):
    """And nothing fails."""
    assert sandbox._read(str(tmp_path / "missing")) == b""
    assert sandbox._read(__file__).startswith(b'"""')


def test_no_codexd_is_started_in_the_sandbox(proc):
    """Whatever CODEX_HOME it would serve: it would end with the command."""
    proc["/proc/1/cmdline"] = b"codex-linux-sandbox\0"
    sentence = why_not_to_start(ENVIRON, "/elsewhere")
    assert sentence is not None
    assert "would end with it" in sentence
    assert "codexd start" in sentence


def test_no_codexd_is_started_by_a_command_of_its_own(proc):
    """But one of another CODEX_HOME may be: nested, it has a Codex of its own."""
    marked = ENVIRON | {sandbox.MARK_VARIABLE: mark_of(ENVIRON, HOME)}
    sentence = why_not_to_start(marked, HOME)
    assert sentence is not None
    assert "CODEXD_MARK" in sentence
    assert why_not_to_start(marked, "/elsewhere") is None


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_this_process_is_read_as_it_is():
    """The real /proc can be read, wherever these tests run."""
    name = os.path.basename(sandbox._read("/proc/1/cmdline").partition(b"\0")[0])
    assert is_sandbox({}) == (name == b"codex-linux-sandbox" or sandbox._is_below_proc())
