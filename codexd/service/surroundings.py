"""What doctor finds in the environment of a command: home, directories, disks, /proc, Python's own variables."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

from codexd.protocol import socket_path, working_directory
from codexd.runtime.processes import is_process_table_there
from codexd.service.finding import BROKEN, NOTE, OK, Finding
from codexd.service.instance import Instance

_LEAST_BYTES = 1024 * 1024
_PYTHON = ("PYTHONPATH", "PYTHONHOME", "PYTHONOPTIMIZE", "PYTHONWARNINGS")


def examine(instance: Instance, notes: tuple[str, ...]) -> list[Finding]:
    """Every finding. `notes`: what was wrong with the environment that this process began with, in sentences."""
    return [
        *(Finding("home", NOTE, note, "export HOME=DIRECTORY") for note in notes),
        *_current_directory(),
        *_proc(),
        *_python(instance),
        *_directories(instance),
    ]


def _current_directory() -> Iterator[Finding]:
    if working_directory.is_removed():
        yield Finding("directory", NOTE, working_directory.REMOVED)


def _proc() -> Iterator[Finding]:
    if not is_process_table_there():
        text = "/proc is not there, and neither Codex nor codexd works without it"
        yield Finding("processes", BROKEN, text, "mount -t proc proc /proc")


def _python(instance: Instance) -> Iterator[Finding]:
    if given := [name for name in _PYTHON if instance.environ.get(name)]:
        text = (
            f"{', '.join(given)} in the environment: codexd uses its own modules first, and runs without them"
        )
        yield Finding("Python", NOTE, text)


def _directories(instance: Instance) -> Iterator[Finding]:
    """Each directory that codexd writes to; one that is to be made yet is judged by where it will be."""
    settings = instance.settings
    wanted = {
        "runtime": settings.socket.parent,
        "state": Path(socket_path.state_dir(instance.environ)),
        "log_dir": settings.log_dir,
    }
    for name, directory in wanted.items():
        problem = problem_of(directory)
        if problem:
            yield Finding(
                name, BROKEN, problem, "make room, or choose another place with --socket, --log-dir or HOME"
            )
        elif name == "runtime":
            yield Finding(name, OK, str(directory))


def problem_of(directory: Path) -> str | None:
    """Why nothing could be written into this directory, or None; it need not exist yet."""
    found = directory
    try:
        while not os.path.lexists(found):
            found = found.parent
        status = os.statvfs(found)
    except OSError as error:
        return f"{found}: {error.strerror}"
    if not found.is_dir():
        return f"{found} is no directory"
    if status.f_flag & os.ST_RDONLY:
        return f"{directory} cannot be written: {os.strerror(errno.EROFS)}"
    if not os.access(found, os.W_OK | os.X_OK):
        return f"{directory} cannot be written: {os.strerror(errno.EACCES)}"
    if status.f_bavail * status.f_frsize < _LEAST_BYTES:
        return f"{directory}: {os.strerror(errno.ENOSPC)}"
    return None
