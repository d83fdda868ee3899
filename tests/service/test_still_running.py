"""A codexd is found by the files that it has open, when all that names it is gone."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from codexd.protocol.running import Holder
from codexd.service import still_running as module
from codexd.service.locks import as_text
from codexd.service.still_running import still_running
from tests.service.place import Place

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows the open files of others")

_HOLD = """
import fcntl, os, sys
path, text, operation, uid = sys.argv[1:]
descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK, 0o600)
fcntl.flock(descriptor, getattr(fcntl, operation))
os.write(descriptor, text.replace("PID", str(os.getpid())).encode())
if uid: os.setuid(int(uid))
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held(
    place: Place,
    name: str = "codexd.lock",
    pid: int | str = "PID",
    home: str = "",
    operation: str = "LOCK_EX",
    uid: str = "",
) -> Iterator[int]:
    """Another process that holds a lock file with this text; its pid."""
    holder = Holder(0, "/s", home or str(place.codex_home))
    text = as_text(holder).decode().replace('"pid": 0', f'"pid": {pid}')
    process = place.start(
        args=[sys.executable, "-c", _HOLD, str(place.codex_home / name), text, operation, uid],
        stdin=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n", process.communicate()
    yield process.pid
    process.kill()
    process.wait()


def found(place: Place) -> Holder | None:
    """Who is found."""
    return still_running(str(place.codex_home))


@pytest.mark.parametrize("name", ["codexd.lock", ".codexd.lock.new"])
def test_it_is_found_without_its_files(place: Place, name: str) -> None:
    """Under both names that the file has, and with all that it would be found by otherwise."""
    with held(place, name) as pid:
        shutil.rmtree(place.codex_home)
        place.codex_home.mkdir()
        assert found(place) == Holder(pid, "/s", str(place.codex_home))
    assert found(place) is None


def test_others_are_not_taken_for_it(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of another CODEX_HOME, another file, who only looks at the lock, who is not named in it, and this process."""
    with held(place, home="/another"):
        assert found(place) is None
    with held(place, "another.lock"):
        assert found(place) is None
    with held(place, operation="LOCK_SH"):
        assert found(place) is None
    with held(place, pid=1):
        assert found(place) is None
    with held(place) as pid:
        assert found(place) is not None
        monkeypatch.setattr(os, "getpid", lambda: pid)
        assert found(place) is None


def test_no_file_is_read_that_is_none(place: Place) -> None:
    """A pipe of that name would keep a reader waiting."""
    os.mkfifo(place.codex_home / "codexd.lock")
    with held(place):
        assert found(place) is None


def test_another_directory_of_the_same_name_is_another_home(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container that shares the process table."""
    monkeypatch.setattr(module, "_sees_the_same", lambda pid, path: False)
    with held(place):
        assert found(place) is None
    monkeypatch.undo()
    with held(place) as pid:
        assert not module._sees_the_same(pid, "/missing")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user for a test")
def test_another_users_is_no_codexd_of_ours(place: Place) -> None:
    """Whatever it says of itself."""
    with held(place, uid="65534"):
        assert found(place) is None


def test_who_ends_meanwhile_is_not_found(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its files are gone with it."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    monkeypatch.setattr(module, "flock_holders", lambda: {ended.pid})
    assert found(place) is None
    assert module._text(f"/proc/{ended.pid}/fd/3") is None
