"""codexd at Codex's own control socket: real Codex programs find it there, and real servers of Codex are respected."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from codexd.service.control_socket import path_in
from tests.e2e.harness import World, a_world
from tests.e2e.harness_client import PATIENCE_S
from tests.e2e.harness_tmux import Tmux

pytestmark = pytest.mark.e2e


@pytest.fixture
def newer(codex_npm: Path) -> Iterator[World]:
    """A world with the Codex that looks for a control socket."""
    with a_world(codex_npm) as world:
        yield world


def run(world: World, codex: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of Codex, to its end."""
    return subprocess.run(
        [codex, *arguments],
        env=world.env,
        cwd=world.project,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def start_native(world: World) -> subprocess.Popen[bytes]:
    """Codex's own server at the control socket; returns when it listens or has ended."""
    path = path_in(world.codex_home)
    with world.log.open("ab") as log:
        argv = [str(world.codex), "app-server", "--listen", "unix://"]
        server = world.spawn(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    before = os.path.realpath(path)
    world.until(lambda: server.poll() is not None or (path.exists() and os.path.realpath(path) != before))
    return server


def test_the_version_behind_codexd_is_what_codex_sees(world: World, codex_npm: Path) -> None:
    """`codex app-server daemon version` reads it out of the handshake of whichever Codex codexd runs."""
    world.start_daemon("--control-socket")
    behind = world.client().call("codexd/status")["codex"]["version"]
    done = run(world, codex_npm, "app-server", "daemon", "version")
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert (seen["status"], seen["appServerVersion"]) == ("running", behind)
    assert seen["socketPath"] == str(path_in(world.codex_home))


def test_a_message_that_codex_queues_is_said(newer: World) -> None:
    """`codex queue` finds codexd without a flag; who follows the thread sees the turn, and `codex agents` the thread."""
    newer.start_daemon("--control-socket")
    client = newer.client()
    thread = client.start_thread(cwd=str(newer.project))
    client.wait_turn(client.start_turn(thread, "hello"))
    mark = client.mark()
    done = run(newer, newer.codex, "queue", "--thread", thread, "--message", "queued words")
    assert done.returncode == 0, done.stderr
    turn = client.wait_notification("turn/completed", since=mark, threadId=thread)["params"]["turn"]["id"]
    assert client.said_in(turn) == "You said: queued words"
    tmux = Tmux(newer)
    try:
        agents = tmux.open([str(newer.codex), "agents"])
        agents.wait("Agent command center", "hello", "You said: queued words")
    finally:
        tmux.close()


def test_a_real_server_keeps_its_socket_and_a_dead_ones_is_taken(newer: World) -> None:
    """codexd gives way to Codex's own server, and that to codexd; what a killed one left is in nobody's way."""
    path = path_in(newer.codex_home)
    native = start_native(newer)
    refused = newer.codexd("start", "--control-socket")
    assert refused.returncode == 3
    assert (
        f"another server (pid {native.pid}) listens at Codex's control socket {path}; end it"
        in refused.stderr
    )
    assert run(newer, newer.codex, "app-server", "daemon", "version").returncode == 0
    newer.stop(native, signal.SIGKILL)
    assert path.is_symlink()
    daemon = newer.start_daemon("--control-socket")
    assert not path.is_symlink()
    assert start_native(newer).wait(PATIENCE_S) == 1
    assert f"app-server control socket is already in use at {path}" in newer.log.read_text()
    assert newer.stop(daemon) == 0
    assert not os.path.lexists(path)
    native = start_native(newer)
    assert native.poll() is None
    newer.stop(native)
