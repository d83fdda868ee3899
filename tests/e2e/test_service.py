"""codexd's own commands with the real Codex: start and stop, who runs, how it outlives and ends."""

import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys

import psutil
import pytest

from tests.e2e.harness import TAKE_TERMINAL, World
from tests.e2e.harness_client import PATIENCE_S

pytestmark = pytest.mark.e2e


def status(world: World) -> dict[str, dict[str, object]]:
    """What `codexd status --json` says."""
    done = world.codexd("status", "--json")
    assert done.returncode == 0, done.stderr
    report: dict[str, dict[str, object]] = json.loads(done.stdout)
    return report


def test_a_codexd_by_command(world: World) -> None:
    """start returns when Codex is ready, a turn goes through, stop leaves nothing behind."""
    started = world.codexd("start")
    assert (started.returncode, started.stderr) == (0, "")
    assert re.fullmatch(r"codexd started \(pid \d+\); Codex [\d.]+ is ready \(pid \d+\)\n", started.stdout)
    report = status(world)
    assert report["codex"]["state"] == "ready"
    (codex,) = world.codexes()
    assert codex == report["codex"]["pid"]
    assert psutil.Process(codex).cwd() == str(world.home)
    sent = world.codexctl("send", "hello")
    assert (sent.returncode, sent.stdout) == (0, "You said: hello\n")
    assert world.codexd("stop").returncode == 0
    assert world.living() == []
    assert not world.socket_path.exists()


def test_twenty_starts_at_once_are_one_codexd_and_one_codex(world: World) -> None:
    """T19 with the real Codex: of codex-collab's concurrent starts on one CODEX_HOME 7 of 18 failed, each with an
    app-server of its own."""
    argv = [*world.command("codexd"), "start"]
    starts = [world.spawn(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(20)]
    said = [process.communicate(timeout=120) for process in starts]
    assert [process.returncode for process in starts] == [0] * 20, said
    pids = {re.search(rb"\(pid (\d+)\);", out)[1] for out, _ in said}  # type: ignore[index]
    assert pids == {str(status(world)["codexd"]["pid"]).encode()}
    assert len(world.codexes()) == 1
    assert world.codexd("stop").returncode == 0


def test_it_survives_its_terminal(world: World) -> None:
    """A codexd that was started in a terminal goes on when the terminal is closed, which ends everything else there."""
    outside, inside = pty.openpty()
    command = f"{shlex.join(world.command('codexd'))} start; exec sleep 1000"
    shell = world.spawn(
        [sys.executable, "-ISc", TAKE_TERMINAL, "/bin/sh", "-c", command],
        stdin=inside,
        stdout=inside,
        stderr=inside,
        start_new_session=True,
    )
    os.close(inside)
    said = b""
    while b"is ready" not in said:
        said += os.read(outside, 1000)
    pid = status(world)["codexd"]["pid"]
    os.close(outside)
    assert shell.wait(PATIENCE_S) == -signal.SIGHUP
    assert status(world)["codexd"]["pid"] == pid
    assert world.codexd("stop").returncode == 0


def test_a_killed_codexd_is_followed_by_a_clean_one(world: World) -> None:
    """After kill -9 the socket is stale and Codex is orphaned: the next start takes over the one and ends the other."""
    world.codexd("start")
    first = status(world)
    os.kill(int(str(first["codexd"]["pid"])), signal.SIGKILL)
    assert world.codexd("status").returncode == 3
    assert world.codexd("start").returncode == 0
    second = status(world)
    assert second["codexd"]["pid"] != first["codexd"]["pid"]
    assert world.codexes() == [second["codex"]["pid"]]
    assert world.codexd("stop").returncode == 0


def test_an_override_that_codex_refuses(world: World) -> None:
    """A Codex that ends at once because of what it was told: `start` says so, in Codex's words; without it all is well."""
    failed = world.codexd("start", "--codex-config", "model_provider=nosuch")
    assert failed.returncode == 3
    assert failed.stderr.startswith("codexd: Codex died 5 times within a minute and is left down (")
    assert "nosuch" in failed.stderr
    assert world.codexd("stop").returncode == 0
    assert world.codexd("start").returncode == 0
    assert world.codexd("stop").returncode == 0


def test_the_demo_needs_nothing(world: World) -> None:
    """`start --demo` is a codexd with a model of its own, beside the user's, which codexctl talks to as it is told."""
    started = world.codexd("start", "--demo")
    assert started.returncode == 0, started.stderr
    hint = re.search(r"talk to it with: (.*)", started.stdout)
    assert hint
    environ = dict(word.split("=", 1) for word in hint[1].split() if "=" in word)
    sent = world.codexctl("send", "hello", env=environ)
    assert (sent.returncode, sent.stdout) == (0, "You said: hello\n"), sent.stderr
    assert not world.socket_path.exists()
    assert world.codexd("stop", "--demo").returncode == 0
    assert world.living() == []


def test_doctor_with_the_real_codex(world: World) -> None:
    """doctor asks the one that runs whether it is signed in; the scripted model needs no account."""
    assert world.codexd("doctor").returncode == 0
    world.codexd("start")
    done = world.codexd("doctor", "--json")
    assert done.returncode == 0, done.stdout
    findings = {finding["name"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert findings["account"]["text"] == "none is needed for its model provider"
    assert findings["Codex"]["text"].endswith("(from CODEX_PATH)")
    assert findings["Codex's state"]["state"] == "ok"
    world.codexd("stop")


def test_a_turn_ends_well_before_codexd_does(world: World) -> None:
    """`stop` while a reply is being streamed: it comes whole, and `send` exits 0; who would begin another is told why."""
    assert world.codexd("start").returncode == 0
    argv = [*world.command("codexctl"), "send", "--json", "stream 20 1 end"]
    sending = world.spawn(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
    assert sending.stdout is not None
    while b"item/agentMessage/delta" not in sending.stdout.readline():
        assert sending.poll() is None
    stopping = world.spawn([*world.command("codexd"), "stop", "--drain", "600"], stderr=subprocess.PIPE)
    assert stopping.stderr is not None
    assert b"waiting for 1 running turn, for 600 seconds at most: thread " in stopping.stderr.readline()
    late = world.codexctl("send", "hello")
    assert (late.returncode, late.stdout) == (3, "")
    assert "codexd is stopping: it waits for 1 running turn and begins no other" in late.stderr
    world.model.release("end")
    events, said = sending.communicate(timeout=PATIENCE_S)
    assert sending.returncode == 0, said
    (completed,) = [line for line in events.splitlines() if b'"turn/completed"' in line]
    assert b'"status": "completed"' in completed or b'"status":"completed"' in completed
    assert stopping.wait(PATIENCE_S) == 0
    assert world.living() == []
