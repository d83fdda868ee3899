"""The command line: verbs, options, and what to say about a word that is none of them.

`run` of the result names what to run, as `MODULE:FUNCTION` in this package, so that a command imports its verb alone.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from codexctl import option_values
from codexctl.exits import EXIT_CODES, Exit, Failure
from codexctl.render import terminal_width
from codexd import __version__

SANDBOXES = ("read-only", "workspace-write", "danger-full-access")
APPROVAL_POLICIES = ("untrusted", "on-request", "never")


class _Help(argparse.RawDescriptionHelpFormatter):
    """Knows its width without `shutil`: argparse would import that, 2 ms, for the first option there is."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=terminal_width(sys.stdout) - 2)


class Parser(argparse.ArgumentParser):
    """Knows the nearest word. Abbreviated options are refused: they would break when a new option is added."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=_Help, **options)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            known = [str(choice) for choice in action.choices]
            raise argparse.ArgumentError(action, f"{value} is unknown{nearest(value, known)}")

    def unknown(self, words: Sequence[str]) -> NoReturn:
        """Words that nothing took."""
        options = [option for action in self._actions for option in action.option_strings]
        word = words[0].partition("=")[0] if words[0].startswith("-") else words[0]
        self.error(f"{word} is unknown here{nearest(word, options) if word.startswith('-') else ''}")


class Verb(Parser):
    """A parser that `fill` completes when its verb is met: filling all of them would take longer than the rest of a start."""

    def __init__(self, *, fill: Callable[[Parser], None], **options: Any) -> None:
        self._when_met = fill, options

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        fill, options = self._when_met
        super().__init__(**options)
        fill(self)
        return super().parse_known_args(args, namespace)


def nearest(word: str, known: Sequence[str]) -> str:
    """`; did you mean X?` for the known word that is nearest, else all of them if they are few."""
    from difflib import get_close_matches

    if found := get_close_matches(word, known, 1):
        return f"; did you mean {found[0]}?"
    return f" (known: {', '.join(known)})" if known and not word.startswith("-") else ""


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads a command line; exits with 2 and a sentence on stderr when it is none."""
    arguments, left = _parser().parse_known_args(argv)
    if hasattr(arguments, "codex_options"):
        arguments.codex_options = left
    elif left and hasattr(arguments, "prompt") and not any(word.startswith("-") for word in left):
        arguments.prompt += left  # argparse takes words only up to the next option
    elif left:
        arguments.parser.unknown(left)
    return arguments


def _parser() -> Parser:
    parser = Parser(
        prog="codexctl",
        description="Talk to Codex through codexd: send prompts, follow and steer threads, answer approvals.",
        epilog=f"The socket: --socket, else CODEXD_SOCKET, else codexd's default.\n\n{EXIT_CODES}",
    )
    parser.add_argument("--version", action="version", version=f"codexctl {__version__}")
    _common(parser, top=True)
    verbs = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Verb)
    _verb(verbs, "send", "send:run", "send a prompt and stream the reply", _send)
    _verb(verbs, "attach", "attach:run", "follow a thread and talk in it", _attach)
    _verb(verbs, "threads", "threads:list_threads", "list threads and manage them", _threads)
    _verb(
        verbs,
        "approvals",
        "approvals:list_approvals",
        "list pending requests of Codex, and answer them",
        _approvals,
    )
    _verb(verbs, "interrupt", "interrupt:interrupt", "interrupt the running turn of a thread", _interrupt)
    _verb(verbs, "events", "events:run", "print past and new events of the threads", _events)
    _verb(verbs, "status", "status:status", "show the state of codexd and Codex")
    _verb(verbs, "clients", "status:clients", "list the connected clients")
    _verb(
        verbs,
        "app-server",
        "app_server:run",
        "stand in for `codex app-server`: stdin and stdout become a client",
        _app_server,
    )
    _verb(verbs, "rpc", "rpc:rpc", "send any request to Codex's app-server or to codexd", _rpc)
    return parser


def _verb(
    verbs: Any, name: str, run: str, about: str, options: Callable[[Parser], None] | None = None
) -> None:
    def fill(verb: Parser) -> None:
        verb.set_defaults(run=run, parser=verb)
        _common(verb)
        if options:
            options(verb)

    description = f"{about[0].upper()}{about[1:]}."
    verbs.add_parser(name, help=about, description=description, epilog=EXIT_CODES, fill=fill)


def _common(parser: Parser, *, top: bool = False) -> None:
    """Options that may stand before and after the verb; only the first place has defaults, or it would not count."""
    for option, about in (("--json", "machine-readable output"), ("--no-start", "do not start codexd")):
        parser.add_argument(
            option, action="store_true", default=False if top else argparse.SUPPRESS, help=about
        )
    parser.add_argument(
        "--socket", metavar="PATH", default=None if top else argparse.SUPPRESS, help="codexd's socket"
    )


