"""Where a peer comes from: whether Codex runs it, and in which directory it stands. Asked before a byte is read.

A peer that Codex runs is recognised by any of these: it descends from codexd (Codex is codexd's child, and codexd adopts
the orphans below it); it has codexd's mark in its environment, which is what is left of Codex when codexd was killed;
it is in another pid namespace, as Codex's sandbox is (0.163, 0.171). What cannot be shown to be outside counts as
inside: a peer that has ended may have left the connection to a child.
"""

import errno
import os
import select
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from codexd.protocol.sandbox import MARK_VARIABLE
from codexd.routing.rights import Peer
from codexd.runtime import proc
from codexd.runtime.peer import HasOptions

_DESCRIPTOR = struct.Struct("i")
_SO_PEERPIDFD = 77  # Linux 6.5, asm-generic/socket.h
_GONE = "it had ended before codexd could look at it"


def met(connection: HasOptions, pid: int | None, mark: str) -> Peer:
    """What is to be known of a peer that was admitted. `mark`: what codexd's Codex has in its environment.

    Takes some 0.2 ms, in which the peer cannot be replaced by another process with its pid (from Linux 6.5 on; with
    an older kernel, not since it was first looked at).
    """
    if pid is None:
        return Peer(inside="it is in another pid namespace")
    try:
        with _held(connection, pid) as process:
            inside, cwd = _why_inside(pid, mark), proc.directory(pid)
            if process is not None and _has_ended(process):
                raise proc.Unclear(_GONE)
    except proc.Unclear as unclear:
        return Peer(pid, str(unclear))
    except ProcessLookupError:
        return Peer(pid, _GONE)
    except OSError as error:
        return Peer(pid, f"it cannot be looked at ({error.filename or 'its process'}: {error.strerror})")
    return Peer(pid, inside, cwd)


def _why_inside(pid: int, mark: str) -> str | None:
    """Why the process counts as run by Codex; None when it is outside. codexd itself is."""
    own = os.getpid()
    if own in proc.ancestors(pid):
        return f"it descends from codexd (pid {own})"
    if not proc.shares_pid_namespace(pid):
        return "it is in another pid namespace, as commands in Codex's sandbox are"
    if pid != own and proc.has_variable(pid, MARK_VARIABLE, mark):
        return f"it has codexd's mark in its environment ({MARK_VARIABLE})"
    return None


@contextmanager
def _held(connection: HasOptions, pid: int) -> Iterator[int | None]:
    """A descriptor of the process that connected, which stands for no other one; None where the system has none.

    Raises:
        ProcessLookupError: it is gone.
        OSError: the descriptor cannot be had for another reason.
    """
    descriptor = _descriptor_of(connection, pid) if sys.platform == "linux" else None
    try:
        yield descriptor
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _descriptor_of(connection: HasOptions, pid: int) -> int:
    try:
        (found,) = _DESCRIPTOR.unpack(
            connection.getsockopt(socket.SOL_SOCKET, _SO_PEERPIDFD, _DESCRIPTOR.size)
        )
    except OSError as error:
        if error.errno == errno.ENOPROTOOPT:  # before Linux 6.5
            return os.pidfd_open(pid)
        if error.errno in (errno.ESRCH, errno.EINVAL, errno.ENODATA):
            raise ProcessLookupError from None
        raise
    return int(found)


def _has_ended(process: int) -> bool:
    poll = select.poll()
    poll.register(process, select.POLLIN)
    return bool(poll.poll(0))
