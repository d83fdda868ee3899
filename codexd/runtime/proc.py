"""What the system tells of a process: what it descends from, its namespaces, its environment, its directory.

On Linux this is read from `/proc`, without psutil: it is done for every connection, and takes some 0.2 ms. Nothing here
touches a file system other than `/proc`, which could hang.
"""

import os
import sys
from typing import NamedTuple

import psutil

MAX_ANCESTORS = 256
"""A longer line of ancestors is given up: reading it would keep other clients waiting."""
_WALKS = 10
_PARENT, _START = 1, 19  # fields of /proc/PID/stat behind the name, proc(5): ppid, starttime
_DELETED = " (deleted)"


class Unclear(Exception):
    """It cannot be told; the message is a clause that begins with `it`."""


class _Stat(NamedTuple):
    parent: int
    start: int


def ancestors(pid: int) -> list[int]:
    """The parent of a process, its parent, and so on, up to the first one or to one that is hidden from this user.

    Parents end while they are looked at, and their children are given others: what two looks in a row agree on was so.

    Raises:
        Unclear: the process is gone, or its ancestors change too quickly or are too many.
    """
    if sys.platform != "linux":
        return _ancestors_by_psutil(pid)
    walked = _walk(pid)
    for _ in range(_WALKS):
        again = _walk(pid)
        if again == walked:
            return [ancestor for ancestor, _ in again[1:]]
        walked = again
    raise Unclear("its ancestors change while codexd looks at them")


def shares_pid_namespace(pid: int) -> bool:
    """Whether the process counts pids as we do. The pid is one of our own namespace, so the other one is below it."""
    return sys.platform != "linux" or _depth(str(pid)) == _depth("self")


def has_variable(pid: int, name: str, value: str) -> bool:
    """Whether the environment that the process was started with has this variable; False where it hides that."""
    if sys.platform != "linux":
        try:
            return psutil.Process(pid).environ().get(name) == value
        except psutil.Error:
            return False
    try:
        environment = _read(str(pid), "environ")
    except PermissionError:  # a program that hides its memory, as ssh-agent and sshd do
        return False
    return f"{name}={value}".encode() in environment.split(b"\0")


def directory(pid: int) -> str | None:
    """The working directory of a process; None when it was removed, hidden, not UTF-8, or means nothing here.

    A path of another mount namespace may name another directory here. A directory whose name ends in ` (deleted)`
    cannot be told from one that was removed.
    """
    try:
        if sys.platform != "linux":
            found = psutil.Process(pid).cwd()
        elif os.readlink(f"/proc/{pid}/ns/mnt") != os.readlink("/proc/self/ns/mnt"):
            return None
        else:
            found = os.readlink(f"/proc/{pid}/cwd")
        found.encode()
    except (OSError, psutil.Error, UnicodeEncodeError):
        return None
    return found if found.startswith("/") and not found.endswith(_DELETED) else None


def _walk(pid: int) -> list[tuple[int, int]]:
    """A process and its ancestors, each with its start; a start tells a process from a later one with its pid."""
    stat: _Stat | None = _stat(pid)
    if stat is None:
        raise Unclear("it had ended before codexd could look at it")
    found = [(pid, stat.start)]
    while stat is not None and stat.parent:
        if len(found) > MAX_ANCESTORS:
            raise Unclear(f"it has more than {MAX_ANCESTORS} ancestors")
        parent = stat.parent
        stat = _stat(parent)
        if stat is not None:
            found.append((parent, stat.start))
    return found


def _stat(pid: int) -> _Stat | None:
    """None for a process that is gone, or hidden (the mount option `hidepid`)."""
    try:
        fields = _read(str(pid), "stat").rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return _Stat(int(fields[_PARENT]), int(fields[_START]))


def _depth(process: str) -> int:
    """In how many pid namespaces it has a pid, of those that this `/proc` knows."""
    for line in _read(process, "status").splitlines():
        if line.startswith(b"NSpid:"):
            return len(line.split()) - 1
    return 1  # a kernel without pid namespaces


def _read(process: str, what: str) -> bytes:
    with open(f"/proc/{process}/{what}", "rb") as file:
        return file.read()


def _ancestors_by_psutil(pid: int) -> list[int]:
    try:
        return [parent.pid for parent in psutil.Process(pid).parents()]
    except psutil.Error:
        raise Unclear("it had ended before codexd could look at it") from None
