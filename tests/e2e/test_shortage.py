"""A system that gives codexd no more of something: who asks for what can't be had is told, and codexd stays."""

import os
import resource
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.e2e.harness import World

pytestmark = pytest.mark.e2e

Shortage = Callable[[int], AbstractContextManager[None]]
LEFT_BYTES = 2 * 1024 * 1024
CGROUPS = (Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup"))


@contextmanager
def limited(pid: int, what: int, least: int) -> Iterator[None]:
    """A resource limit of a process that is reached already."""
    before = resource.prlimit(pid, what)
    resource.prlimit(pid, what, (least, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, what, before)
        # A Codex that was started meanwhile has inherited the limit.
        for child in psutil.Process(pid).children(recursive=True):
            with suppress(ProcessLookupError):
                resource.prlimit(child.pid, what, before)


@contextmanager
def no_more_threads(pid: int) -> Iterator[None]:
    """Neither a thread nor a process: by a cgroup for root, for whom the limit of a user does not count."""
    if os.geteuid() != 0:
        with limited(pid, resource.RLIMIT_NPROC, 1):
            yield
        return
    group = _new_cgroup()
    try:
        (group / "cgroup.procs").write_text(str(pid))
        (group / "pids.max").write_text("1")
        yield
    finally:
        (group.parent / "cgroup.procs").write_text(str(pid))
        group.rmdir()


def _new_cgroup() -> Path:
    for tree in CGROUPS:
        group = tree / f"codexd-test-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        if (group / "pids.max").exists():
            return group
        group.rmdir()
    pytest.skip("root can make no cgroup with pids.max here")


@contextmanager
def no_more_descriptors(pid: int) -> Iterator[None]:
    """None is free below the limit."""
    numbers = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
    least = next(number for number in range(len(numbers) + 1) if number not in numbers)
    with limited(pid, resource.RLIMIT_NOFILE, least):
        yield


@contextmanager
def no_more_memory(pid: int) -> Iterator[None]:
    """Nothing large can be mapped beyond what codexd keeps for that: no stack of a thread, no long message.

    A limit that holds from the start is approached, and not fallen upon: the room for a look at it is left.
    """
    with limited(pid, resource.RLIMIT_AS, psutil.Process(pid).memory_info().vms + LEFT_BYTES):
        yield


@pytest.mark.parametrize("shortage", [no_more_threads, no_more_descriptors, no_more_memory])
def test_a_shortage_is_survived(world: World, shortage: Shortage) -> None:
    """History, status and turns work or are refused with an error while it lasts; Codex's death is survived in it, too.

    One `codexd/events/read` of an earlier life's events ended codexd in a cgroup at its `pids.max`.
    """
    first = world.start_daemon()
    client = world.client()
    thread = client.start_thread()
    client.wait_turn(client.start_turn(thread, "hello"))
    world.stop(first)
    daemon = world.start_daemon()
    client, other = world.client("one"), world.client("other")
    client.call("thread/resume", {"threadId": thread})
    before = client.call("codexd/status")["codex"]["pid"]
    with shortage(daemon.pid):
        for each in (client, other):
            each.wait_response(each.start("codexd/events/read", {"threadId": thread, "after": 0}))
            assert each.call("codexd/status")["codex"]["pid"] == before
        turn = client.start_turn(thread, "hello")
        client.wait_turn(turn)
        os.kill(before, signal.SIGKILL)
        world.until(lambda: client.call("codexd/status")["codex"].get("pid") != before)
        client.wait_response(client.start("codexd/events/read", {"threadId": thread, "after": 0}))
        assert daemon.poll() is None, world.log.read_text()
    world.until(lambda: client.call("codexd/status")["codex"]["state"] == "ready")
    assert client.call("codexd/events/read", {"threadId": thread, "after": 0})["events"]
    late = world.client("late")
    late.call("thread/resume", {"threadId": thread})
    late.wait_turn(late.start_turn(thread, "hello"))
    assert daemon.poll() is None, world.log.read_text()


def fill(file: Path) -> None:
    """Takes all the room that there is."""
    with file.open("wb", buffering=0) as filling:
        try:
            while True:
                filling.write(bytes(4096))
        except OSError:  # it is full
            return


def test_a_full_disk_is_survived(world: World) -> None:
    """History is kept in memory meanwhile, and on the disk again when there is room; nothing of it is lost."""
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m,mode=700", "none", world.state_home], capture_output=True
    )
    if made.returncode:
        pytest.skip(f"no file system can be mounted here: {made.stderr.decode().strip()}")
    try:
        daemon = world.start_daemon()
        client = world.client()
        thread = client.start_thread()
        filler = world.state_home / "filler"
        fill(filler)
        client.wait_turn(client.start_turn(thread, "stream 2000"))
        world.until(lambda: client.call("codexd/status")["timeline"]["state"] == "degraded")
        before = client.call("codexd/events/read", {"threadId": thread, "after": 0})["events"]
        assert before
        filler.unlink()
        world.until(lambda: client.call("codexd/status")["timeline"]["state"] == "on")
        again = client.call("codexd/events/read", {"threadId": thread, "after": 0})
        assert again["events"] == before
        assert "gap" not in again
        assert daemon.poll() is None, world.log.read_text()
        assert world.stop(daemon) == 0
    finally:
        subprocess.run(["umount", "-l", world.state_home], check=True)