def _send(send: Parser) -> None:
    send.add_argument("prompt", nargs="*", metavar="PROMPT", help="what to say; - or nothing reads stdin")
    where = send.add_mutually_exclusive_group()
    where.add_argument(
        "-c",
        "--continue",
        dest="latest",
        action="store_true",
        help="continue the latest thread of the directory",
    )
    where.add_argument("-t", "--thread", metavar="ID", help="continue this thread")
    send.add_argument("-C", "--cd", metavar="DIR", help="the directory to work in (default: this one)")
    send.add_argument("-m", "--model", metavar="MODEL")
    send.add_argument("-s", "--sandbox", choices=SANDBOXES, metavar="MODE", help=", ".join(SANDBOXES))
    send.add_argument(
        "-a",
        "--approval-policy",
        choices=APPROVAL_POLICIES,
        metavar="POLICY",
        help=", ".join(APPROVAL_POLICIES),
    )
    _trust(send)
    _env(send)
    send.add_argument("-i", "--image", action="append", default=[], metavar="FILE", help="may be repeated")
    send.add_argument("--output-schema", metavar="FILE", help="a JSON Schema for the reply")
    send.add_argument(
        "--detach", action="store_true", help="print the thread's id and leave the turn running"
    )
    send.add_argument(
        "--timeout", type=option_values.seconds, metavar="SECONDS", help="interrupt the turn after this long"
    )


def _trust(verb: Parser) -> None:
    verb.add_argument(
        "--trust",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="for a new thread: trust the directory from now on, or work there without its configuration",
    )


def _env(parser: Parser) -> None:
    parser.add_argument(
        "--env",
        action="append",
        default=[],
        metavar="NAME",
        help="give this variable, too, to the commands of a new thread; may be repeated",
    )


def _attach(attach: Parser) -> None:
    _trust(attach)
    _env(attach)
    attach.add_argument(
        "thread", nargs="?", metavar="THREAD", help="default: the latest of this directory, or a new one"
    )


def _interrupt(interrupt: Parser) -> None:
    interrupt.add_argument(
        "thread", nargs="?", metavar="THREAD", help="default: the latest of this directory"
    )


def _events(events: Parser) -> None:
    events.add_argument(
        "thread",
        nargs="?",
        metavar="THREAD",
        help="only events of this thread: its id, a unique prefix of it, or its name",
    )
    events.add_argument(
        "-f",
        "--follow",
        action="store_true",
        help="keep printing new events; without --after, only new ones",
    )
    events.add_argument(
        "--after",
        type=option_values.number,
        metavar="SEQ",
        help="only events with a higher number; default: all that are kept, with -f only new ones; 0: all",
    )


def _app_server(app_server: Parser) -> None:
    """Takes Codex's options, those that are unknown here included."""
    app_server.set_defaults(codex_options=[])


def _rpc(rpc: Parser) -> None:
    rpc.add_argument("method", metavar="METHOD")
    rpc.add_argument(
        "params", nargs="?", metavar="JSON", default="{}", help="its params; - reads them from stdin"
    )


def _threads(threads: Parser) -> None:
    _listing(threads, top=True)
    actions = threads.add_subparsers(metavar="ACTION", parser_class=Verb)
    _verb(actions, "list", "threads:list_threads", "list threads, the latest first", _listing)
    for name, about in (
        ("show", "show a thread and what was said last"),
        ("archive", "put a thread away"),
        ("unarchive", "take a thread out of the archive"),
        ("fork", "begin a new thread with the history of this one"),
        ("rename", "name a thread"),
        ("delete", "delete a thread for good"),
        (
            "release",
            "unload a thread that nobody uses, so that another Codex can have it; or lift its quarantine",
        ),
    ):
        _verb(actions, name, f"threads:{name}", about, _renamed if name == "rename" else _one_thread)


def _one_thread(action: Parser) -> None:
    action.add_argument("thread", metavar="ID", help="the id, a unique prefix of it, or its name")


def _renamed(rename: Parser) -> None:
    _one_thread(rename)
    rename.add_argument("name", metavar="NAME")


def _listing(parser: Parser, *, top: bool = False) -> None:
    def default(value: object) -> object:
        return value if top else argparse.SUPPRESS

    parser.add_argument("--all", action="store_true", default=default(False), help="all pages")
    parser.add_argument(
        "-C", "--cd", default=default(None), metavar="DIR", help="only those of this directory"
    )
    parser.add_argument("--archived", action="store_true", default=default(False), help="the archived ones")
    parser.add_argument(
        "--limit", type=option_values.count, default=default(None), metavar="N", help="at most N"
    )
    parser.add_argument(
        "--cursor",
        default=default(None),
        metavar="CURSOR",
        help="continue after the page that ended with this cursor",
    )


def _approvals(approvals: Parser) -> None:
    actions = approvals.add_subparsers(metavar="ACTION", parser_class=Verb)
    _verb(actions, "list", "approvals:list_approvals", "list pending requests of Codex")
    _verb(
        actions,
        "show",
        "approvals:show",
        "show what is asked, with the command where it is one",
        _one_approval,
    )
    _verb(actions, "accept", "approvals:accept", "allow it, or answer it", _accepted)
    _verb(actions, "decline", "approvals:decline", "refuse it; the turn goes on", _one_approval)


def _one_approval(action: Parser) -> None:
    action.add_argument(
        "id", type=option_values.approval_id, metavar="ID", help="as `codexctl approvals` lists it"
    )


def _accepted(accept: Parser) -> None:
    accept.add_argument("--for-session", action="store_true", help="and do not ask again in this session")
    accept.add_argument(
        "--answer",
        action="append",
        default=[],
        metavar="TEXT",
        help="the answer to a question; repeat it for several in their order, or say NAME=TEXT",
    )
    _one_approval(accept)


def directory(arguments: argparse.Namespace) -> str:
    """The directory that is meant, absolute and without links, as Codex records it.

    Raises `Failure` when `--cd` names none: Codex would open a thread there all the same.
    """
    path = os.path.realpath(getattr(arguments, "cd", None) or os.getcwd())
    if not os.path.isdir(path):
        raise Failure(Exit.USAGE, f"there is no directory {path}")
    return path
