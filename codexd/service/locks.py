"""Who runs: locks that the kernel drops with their holder, whatever ends it.

A codexd holds three for its whole life: one on its CODEX_HOME (`home_claim`), one in the directory of the state directory
that belongs to the CODEX_HOME, for what it keeps there, and one beside its socket, so that codexds of different homes
cannot fight for one path. The text in a lock's file says who holds it, and no setting. It is for people, for codexctl
and for `stop`; who runs is decided by the lock alone. The file of a lock of this module is never removed: somebody may
be waiting on the old one while somebody else locks a new one of the same name.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from codexd.protocol import running, socket_path
from codexd.protocol.running import Holder
from codexd.runtime.private_file import open_private
from codexd.service.errors import CannotServe

PATIENCE_SECONDS = 0.5
"""How long a lock that is held is tried again: `holder` takes it for an instant to see whether it is free."""
RETRY_SECONDS = 0.02


class AlreadyRunning(CannotServe):
    """Another codexd has the CODEX_HOME or the socket that this one wants. `holder` is None while it is just starting."""

    def __init__(self, message: str, holder: Holder | None) -> None:
        super().__init__(message)
        self.holder = holder


def home_directory(environ: Mapping[str, str], codex_home: Path) -> Path:
    """The directory in the state directory that belongs to this CODEX_HOME: its lock and what codexd keeps of it."""
    return Path(socket_path.state_dir(environ)) / f"home-{socket_path.home_hash(codex_home)}"


def home_lock(environ: Mapping[str, str], codex_home: Path) -> Path:
    """The file whose lock says that a codexd serves this CODEX_HOME."""
    return home_directory(environ, codex_home) / running.FILE


def process_record(environ: Mapping[str, str], codex_home: Path) -> Path:
    """The file that says which processes are its Codex's own, for the codexd that comes after one that was killed."""
    return home_directory(environ, codex_home) / "processes.json"


def start_lock(environ: Mapping[str, str], codex_home: Path) -> Path:
    """The file whose lock a `codexd start` or `stop` holds while it works, so that they come one after the other."""
    return home_directory(environ, codex_home) / "start.lock"


def timeline_file(environ: Mapping[str, str], codex_home: Path) -> Path:
    """The file that keeps the events of this CODEX_HOME's threads; SQLite has two more beside it while it is open."""
    return home_directory(environ, codex_home) / "timeline.db"


def socket_lock(socket: Path) -> Path:
    """The file whose lock says that a codexd serves this socket."""
    return Path(running.socket_lock(os.fspath(socket)))


class Lock:
    """A lock on a file that names its holder. `take` first; `drop` at the end, whatever happened."""

    def __init__(self, path: Path, owner: Holder) -> None:
        self.path = path
        self._owner = owner
        self._descriptor: int | None = None

    def take(self) -> None:
        """Takes the lock, also a second time when its file was removed or replaced; the directory must exist.

        Raises:
            AlreadyRunning: somebody else holds it, and did for `PATIENCE_SECONDS`.
            CannotServe: the file cannot be locked at all.
        """
        descriptor = _locked(self.path, PATIENCE_SECONDS)
        if descriptor is None:
            who = holder(self.path)
            raise AlreadyRunning(sentence(self.path, who), who)
        self.drop()
        self._descriptor = descriptor
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, as_text(self._owner), 0)
        except OSError as error:
            raise CannotServe(f"the lock {self.path} cannot be written: {error.strerror}") from None

    def is_ours(self) -> bool:
        """Whether the file that has the name is the one that is locked."""
        return self._descriptor is not None and _is_still(self.path, self._descriptor)

    def drop(self) -> None:
        """Lets go of the lock; its file then names nobody."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None


@contextmanager
def held(path: Path, owner: Holder) -> Iterator[Lock]:
    """Holds the lock and names the holder in its file; the directory must exist. Raises as `Lock.take` does."""
    lock = Lock(path, owner)
    lock.take()
    try:
        yield lock
    finally:
        lock.drop()


def as_text(owner: Holder) -> bytes:
    """What stands in the file of a lock."""
    return json.dumps(owner.members(), indent=1).encode() + b"\n"


@contextmanager
def waited_for(path: Path, seconds: float, others: str = "another command of codexd") -> Iterator[None]:
    """Holds the lock, waiting for it as long as `seconds`; its file stays empty. `others`: who else takes it.

    Raises:
        CannotServe: somebody else held it all the time, or the file cannot be locked at all.
    """
    descriptor = _locked(path, seconds)
    if descriptor is None:
        raise CannotServe(f"{others} is still at work: it holds {path}")
    try:
        yield
    finally:
        os.close(descriptor)


def holder(path: Path) -> Holder | None:
    """Who holds the lock, None when nobody does. A pid of 0: it was taken this instant and is not yet named."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise CannotServe(f"the lock {path} cannot be read: {error.strerror}") from None
    try:
        return running.named(os.pread(descriptor, 65536, 0)) if running.is_locked(descriptor) else None
    finally:
        os.close(descriptor)


def _locked(path: Path, seconds: float) -> int | None:
    """A descriptor that holds the lock of the file that has this name; None when others held it all the time."""
    deadline = time.monotonic() + seconds
    while True:
        descriptor = _opened(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            if time.monotonic() >= deadline:
                return None
            time.sleep(RETRY_SECONDS)
        except OSError as error:
            os.close(descriptor)
            raise CannotServe(f"the lock {path} cannot be taken: {error.strerror}") from None
        else:
            if _is_still(path, descriptor):
                return descriptor
            os.close(descriptor)


def _opened(path: Path) -> int:
    try:
        return open_private(path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise CannotServe(f"the lock {path} cannot be opened: {error.strerror}") from None


def _is_still(path: Path, descriptor: int) -> bool:
    """A file that was cleaned away after it was opened has a lock that nobody else will ever look at."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except OSError:  # it is gone, or its directory is
        return False


def sentence(path: Path, who: Holder | None) -> str:
    """Who has what the lock stands for. `path`: its file."""
    if who is None or not who.pid:
        return f"another codexd has just taken {path}"
    elsewhere = "" if who.machine in ("", os.uname().nodename) else f" on the machine {who.machine}"
    return f"codexd already runs for {who.codex_home}: pid {who.pid}{elsewhere}, socket {who.socket}"
