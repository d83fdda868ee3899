"""The command line: commands, options, and errors that name the nearest word."""

import argparse
import difflib
import os
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from codexd import __version__
from codexd.protocol import socket_path
from codexd.service.errors import UsageError

_WHICH = (
    ("--socket", "PATH", "the socket (else CODEXD_SOCKET, the config file, the default one)"),
    ("--codex-home", "DIR", "the CODEX_HOME that it serves (else CODEX_HOME, the config file, ~/.codex)"),
    ("--config", "FILE", "the config file (else CODEXD_CONFIG, or config.toml in the config directory)"),
)
_LOG = (("--log-dir", "DIR", "the directory of the log files"),)
_HOW = (
    ("--codex", "PATH", "the Codex to run (else CODEX_PATH, the config file, PATH, openai-codex-cli-bin)"),
    ("--cwd", "DIR", "the working directory of Codex (default: the home directory)"),
)
MAX_DRAIN_SECONDS = 86_400.0
DRAIN_SECONDS = 10.0
"""How long running turns are waited for when codexd is told to stop. It fits into the unit's `TimeoutStopSec`."""
_IDENTITY = ("--socket=", "--codex-home=", "--demo")
_MISSPELT = re.compile(r"(?:invalid choice: '([^']*)'|unrecognized arguments: (\S+))")


class _Parser(argparse.ArgumentParser):
    """argparse whose errors say what was probably meant."""

    def error(self, message: str) -> NoReturn:
        if match := _MISSPELT.search(message):
            word = match[1] or match[2]
            message = f"there is no {'command' if match[1] else 'option'} {word!r}"
            if near := difflib.get_close_matches(word, self._words(), n=1):
                message += f"; did you mean {near[0]!r}?"
        raise UsageError(f"{message}\n{self.format_usage().strip()}")

    def _words(self) -> list[str]:
        words: list[str] = []
        for action in self._actions:
            words += action.option_strings or list(action.choices or ())
        return words


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """What the command line says: `command`, and its options by name, None where not given.

    Raises:
        UsageError: it says nothing that codexd understands.
    """
    parser, commands = _parsers()
    parsed, unknown = parser.parse_known_args(argv)
    if unknown:
        commands[parsed.command].error("unrecognized arguments: " + " ".join(unknown))
    return parsed


def flags_of(parsed: argparse.Namespace) -> dict[str, Any]:
    """The settings among them, as `settings.load` takes them. The demo has a CODEX_HOME of its own."""
    flags = dict(vars(parsed))
    if _is_demo(parsed) and flags["codex_home"] is None:
        flags["codex_home"] = os.path.join(socket_path.state_dir(os.environ), "demo-codex-home")
    return flags


def repeatable(parsed: argparse.Namespace) -> tuple[str, ...]:
    """The options that make another codexd the same one, wherever and whenever they are given again."""
    repeated = []
    for flag, *_ in (*_WHICH, *_HOW, *_LOG):
        value = getattr(parsed, _name(flag), None)
        if value is not None:
            is_command = flag == "--codex" and "/" not in value
            repeated.append(f"{flag}={value if is_command else os.path.abspath(os.path.expanduser(value))}")
    repeated += [f"--codex-config={assignment}" for assignment in getattr(parsed, "codex_config", None) or ()]
    if getattr(parsed, "control_socket", None):
        repeated.append("--control-socket")
    return (*repeated, "--demo") if _is_demo(parsed) else tuple(repeated)


def drain_of(parsed: argparse.Namespace) -> float:
    """For how many seconds `stop` and `restart` wait for running turns."""
    return 0.0 if parsed.now else float(parsed.drain)


def of_restart_alone(parsed: argparse.Namespace) -> list[str]:
    """The options of `restart` that are none of the codexd that it starts."""
    after = [] if parsed.after is None else [f"--after={parsed.after}"]
    return [f"--drain={drain_of(parsed)!r}", *after]


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= MAX_DRAIN_SECONDS:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 0 to {MAX_DRAIN_SECONDS:g}")
    return seconds


def beyond_identity(arguments: Sequence[str]) -> list[str]:
    """Those of the repeatable options that say how codexd is to be, not which one is meant."""
    return [argument for argument in arguments if not argument.startswith(_IDENTITY)]


def _parsers() -> tuple[_Parser, dict[str, _Parser]]:
    which = _options(_WHICH)
    demo = _options(())
    demo.add_argument("--demo", action="store_true", help="use the scripted model: no account, no network")
    log = _options(_LOG)
    how = _options(_HOW)
    how.add_argument(
        "--codex-config",
        metavar="KEY=VALUE",
        action="append",
        help="a setting of Codex, as in its -c KEY=VALUE; repeatable. For a secret, use codex_config in the config file: "
        "others can read this command line while it runs",
    )
    how.add_argument(
        "--control-socket",
        action="store_true",
        default=None,
        help="listen at Codex's own control socket, too: plain `codex` then attaches",
    )
    parser = _Parser(
        prog="codexd",
        description="Keeps one Codex warm and lets every program of yours use it at once.",
        epilog="Options of a command: codexd COMMAND --help",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"codexd {__version__}")
    adding = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)
    commands: dict[str, _Parser] = {}
    for name, text, parents in (
        ("run", "serve in the foreground", [which, how, log, demo]),
        ("start", "serve in the background; returns when Codex is ready", [which, how, log, demo]),
        ("stop", "stop the running codexd", [which, demo]),
        (
            "restart",
            "stop and start again, with the same options unless others are given",
            [which, how, log, demo],
        ),
        ("status", "show the state of codexd and Codex", [which, demo]),
        ("logs", "print the end of the log", [which, log, demo]),
        ("install", "install systemd user units; the first client starts codexd", [which]),
        ("uninstall", "remove the systemd user units", [which]),
        ("doctor", "check settings, Codex and sockets for problems", [which, how, log, demo]),
    ):
        commands[name] = adding.add_parser(
            name, help=text, description=text[0].upper() + text[1:] + ".", parents=parents, allow_abbrev=False
        )
    for name in ("stop", "restart"):
        drain = commands[name].add_mutually_exclusive_group()
        drain.add_argument(
            "--drain",
            metavar="SECONDS",
            type=_seconds,
            default=DRAIN_SECONDS,
            help=f"how long to wait for running turns (default: {DRAIN_SECONDS:g})",
        )
        drain.add_argument("--now", action="store_true", help="do not wait for running turns: they fail")
    commands["run"].add_argument("--detached", action="store_true", help=argparse.SUPPRESS)
    commands["restart"].add_argument("--after", type=int, help=argparse.SUPPRESS)
    for name in ("status", "doctor"):
        commands[name].add_argument("--json", action="store_true", help="one JSON object")
    commands["logs"].add_argument("-f", "--follow", action="store_true", help="keep printing new lines")
    return parser, commands


def _options(table: tuple[tuple[str, str, str], ...]) -> _Parser:
    options = _Parser(add_help=False)
    for flag, value, text in table:
        options.add_argument(flag, metavar=value, help=text)
    return options


def _is_demo(parsed: argparse.Namespace) -> bool:
    return getattr(parsed, "demo", False)


def _name(flag: str) -> str:
    return flag.removeprefix("--").replace("-", "_")
