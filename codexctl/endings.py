"""From whatever ended a program to a sentence on stderr and an exit code."""

import os
import signal
import sys
from collections.abc import Callable

from codexctl.exits import Exit, Failure
from codexd.protocol.descriptors import OutputLost, ReaderGone
from codexd.protocol.errors import ACTIVE_WRITER, Code, CodexdError, Unavailable
from codexd.protocol.socket_path import SocketPathTooLong
from codexd.protocol.visible import plain


def ended(program: str, run: Callable[[], Exit], socket: str | None = None) -> Exit:
    """Runs it, and says in the program's name what went wrong. `socket`: codexd's, where one was named."""
    try:
        try:
            return run()
        finally:
            sys.stdout.flush()
    except ReaderGone:
        return _end_as_by_sigpipe()
    except CodexdError as error:
        return _say(program, _sentence(error, socket), _code(error))
    except SocketPathTooLong as error:
        return _say(program, error, Exit.USAGE)
    except UnicodeEncodeError:
        return _say(program, "an argument is not valid UTF-8", Exit.USAGE)
    except FileNotFoundError:
        from codexd.protocol import working_directory

        if not working_directory.is_removed():
            raise
        return _say(program, working_directory.REMOVED, Exit.USAGE)
    except TimeoutError:
        return _say(program, "the time limit has passed", Exit.TIMED_OUT)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED


def _sentence(error: CodexdError, socket: str | None) -> str:
    if ACTIVE_WRITER not in str(error):
        return str(error)
    from codexctl.writers import explained

    return explained(str(error), socket)


def _end_as_by_sigpipe() -> Exit:
    """What a shell expects of `codexctl threads | head -1`. The signal itself would come for stderr, too."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGPIPE)
    return Exit.FAILED  # whoever started this has blocked the signal


def _code(error: CodexdError) -> Exit:
    if isinstance(error, Failure):
        return error.code
    if isinstance(error, OutputLost):
        return Exit.FAILED
    if isinstance(error, Unavailable):
        return Exit.UNAVAILABLE
    from codexctl.client import RpcError  # late: who raises it has it, all others save its 6 ms

    assert isinstance(error, RpcError), "there are no others"
    return Exit.UNAVAILABLE if error.code == Code.CODEX_UNAVAILABLE else Exit.FAILED


def _say(program: str, what: object, code: Exit) -> Exit:
    print(plain(f"{program}: {what}"), file=sys.stderr)
    return code
