"""How each of our programs begins, before it imports anything that is not always there.

The environment belongs to whoever calls: PYTHONPATH may lead to another `trio` or `queue`, HOME nowhere, a standard
stream to a disk that is full. And whatever goes wrong, the user reads a sentence and no traceback; CODEXD_DEBUG=1
shows that, too.
"""

import os
import sys
from types import TracebackType


def begin(name: str) -> tuple[str, ...]:
    """Makes this process one of our programs; `name` is what it says it is.

    Returns what the user should know of the environment, in sentences.
    """
    _prefer_own_modules()
    from codexd.protocol.descriptors import guard_streams
    from codexd.protocol.home import settle_home
    from codexd.protocol.socket_path import without_ignored
    from codexd.protocol.stand_in import NAME

    guard_streams()
    sys.excepthook = lambda kind, error, trace: _say(name, error, trace)
    notes = [settle_home(os.environ)]
    if name != NAME:  # it may become the real Codex, whose environment is its caller's
        notes.append(without_ignored(os.environ, os.getuid()))
    return tuple(note for note in notes if note)


def _prefer_own_modules() -> None:
    """Looks for modules in PYTHONPATH and beside the script only when this installation does not have them.

    They may not be dropped: the installation itself, or what it needs, may be there. (An isolated interpreter, `-I`,
    has neither of them; the scripts that pip makes for a package have no way to ask for one.)
    """
    named = None if sys.flags.ignore_environment else os.environ.get("PYTHONPATH")
    last = {os.path.abspath(path) for path in named.split(os.pathsep)} if named else set()
    if not sys.flags.safe_path and sys.path:
        last.add(sys.path[0])
    sys.path.sort(key=last.__contains__)


def _say(name: str, error: BaseException, trace: TracebackType | None) -> None:
    """The end of a program that did not expect this: the interpreter exits with 1."""
    if os.environ.get("CODEXD_DEBUG") == "1":
        sys.__excepthook__(type(error), error, trace)
    elif not isinstance(error, KeyboardInterrupt):
        from codexd.protocol.visible import plain

        sys.stderr.write(plain(f"{name}: {sentence_of(error)}\n"))


def sentence_of(error: BaseException) -> str:
    """What to say of an error that nobody expected; it is one line."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if isinstance(error, ImportError):
        return f"this installation is incomplete, install it again ({error})"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, MemoryError):
        return "there is not enough memory"
    what = " ".join(f"{type(error).__name__}: {error}".split())
    return f"something went wrong that should not have ({what}); CODEXD_DEBUG=1 shows where"
