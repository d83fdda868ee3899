"""One command: reads the command line, runs the verb, and turns what went wrong into a sentence and an exit code."""

import importlib
import io
import signal
import sys
from collections.abc import Callable, Sequence

from codexctl.arguments import parse
from codexctl.client import RpcError
from codexctl.exits import Exit, Failure
from codexd.protocol.errors import Code, Unavailable
from codexd.protocol.socket_path import SocketPathTooLong


def run_command(argv: Sequence[str]) -> int:
    """Runs one command; returns its exit code (`codexctl --help` lists them)."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    arguments = parse(argv)
    module, _, name = arguments.run.partition(":")
    try:
        run: Callable[..., Exit] = getattr(importlib.import_module(f"codexctl.{module}"), name)
        return run(arguments)
    except Failure as failure:
        return _say(failure, failure.code)
    except RpcError as error:
        return _say(error, Exit.UNAVAILABLE if error.code == Code.CODEX_UNAVAILABLE else Exit.FAILED)
    except Unavailable as error:
        return _say(error, Exit.UNAVAILABLE)
    except SocketPathTooLong as error:
        return _say(error, Exit.USAGE)
    except UnicodeEncodeError:
        return _say("an argument is not valid UTF-8", Exit.USAGE)
    except TimeoutError:
        return _say("the time limit has passed", Exit.TIMED_OUT)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED


def _say(what: object, code: Exit) -> Exit:
    print(f"codexctl: {what}", file=sys.stderr)
    return code
