"""What a setting may be: each kind reads a value as it was given, or raises `Unwanted` with what is wanted."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import get_args

from codexd.protocol.sandbox import MARK_VARIABLE, Inside

LOG_LEVELS = ("debug", "info", "warning", "error")
TIMELINES = ("on", "off")
INSIDE = get_args(Inside)
CODEX_UNLOAD_DELAY = "thread_unload_delay_secs"
"""Codex's own setting: for how many seconds it keeps a thread loaded that nobody is subscribed to."""


_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PATTERN = re.compile(r"[A-Za-z0-9_*?]+")
_OWN_VARIABLES = {
    "CODEX_HOME": "use the setting `codex_home`",
    "HOME": "Codex has the HOME of codexd",
    MARK_VARIABLE: "codexd sets it itself",
}


class Unwanted(ValueError):
    """The value is not of the wanted kind; the message is what is wanted."""


@dataclass(frozen=True)
class Environment:
    """What differs from Codex's environment as it is by default.

    Args:
        login_shell: whether the user's shell is asked for the environment of a login.
        passed: names, with `*` and `?`, of variables that Codex gets from codexd's own environment.
        set: variables with their values, which are nobody's to see.
        unset: names, with `*` and `?`, of variables that it does not get.
    """

    login_shell: bool = True
    passed: tuple[str, ...] = ()
    set: Mapping[str, str] = field(default_factory=dict, repr=False)
    unset: tuple[str, ...] = ()

    def shown(self) -> tuple[str, ...]:
        """What it says, without any value."""
        said = {"pass": self.passed, "set": self.set, "unset": self.unset}
        lines = [f"{key} {' '.join(names)}" for key, names in said.items() if names]
        return (*lines, *(() if self.login_shell else ("login_shell = false",)))


def path(value: object) -> str:
    """An absolute one; `~` is the home directory."""
    if not isinstance(value, str) or not value:
        raise Unwanted("a path in quotes")
    expanded = os.path.expanduser(value)
    if not os.path.isabs(expanded):
        raise Unwanted("an absolute path, or one that begins with ~/")
    return expanded


def program(value: object) -> str:
    """A path, or a bare name that is looked for on PATH."""
    if isinstance(value, str) and value and "/" not in value:
        return value
    return path(value)


def assignments(value: object) -> tuple[str, ...]:
    wanted = 'a list of "KEY=VALUE", as in ["model=gpt-5"]'
    if not isinstance(value, list):
        raise Unwanted(wanted)
    if not all(isinstance(each, str) and "=" in each and each.partition("=")[0].strip() for each in value):
        raise Unwanted(wanted)
    if any(each.partition("=")[0].strip() == CODEX_UNLOAD_DELAY for each in value):
        raise Unwanted(
            f"without {CODEX_UNLOAD_DELAY}, which codexd sets; `thread_unload_delay_seconds` in codexd's "
            "config file says how long a thread stays loaded"
        )
    return tuple(value)


def environment(value: object) -> Environment:
    """A table. The message of `Unwanted` is a sentence of its own, which shows no value."""
    if not isinstance(value, dict):
        raise Unwanted("it has to be a table, as in: [environment]")
    if unknown := sorted(value.keys() - {"pass", "set", "unset", "login_shell"}):
        raise Unwanted(f"unknown key {unknown[0]!r}; the keys are pass, set, unset and login_shell")
    if not isinstance(login_shell := value.get("login_shell", True), bool):
        raise Unwanted("login_shell has to be true or false")
    return Environment(
        login_shell,
        _patterns("pass", value.get("pass", [])),
        _variables(value.get("set", {})),
        _patterns("unset", value.get("unset", [])),
    )


def _patterns(key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise Unwanted(f'{key} has to be a list of names of variables, as in ["GITHUB_*"]')
    for each in value:
        if not _PATTERN.fullmatch(each):
            name = each.partition("=")[0]
            raise Unwanted(f"{key} takes names of variables, with * and ? as wildcards; {name!r} is not one")
        _check_is_not_own(key, each)
    return tuple(value)


def _variables(value: object) -> Mapping[str, str]:
    if not isinstance(value, dict):
        raise Unwanted('set has to be a table of names and strings, as in { EDITOR = "vim" }')
    for name, text in value.items():
        if not _VARIABLE.fullmatch(name):
            raise Unwanted(f"set: {name!r} is not the name of a variable")
        if not isinstance(text, str) or "\0" in text:
            raise Unwanted(f"set: {name} has to be a string in quotes")
        _check_is_not_own("set", name)
    return value


def _check_is_not_own(key: str, name: str) -> None:
    if name in _OWN_VARIABLES:
        raise Unwanted(f"{key}: {name} is not allowed here: {_OWN_VARIABLES[name]}")


def truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise Unwanted("true or false")
    return value


def size(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise Unwanted("a number of bytes above 0")
    return value


def seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise Unwanted("a number of seconds, 0 or more")
    return value


def days(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise Unwanted("a number of days above 0")
    return value


def timeline(value: object) -> str:
    if value not in TIMELINES:
        raise Unwanted(" or ".join(f'"{each}"' for each in TIMELINES))
    return str(value)


def inside(value: object) -> str:
    if value not in INSIDE:
        raise Unwanted(" or ".join(f'"{each}"' for each in INSIDE))
    return str(value)


def level(value: object) -> str:
    if value not in LOG_LEVELS:
        raise Unwanted("one of " + ", ".join(LOG_LEVELS))
    return str(value)


def client_name(value: object) -> str:
    """Codex puts the name into an HTTP header and refuses one that does not fit there."""
    if not isinstance(value, str) or not value.strip() or not (value.isascii() and value.isprintable()):
        raise Unwanted("a name of printable ASCII characters")
    return value
