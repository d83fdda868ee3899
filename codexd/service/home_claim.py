"""That one codexd alone serves a CODEX_HOME: a lock on the directory itself, and the file in it that names the holder.

The lock is an flock on the directory, so it cannot be removed without the CODEX_HOME; two names of one directory are one
lock. `codexd.lock` in it (`codexd.protocol.running`) says who holds it. A file that is removed is written anew.

What happens in odd places:

- A CODEX_HOME that cannot be written to (another user's, a read-only file system, a full disk): the lock holds, the file
  is missing. Programs with the same environment find codexd, others do not; the log says so.
- A network file system: Linux locks a directory for this machine alone. Another machine's codexd is seen by the lock on
  its `codexd.lock`, and is named with its machine.
- Anybody who may read the directory can lock it. A lock of another user's process is passed over with a warning; the
  lock in the state directory is then what keeps a second codexd away.
- A CODEX_HOME that is removed is not made anew: it may be on a disk that was unmounted. When there is another directory
  of that name, it is locked in its turn; if another codexd was quicker, this one ends.
- When everything that names the running codexd has been removed or replaced, Linux still shows which files it has open
  (`still_running`). A codexd that starts then has the other one make all of it anew, and ends.
"""

import fcntl
import logging
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from codexd.protocol import running
from codexd.protocol.lock_table import flock_holder
from codexd.protocol.running import Holder
from codexd.service.errors import CannotServe
from codexd.service.locks import PATIENCE_SECONDS, RETRY_SECONDS, AlreadyRunning, as_text, sentence
from codexd.service.still_running import still_running

logger = logging.getLogger(__name__)

NAMING_SECONDS = 2.0
"""How long a codexd may take to lock and name itself anew. It takes milliseconds."""


class HomeClaim:
    """The claim of this process. `take` first; `drop` at the end, whatever happened."""

    def __init__(self, home: Path, owner: Holder) -> None:
        self.path = home
        self._owner = owner
        self._file = Path(running.home_lock(os.fspath(home)))
        self._directory: int | None = None
        self._name: int | None = None
        self._complaint: str | None = None

    def take(self) -> None:
        """Locks the directory and writes who did.

        Raises:
            AlreadyRunning: another codexd serves this CODEX_HOME.
            CannotServe: the directory cannot be opened, or a program that is no codexd has locked it.
        """
        is_new = self._directory is None
        if is_new:  # before there is a lock that would be in the way of the other one
            self._refuse_beside_another()
        directory = _locked_directory(self.path)
        other = running.running(os.fspath(self._file))
        if other is not None and other.pid != self._owner.pid:
            os.close(directory)
            raise AlreadyRunning(sentence(self._file, other), other)
        if self._directory is not None:
            os.close(self._directory)
        self._directory = directory
        self._write_name()
        if is_new:  # two may have begun, and locked two directories that had the name one after the other
            self._refuse_beside_another()

    def listens(self) -> None:
        """From now on the file says that the socket is there."""
        owner = self._owner
        self._owner = Holder(owner.pid, owner.socket, owner.codex_home, owner.machine, True, owner.state)
        self._write_name()

    def is_whole(self) -> bool:
        """Whether the directory of that name is the one that is locked, and names this process."""
        return _is(self.path, self._directory) and _is(self._file, self._name)

    def is_displaced(self) -> bool:
        """Whether another directory has the name: what is started there now may be another codexd's business."""
        return os.path.lexists(self.path) and not _is(self.path, self._directory)

    def mend(self) -> None:
        """Locks the directory that there is now, and writes the name anew.

        Raises:
            AlreadyRunning: another codexd has it.
            CannotServe: there is none.
        """
        if not os.path.lexists(self.path):
            raise CannotServe(f"the CODEX_HOME {self.path} has been removed")
        if _is(self.path, self._directory):
            self._write_name()
        else:
            self.take()

    def drop(self) -> None:
        """Lets go of the CODEX_HOME. A file that cannot be removed names nobody: it is not locked any more."""
        if self._name is not None:
            if _is(self._file, self._name):
                with suppress(OSError):
                    self._file.unlink()
            os.close(self._name)
        if self._directory is not None:
            os.close(self._directory)
        self._name = self._directory = None

    def _refuse_beside_another(self) -> None:
        """Raises `AlreadyRunning` when a codexd lives whose locks are gone, after it was asked to make them anew."""
        other = still_running(os.fspath(self.path))
        if other is None:
            return
        self.drop()
        _ask_to_name_itself(other, self._file)
        raise AlreadyRunning(sentence(self._file, other), other)

    def _write_name(self) -> None:
        """Under another name first: nobody sees a `codexd.lock` that is not yet locked, or half written."""
        new = self.path / running.NEW_FILE
        try:
            new.unlink(missing_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(new, flags, 0o600)
        except OSError as error:
            self._is_not_named(error)
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.pwrite(descriptor, as_text(self._owner), 0)
            new.replace(self._file)
        except OSError as error:
            os.close(descriptor)
            self._is_not_named(error)
            return
        if self._name is not None:
            os.close(self._name)
        self._name, self._complaint = descriptor, None

    def _is_not_named(self, error: OSError) -> None:
        """Says so once: it is tried again at every look."""
        if error.strerror != self._complaint:
            self._complaint = error.strerror
            logger.warning(
                "%s cannot be written (%s): who has another environment will not find this codexd",
                self._file,
                error.strerror,
            )


def _ask_to_name_itself(other: Holder, file: Path) -> None:
    """Returns when the file names that codexd, so that whoever has started this one finds it; or gives up."""
    deadline = time.monotonic() + NAMING_SECONDS
    is_asked = False
    while not _names(file, other) and time.monotonic() < deadline:
        if not is_asked:
            is_asked = True
            with suppress(ProcessLookupError):
                os.kill(other.pid, signal.SIGHUP)
        time.sleep(RETRY_SECONDS)


def _names(file: Path, other: Holder) -> bool:
    named = running.running(os.fspath(file))
    return named is not None and named.pid == other.pid


def _locked_directory(home: Path) -> int:
    """A descriptor that holds the lock of the directory that has this name."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            descriptor = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise CannotServe(f"the CODEX_HOME {home} cannot be opened: {error.strerror}") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return _passed_over(home, descriptor)
            os.close(descriptor)
            time.sleep(RETRY_SECONDS)
        except OSError as error:
            logger.warning("the directory %s cannot be locked: %s", home, error.strerror)
            return descriptor
        else:
            if _is(home, descriptor):
                return descriptor
            os.close(descriptor)


def _passed_over(home: Path, descriptor: int) -> int:
    """The descriptor without the lock, when only another user's process holds it."""
    who = running.running(running.home_lock(os.fspath(home)))
    pid = flock_holder(os.fstat(descriptor).st_ino)
    if who is None and pid is not None and _is_another_users(pid):
        logger.warning(
            "process %d of another user has locked %s; codexd goes on without that lock", pid, home
        )
        return descriptor
    os.close(descriptor)
    if who is None and pid is not None:
        raise AlreadyRunning(
            f"process {pid} has locked the directory {home}: a codexd that is just starting, or another program",
            None,
        )
    raise AlreadyRunning(sentence(home, who), who)


def _is_another_users(pid: int) -> bool:
    try:
        return os.stat(f"/proc/{pid}").st_uid != os.getuid()
    except OSError:  # it has ended since
        return False


def _is(path: Path, descriptor: int | None) -> bool:
    """Whether this name leads to what is open."""
    try:
        return descriptor is not None and os.path.samestat(os.stat(path), os.fstat(descriptor))
    except OSError:
        return False
