"""What codexd stands on is taken away, or its clients look for it in another place, with the real Codex."""

import os
import shutil
import signal
import subprocess

import pytest

from tests.e2e.harness import World

pytestmark = pytest.mark.e2e


def of_cron(world: World) -> dict[str, str]:
    """Another environment of the same user, as a cron job's is: sockets and state belong elsewhere."""
    places = {name: world.root / f"cron-{name}" for name in ("XDG_RUNTIME_DIR", "XDG_STATE_HOME")}
    for place in places.values():
        place.mkdir(mode=0o700)
    return {name: str(place) for name, place in places.items()}


def pid_of(world: World, **env: str) -> str:
    """The codexd that is found."""
    done = world.codexctl("status", env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout.split("pid ")[1].split(",")[0]


def test_two_environments_of_one_user_find_one_codexd(world: World) -> None:
    """Started from cron and used from a login shell, every command of the other side ended with exit code 3."""
    cron = of_cron(world)
    sent = world.codexctl("send", "hello", env=cron)
    assert (sent.returncode, sent.stdout) == (0, "You said: hello\n")
    pid = pid_of(world, **cron)
    assert pid_of(world) == pid
    sent = world.codexctl("send", "hello")
    assert (sent.returncode, sent.stdout) == (0, "You said: hello\n")
    client = world.stand_in()
    client.initialize("stand-in")
    client.close()
    gone = {"XDG_RUNTIME_DIR": str(world.root / "gone"), "XDG_STATE_HOME": "relative"}
    sent = world.codexctl("send", "hello", env=gone)
    assert (sent.returncode, sent.stdout) == (0, "You said: hello\n")
    said = [line for line in sent.stderr.splitlines() if "XDG" in line]
    assert said == [
        f"codexctl: XDG_RUNTIME_DIR={world.root}/gone cannot be used (No such file or directory), and is ignored; "
        "XDG_STATE_HOME=relative is no absolute path, and is ignored"
    ]
    client = world.stand_in(env=gone)
    client.initialize("stand-in")
    client.close()
    stale = {"CODEXD_SOCKET": str(world.root / "stale.sock"), "CODEX_HOME": str(world.codex_home)}
    assert pid_of(world, **stale) == pid
    started = world.codexd("start")
    assert (started.returncode, started.stderr) == (0, "")
    assert started.stdout.startswith(f"codexd already runs (pid {pid}); ")
    assert len(world.codexes()) == 1
    assert world.codexd("stop").stdout == f"codexd stopped (pid {pid})\n"


def test_a_turn_goes_on_while_socket_and_state_directory_vanish(world: World) -> None:
    """A cleaner of /tmp or a logout takes both away in the middle of a turn: it ends well, the next one finds codexd.

    Before, a second codexd was started on the same CODEX_HOME, and its sweep ended the first one's Codex.
    """
    assert world.codexd("start").returncode == 0
    pid = pid_of(world)
    argv = [*world.command("codexctl"), "send", "hold there"]
    sending = world.spawn(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    world.model.wait_held("there")
    (codex,) = world.codexes()
    shutil.rmtree(world.socket_path.parent)
    shutil.rmtree(world.state_home)
    sent = world.codexctl("send", "hello", env={"XDG_STATE_HOME": str(world.root / "elsewhere")})
    assert (sent.returncode, sent.stdout) == (0, "You said: hello\n")
    assert (
        f"the socket {world.socket_path} of codexd (pid {pid}) is gone; it was asked to make it anew"
        in sent.stderr
    )
    assert world.codexes() == [codex]
    world.until(lambda: world.client().call("codexd/status")["timeline"]["state"] == "on")
    assert [*world.state_home.rglob("timeline.db")] != []
    world.model.release("there")
    out, _ = sending.communicate()
    assert (sending.returncode, out) == (0, b"holding there, released there\n")
    assert pid_of(world) == pid
    assert world.codexd("stop").returncode == 0
    assert world.living() == []


def test_a_codexd_whose_locks_are_all_gone_is_the_only_one(world: World) -> None:
    """CODEX_HOME, state and sockets vanish at once. Before, the next start served the same CODEX_HOME beside it."""
    assert world.codexd("start").returncode == 0
    pid = pid_of(world)
    (codex,) = world.codexes()
    world.codex_home.rename(world.root / "old-codex-home")
    shutil.rmtree(world.socket_path.parent)
    world.state_home.rename(world.root / "old-state")  # codexd may be writing into it, and `rmtree` give up
    started = world.codexd("start")
    assert started.returncode == 0, started.stderr
    assert started.stdout.startswith(f"codexd already runs (pid {pid}); ")
    assert world.codexes() == [codex]
    assert pid_of(world) == pid
    assert world.codexd("stop").stdout == f"codexd stopped (pid {pid})\n"
    assert world.living() == []


def test_no_program_waits_for_a_codexd_that_is_suspended(world: World) -> None:
    """SIGSTOP: each says so with exit code 3; when it goes on, so do they."""
    assert world.codexd("start").returncode == 0
    pid = pid_of(world)
    os.kill(int(pid), signal.SIGSTOP)
    try:
        argvs = [
            [*world.command("codexctl"), "threads"],
            [*world.command("codexctl"), "send", "hello"],
            [*world.command("codexctl"), "attach"],
            [*world.command("codexd-codex"), "app-server"],
            [*world.command("codexd"), "status"],
            [*world.command("codexd"), "start"],
        ]
        pipe = subprocess.PIPE
        waiting = [world.spawn(argv, stdin=pipe, stdout=pipe, stderr=pipe) for argv in argvs]
        for argv, process in zip(argvs, waiting, strict=True):
            assert process.stderr is not None
            assert process.wait() == 3, argv
            said = process.stderr.read().decode()
            assert pid in said, argv
            assert said.count("\n") == 1, said
    finally:
        os.kill(int(pid), signal.SIGCONT)
    sent = world.codexctl("send", "hello")
    assert (sent.returncode, sent.stdout) == (0, "You said: hello\n")
    assert world.codexd("stop").returncode == 0
