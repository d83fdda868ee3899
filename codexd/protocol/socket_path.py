"""Where codexd's socket is: one answer for the daemon and for every client.

Computed here and not by platformdirs, whose `user_runtime_dir` changed its rules between versions: two programs
with different versions of it would look in different places. Every `codexctl` pays for this module: so paths are
strings here, `pathlib` and `hashlib` would be a tenth of a command's start.
"""

import os
import stat
from collections.abc import Mapping, MutableMapping

from codexd.protocol.home import home_of

MAX_SOCKET_PATH_BYTES = 107 if os.uname().sysname == "Linux" else 103
"""`sun_path` of sockaddr_un, less the closing NUL."""

_RUN_USER = "/run/user"


class SocketPathTooLong(ValueError):
    """The path does not fit into a socket address; the message names it, its length and the way out."""


def codex_home(environ: Mapping[str, str], override: str | None = None) -> str:
    """The CODEX_HOME that is meant, absolute and without links: the override, the environment's, else `~/.codex`."""
    chosen = override or environ.get("CODEX_HOME") or default_codex_home(environ)
    return os.path.realpath(os.path.expanduser(chosen))


def default_codex_home(environ: Mapping[str, str]) -> str:
    """`~/.codex`, absolute and without links."""
    return os.path.realpath(os.path.join(home_of(environ), ".codex"))


def home_hash(home: str | os.PathLike[str]) -> str:
    """Eight characters that stand for a CODEX_HOME in the names of sockets and directories."""
    import hashlib

    return hashlib.sha256(os.fsencode(home)).hexdigest()[:8]


def state_dir(environ: Mapping[str, str]) -> str:
    """`$XDG_STATE_HOME/codexd`, else `~/.local/state/codexd`; on macOS in `~/Library/Application Support`.

    A value that `ignored` names counts for nothing.
    """
    base = environ.get("XDG_STATE_HOME")
    if base and _why_no_state_home(base, os.getuid()) is None:
        return os.path.join(base, "codexd")
    if os.uname().sysname == "Darwin":
        return os.path.join(home_of(environ), "Library", "Application Support", "codexd")
    return os.path.join(home_of(environ), ".local", "state", "codexd")


def runtime_dir(environ: Mapping[str, str], uid: int) -> str:
    """The directory of the socket: below XDG_RUNTIME_DIR, else /run/user/UID where that is ours, else the state's.

    A value that `ignored` names counts for nothing.
    """
    base = environ.get("XDG_RUNTIME_DIR")
    if base and _why_no_runtime_dir(base, uid) is None:
        return os.path.join(base, "codexd")
    if (run := session_dir(uid)) is not None:
        return os.path.join(run, "codexd")
    return os.path.join(state_dir(environ), "run")


def session_dir(uid: int) -> str | None:
    """/run/user/UID, where a login of the user has made it."""
    run = os.path.join(_RUN_USER, str(uid))
    return run if _is_own_directory(run, uid) else None


def ignored(environ: Mapping[str, str], uid: int) -> dict[str, str]:
    """The variables that count for nothing, each with the reason, for a sentence that begins with its name and value.

    The XDG Base Directory Specification wants absolute paths, and of XDG_RUNTIME_DIR a directory of the user's own.
    `su`, `sudo -E`, a session that has ended and a container leave others behind.
    """
    why_not = {"XDG_RUNTIME_DIR": _why_no_runtime_dir, "XDG_STATE_HOME": _why_no_state_home}
    found = {}
    for name, judge in why_not.items():
        value = environ.get(name)
        if value and (reason := judge(value, uid)) is not None:
            found[name] = reason
    return found


def without_ignored(environ: MutableMapping[str, str], uid: int) -> str | None:
    """Takes the `ignored` variables out of the environment, for this process and those that it starts.

    Returns a sentence that names them, for stderr; None where there are none.
    """
    found = [(f"{name}={environ[name]}", name, reason) for name, reason in ignored(environ, uid).items()]
    for _, name, _ in found:
        del environ[name]
    return "; ".join(f"{value} {reason}, and is ignored" for value, _, reason in found) or None


def socket_path(
    environ: Mapping[str, str], uid: int, override: str | None = None, home: str | None = None
) -> str:
    """The socket: `override` (`--socket`), else CODEXD_SOCKET, else `codexd.sock` in the runtime directory.

    A CODEX_HOME other than the default one has a socket of its own, `codexd-HASH.sock`.

    Raises:
        SocketPathTooLong: the path does not fit into a socket address.
    """
    if chosen := override or environ.get("CODEXD_SOCKET"):
        path = os.path.abspath(os.path.expanduser(chosen))
    else:
        home = home or codex_home(environ)
        name = "codexd.sock" if home == default_codex_home(environ) else f"codexd-{home_hash(home)}.sock"
        path = os.path.join(runtime_dir(environ, uid), name)
    length = len(os.fsencode(path))
    if length > MAX_SOCKET_PATH_BYTES:
        raise SocketPathTooLong(
            f"the socket path {path} is {length} bytes long, and a socket's address holds {MAX_SOCKET_PATH_BYTES}; "
            "give a shorter one with --socket PATH or CODEXD_SOCKET"
        )
    return path


def _is_own_directory(path: str, uid: int) -> bool:
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return status.st_uid == uid and stat.S_ISDIR(status.st_mode)


def _why_no_runtime_dir(path: str, uid: int) -> str | None:
    """Why this can't be a user's XDG_RUNTIME_DIR. Whoever makes the session makes it; nobody else does."""
    if not os.path.isabs(path):
        return "is no absolute path"
    try:
        status = os.stat(path)
    except OSError as error:
        return f"cannot be used ({error.strerror})"
    if not stat.S_ISDIR(status.st_mode):
        return "is no directory"
    return None if status.st_uid == uid else "belongs to another user"


def _why_no_state_home(path: str, uid: int) -> str | None:
    """Why this can't be a user's XDG_STATE_HOME. It may be missing, where this user may make it."""
    if not os.path.isabs(path):
        return "is no absolute path"
    status = None
    while status is None:
        try:
            status = os.stat(path)
        except FileNotFoundError:
            path = os.path.dirname(path)
        except OSError as error:
            return f"cannot be used ({error.strerror})"
    if not stat.S_ISDIR(status.st_mode):
        return "is no directory"
    if status.st_uid == uid or (status.st_uid == 0 and os.access(path, os.W_OK | os.X_OK)):
        return None
    return "belongs to another user"
