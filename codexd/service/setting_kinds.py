"""What a setting may be: each kind reads a value as it was given, or raises `Unwanted` with what is wanted."""

import os
from typing import get_args

from codexd.protocol.sandbox import Inside

LOG_LEVELS = ("debug", "info", "warning", "error")
TIMELINES = ("on", "off")
INSIDE = get_args(Inside)
CODEX_UNLOAD_DELAY = "thread_unload_delay_secs"
"""Codex's own setting: for how many seconds it keeps a thread loaded that nobody is subscribed to."""


class Unwanted(ValueError):
    """The value is not of the wanted kind; the message is what is wanted."""


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
