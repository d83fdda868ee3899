"""One command of codexd. Its code is imported when it is called: `status` has no use for an event loop."""

import os
import signal
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from codexd.protocol import working_directory
from codexd.protocol.descriptors import OutputLost, ReaderGone
from codexd.protocol.errors import Unavailable
from codexd.protocol.own_command import own_command
from codexd.protocol.sandbox import MARK_VARIABLE, is_sandbox
from codexd.protocol.visible import plain
from codexd.service import arguments, options_on_stdin, settings
from codexd.service.errors import UNAVAILABLE_EXIT_CODE, CannotServe, ServiceError, UsageError
from codexd.service.instance import Instance

INTERRUPTED = 130
NEED_VALID_SETTINGS = ("start", "restart", "install")


def run_command(argv: Sequence[str], notes: tuple[str, ...] = ()) -> int:
    """Runs one command; returns the exit code. `notes`: what the user should know of the environment.

    0 done, 1 it failed, 2 usage or settings, 3 codexd or Codex is not available, 130 interrupted.
    """
    try:
        try:
            code = _command(arguments.parse(options_on_stdin.completed(argv)), notes)
        finally:
            sys.stdout.flush()
    except ServiceError as error:
        return _fail(error, error.exit_code)
    except Unavailable as error:
        return _fail(error, UNAVAILABLE_EXIT_CODE)
    except ReaderGone:
        return ServiceError.exit_code
    except OutputLost as error:
        return _fail(error, ServiceError.exit_code)
    except FileNotFoundError:
        if not working_directory.is_removed():
            raise
        return _fail(UsageError(working_directory.REMOVED), UsageError.exit_code)
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def _command(parsed: Namespace, notes: tuple[str, ...]) -> int:
    if parsed.command == "doctor":
        return _doctor(parsed, notes)
    for note in notes:
        print(plain(f"codexd: {note}"), file=sys.stderr)
    if parsed.command == "run":
        return _run(parsed)
    instance = _instance(parsed)
    match parsed.command:
        case "start" | "stop" | "restart":
            return _control(parsed, instance)
        case "status" | "logs":
            return _show(parsed, instance)
        case command:
            from codexd.service import install

            return install.install(instance) if command == "install" else install.uninstall(instance)


def _run(parsed: Namespace) -> int:
    # While trio is still being imported a signal to stop has to end this in good order, too.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    from codexd.service import daemon

    daemon.run(arguments.flags_of(parsed), arguments.repeatable(parsed), parsed.detached, parsed.demo)
    return 0


def _doctor(parsed: Namespace, notes: tuple[str, ...]) -> int:
    from codexd.service import doctor

    flags, repeatable = arguments.flags_of(parsed), arguments.repeatable(parsed)
    return doctor.doctor(flags, repeatable, os.environ, parsed.json, notes)


def _instance(parsed: Namespace) -> Instance:
    """Only a codexd that is to start needs a config file without a mistake; the others say what is wrong there."""
    problems: list[str] | None = None if parsed.command in NEED_VALID_SETTINGS else []
    loaded = settings.load(arguments.flags_of(parsed), os.environ, problems)
    for problem in problems or ():
        print(plain(f"codexd: warning: {problem}; this is ignored here"), file=sys.stderr)
    return Instance(loaded, arguments.repeatable(parsed), os.environ)


def _control(parsed: Namespace, instance: Instance) -> int:
    from codexd.service import control, handover, kept_options

    if parsed.command == "stop":
        return control.stop(instance, arguments.drain_of(parsed))
    if parsed.command == "start":
        return control.start(instance)
    if is_sandbox(os.environ):
        raise CannotServe(
            "this is a command in Codex's sandbox, from which codexd cannot be restarted; "
            "do it from a shell of your own: codexd restart"
        )
    if MARK_VARIABLE in os.environ:
        _leave_codex(parsed)
    if parsed.after is not None:
        handover.wait_until_left(parsed.after)
    drain = arguments.drain_of(parsed)
    runner = instance.runner()
    if runner is not None and not arguments.beyond_identity(instance.arguments):
        instance = _instance(arguments.parse(["restart", *kept_options.kept(Path(runner.state))]))
    return control.restart(instance, drain, has_left=parsed.after is not None)


def _leave_codex(parsed: Namespace) -> NoReturn:
    """Begins anew without the mark: a command of Codex, outside of its sandbox, may ask for a restart, and the new codexd is
    neither to be refused as a part of the old Codex nor to take this process for one of its own.

    What may be a secret is on no command line from then on, while running turns are waited for.
    """
    environ = {name: value for name, value in os.environ.items() if name != MARK_VARIABLE}
    options = arguments.repeatable(parsed)
    with options_on_stdin.handed(options) as stdin:
        os.dup2(stdin.fileno(), 0)
    command = [
        *own_command(),
        "restart",
        *arguments.of_restart_alone(parsed),
        *options_on_stdin.shown(options),
    ]
    os.execve(command[0], command, environ)


def _show(parsed: Namespace, instance: Instance) -> int:
    from codexd.service import show

    if parsed.command == "status":
        return show.status(instance, parsed.json)
    # `codexd logs | head` is no error of anybody's.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    return show.logs(instance, parsed.follow)


def _fail(error: Exception, code: int) -> int:
    print(plain(f"codexd: {error}"), file=sys.stderr)
    return code
