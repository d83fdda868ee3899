"""What a command of Codex started and what then left, lives on: over stop, restart, Codex's death, and `kill -9` of codexd.

The commands run without a sandbox: in one they are in a pid namespace, and nothing leaves that (0.163 and 0.171).
"""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.e2e.harness import World, a_world
from tests.e2e.harness_children import recorded, sleepers, start_command, start_job
from tests.e2e.harness_client import PATIENCE_S, JsonLinesClient
from tests.ends import wait_for_ends

pytestmark = pytest.mark.e2e

SEEN_BY_THE_USER = "the user works here"


class Leavers:
    """A tmux server with a window, an ssh-agent, and a codexd of another CODEX_HOME: each by a command of the model."""

    def __init__(self, world: World, client: JsonLinesClient) -> None:
        for program in ("tmux", "ssh-agent"):
            if shutil.which(program) is None:
                pytest.skip(f"there is no {program} here")
        self._world = world
        self.tmux = world.root / "user-tmux"
        self.agent = world.root / "agent"
        self.other_home = world.root / "other-home"
        self.other_home.mkdir()
        world.model.write_config(self.other_home)
        self.other = {"CODEX_HOME": str(self.other_home), "CODEXD_SOCKET": str(world.root / "other.sock")}
        variables = " ".join(f"{name}={value}" for name, value in self.other.items())
        self._thread = client.start_thread(
            cwd=str(world.project), sandbox="danger-full-access", approvalPolicy="never"
        )
        window = f"sh -c 'echo {SEEN_BY_THE_USER}; exec sleep 1100'"
        self._run(client, f'tmux -f /dev/null -S {self.tmux} new-session -d -s work "{window}"')
        self._run(client, f"ssh-agent -a {self.agent} > {self.agent}.txt")
        self._run(client, f"env {variables} {' '.join(world.command('codexd'))} start")
        codexd = world.codexd("status", "--json", env=self.other)
        assert codexd.returncode == 0, codexd.stderr
        self._talker = self._talk()
        self.pids = {
            "tmux": int(self._tmux("display-message", "-p", "#{pid}")),
            "window": int(self._tmux("list-panes", "-a", "-F", "#{pane_pid}")),
            "ssh-agent": int((self.agent.with_name("agent.txt")).read_text().split("pid ")[1].split(";")[0]),
            "codexd": int(self._talker.call("codexd/status")["codexd"]["pid"]),
            "its Codex": int(self._talker.call("codexd/status")["codex"]["pid"]),
        }
        self._began = {pid: psutil.Process(pid).create_time() for pid in self.pids.values()}

    def _run(self, client: JsonLinesClient, command: str) -> None:
        turn = client.wait_turn(client.start_turn(self._thread, f"run-free {command}"))
        assert turn["status"] == "completed"

    def _talk(self) -> JsonLinesClient:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self.other["CODEXD_SOCKET"])

        def hang_up() -> None:
            connection.shutdown(socket.SHUT_RDWR)
            connection.close()

        client = JsonLinesClient(connection.makefile("rb"), connection.makefile("wb"), hang_up)
        client.initialize("outlives")
        return client

    def _tmux(self, *arguments: str) -> str:
        argv = ["tmux", "-S", str(self.tmux), *arguments]
        done = subprocess.run(argv, capture_output=True, text=True, env=self._world.env, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def check(self, when: str) -> None:
        """All are the processes that they were, and do what they are for."""
        for name, pid in self.pids.items():
            assert psutil.pid_exists(pid), f"{name} did not live through {when}"
            assert psutil.Process(pid).create_time() == self._began[pid]
            assert psutil.Process(pid).status() != psutil.STATUS_ZOMBIE, f"{name} ended with {when}"
        assert SEEN_BY_THE_USER in self._tmux("capture-pane", "-p", "-t", "work"), when
        with socket.socket(socket.AF_UNIX) as agent:
            agent.connect(str(self.agent))
        assert self._talker.call("thread/loaded/list") == {"data": [], "nextCursor": None}, when

    def close(self) -> None:
        """Ends them, which is the user's business."""
        self._talker.close()
        self._world.codexd("stop", env=self.other)
        self._tmux("kill-server")
        os.kill(self.pids["ssh-agent"], signal.SIGTERM)
        ended = [psutil.Process(pid) for pid in self.pids.values() if psutil.pid_exists(pid)]
        wait_for_ends(ended, PATIENCE_S)


def status(world: World) -> dict[str, Any]:
    """What codexd says of itself."""
    client = world.client("status")
    report: dict[str, Any] = client.call("codexd/status")
    client.close()
    return report


def has_mcp_server(world: World) -> bool:
    """Whether Codex has one, and codexd has seen it."""
    return any("mcp_server" in " ".join(_command_line(pid)) for pid in recorded(world))


def _command_line(pid: int) -> list[str]:
    try:
        return psutil.Process(pid).cmdline()
    except psutil.Error:
        return []


def start_what_is_codexs_own(world: World) -> list[psutil.Process]:
    """A command that runs, one with a job, and an MCP server: nothing of it is to be left."""
    client = world.client("busy")
    client.wait_turn(client.start_turn(client.start_thread(cwd=str(world.project)), "hello"))
    start_command(client, "slow")
    start_job(world, client)
    world.until(lambda: has_mcp_server(world) and len(sleepers(world)) >= 3)
    own = set(recorded(world))
    return [process for process in world.living() if process.pid in own]


def stop(world: World) -> None:
    """In good order."""
    assert world.codexd("stop").returncode == 0


def restart(world: World) -> None:
    """In good order, and it goes on."""
    assert world.codexd("restart").returncode == 0


def kill_codex(world: World) -> None:
    """Codex dies, and the next one comes."""
    client = world.client("watcher", codexd={})
    mark = client.mark()
    os.kill(client.call("codexd/status")["codex"]["pid"], signal.SIGKILL)
    client.wait_notification("codexd/codex/ready", since=mark)
    client.close()


def kill_codexd(world: World) -> None:
    """codexd dies, and the next one comes."""
    os.kill(status(world)["codexd"]["pid"], signal.SIGKILL)
    assert world.codexd("start").returncode == 0


def kill_codexd_beside_a_halted_codex(world: World) -> None:
    """The same, and Codex does not notice: what is left below it is all that it had."""
    report = status(world)
    os.kill(report["codex"]["pid"], signal.SIGSTOP)
    os.kill(report["codexd"]["pid"], signal.SIGKILL)
    assert world.codexd("start").returncode == 0


WAYS: list[Callable[[World], None]] = [
    kill_codex,
    restart,
    kill_codexd,
    kill_codexd_beside_a_halted_codex,
    stop,
]


@pytest.fixture
def leavers(newest_codex: Path) -> Iterator[tuple[World, Leavers]]:
    """A codexd whose Codex has run commands that started what is to live on."""
    with a_world(newest_codex) as world:
        assert world.codexd("start").returncode == 0
        started = Leavers(world, world.client("starter"))
        try:
            yield world, started
        finally:
            started.close()


def test_the_users_tmux_and_ssh_agent_live_through_everything(leavers: tuple[World, Leavers]) -> None:
    """Regression: the sweep killed whatever bore codexd's mark, tmux with the user's windows in it among them.

    A codexd of another CODEX_HOME was killed, too, with its clients' turns. What is Codex's own is gone each time.
    """
    world, left = leavers
    left.check("being started")
    for way in WAYS:
        own = start_what_is_codexs_own(world)
        way(world)
        left.check(way.__name__)
        assert [process for process in own if process in world.living()] == [], way.__name__


def test_with_the_sweep_switched_off_codexd_ends_nothing(world: World) -> None:
    """`sweep = false`: what Codex itself leaves is left."""
    (world.config_home / "codexd").mkdir()
    (world.config_home / "codexd" / "config.toml").write_text("sweep = false\n")
    assert world.codexd("start").returncode == 0
    client = world.client()
    start_job(world, client)
    (job,) = sleepers(world)
    stop(world)
    assert sleepers(world) == [job]
    os.kill(job, signal.SIGKILL)
