"""A thread whose resume kills the real Codex: it is left alone after two deaths, and everybody else goes on."""

import sys
from pathlib import Path

import pytest

from tests.e2e.harness import World, a_world

pytestmark = pytest.mark.e2e

_DEADLY = """#!{python} -IS
'''Codex, which is killed as soon as it is asked to resume a thread that a file names.'''
import os, signal, subprocess, sys
if sys.argv[-1] != "app-server":
    os.execv({codex!r}, [{codex!r}, *sys.argv[1:]])
codex = subprocess.Popen([{codex!r}, *sys.argv[1:]], stdin=subprocess.PIPE)
signal.signal(signal.SIGTERM, lambda *_: codex.terminate())
for line in sys.stdin.buffer:
    with open({trap!r}, "rb") as trap:
        thread = trap.read()
    if thread and b'"thread/resume"' in line and thread in line:
        codex.kill()
        codex.wait()
        os.kill(os.getpid(), signal.SIGKILL)
    codex.stdin.write(line)
    codex.stdin.flush()
codex.stdin.close()
sys.exit(codex.wait())
"""


def deadly(codex: Path, directory: Path) -> tuple[Path, Path]:
    """Such a Codex, and the file that names the thread."""
    wrapper, trap = directory / "codex", directory / "trap"
    wrapper.write_text(_DEADLY.format(python=sys.executable, codex=str(codex), trap=str(trap)))
    wrapper.chmod(0o755)
    trap.touch()
    return wrapper, trap


def settled(world: World, thread: str) -> bool:
    """Whether the thread is quarantined, and Codex is there again."""
    status = world.client().call("codexd/status")
    return bool(status["quarantined"] == [thread] and status["codex"]["state"] == "ready")


def test_a_thread_whose_resume_kills_codex(codex: Path, tmp_path: Path) -> None:
    """Regression: codexd resumed it after each death, until Codex was left down for everybody. One verb lifts the quarantine."""
    wrapper, trap = deadly(codex, tmp_path)
    with a_world(wrapper) as world:
        world.start_daemon()
        owner, other = world.client("owner"), world.client("other")
        doomed, good = owner.start_thread(), other.start_thread()
        owner.wait_turn(owner.start_turn(doomed, "hello"))
        other.wait_turn(other.start_turn(good, "hello"))
        trap.write_text(doomed)
        world.client("visitor").start("thread/resume", {"threadId": doomed})
        world.until(lambda: settled(world, doomed))
        assert other.wait_turn(other.start_turn(good, "go on"))["status"] == "completed"
        owner.wait(
            lambda message: "`codexctl threads release" in message.get("params", {}).get("message", "")
        )
        refused = owner.call_error("thread/resume", {"threadId": doomed})
        assert (refused["code"], refused["data"]["reason"]) == (-32600, "threadQuarantined")
        listed = world.codexctl("threads", "--all").stdout
        assert "quarantined" in next(line for line in listed.splitlines() if doomed in line)
        trap.write_text("")
        assert world.codexctl("threads", "release", doomed).returncode == 0
        owner.call("thread/resume", {"threadId": doomed})
        assert owner.wait_turn(owner.start_turn(doomed, "once more"))["status"] == "completed"
