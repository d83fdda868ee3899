"""Codex's `-c KEY=VALUE`: read as Codex reads it, and told as the `config` of a thread.

As seen with Codex 0.163 and 0.169: blanks around key and value do not count; the value is TOML, and what is none is a
string, less the quotes at its ends. A later override wins: a value replaces what was said inside of it, and one inside
of a table joins the table. Every `.` of a key divides it, one in quotes too. Features that are switched with `--enable`
and `--disable` come last, whatever `-c` says.

A thread's `config` takes the same keys to the same effect (models, providers, MCP servers, features, hooks, notify and
the delay before a thread is unloaded were compared), but for what `of_the_process` finds.
"""

import math
import tomllib
from collections.abc import Iterable

_OLD_NAMES = {"use_legacy_landlock": "features.use_legacy_landlock"}
_INT64 = range(-(2**63), 2**63)
_OF_THE_PROCESS = frozenset({
    "analytics", "cli_auth_credentials_store", "feedback", "forced_chatgpt_workspace_id", "forced_login_method",
    "log_dir", "otel", "sqlite_home",
})  # fmt: skip
"""Codex looks at them once, when it starts: where its files are, who is signed in, what it reports. In a thread's `config`
they have no effect (tried with 0.169: all but `analytics`, `feedback` and the workspace)."""


def config_of(overrides: Iterable[str], features: dict[str, bool]) -> dict[str, object] | None:
    """The overrides in the order of the command line, as a `config`; None when Codex would refuse one of them."""
    config: dict[str, object] = {}
    for override in overrides:
        key, equals, text = override.partition("=")
        key = key.strip()
        if not equals or not key:
            return None
        _put(config, _OLD_NAMES.get(key, key), _value(text.strip()))
    for feature, wanted in features.items():
        _put(config, f"features.{feature}", wanted)
    return config


def of_the_process(config: dict[str, object]) -> list[str]:
    """The keys that only a Codex of one's own could honour."""
    return [key for key in config if key.partition(".")[0] in _OF_THE_PROCESS]


def _put(config: dict[str, object], key: str, value: object) -> None:
    for inside in [known for known in config if known == key or known.startswith(f"{key}.")]:
        del config[inside]
    parts = key.split(".")
    for length in range(1, len(parts)):
        outer = ".".join(parts[:length])
        table = config.get(outer)
        if isinstance(table, dict):
            config[outer] = _with(table, parts[length:], value)
            return
        config.pop(outer, None)  # it was no table, and has to be one now
    config[key] = value


def _with(table: dict[str, object], path: list[str], value: object) -> dict[str, object]:
    """The table with a value at this path; what is in the way and no table is replaced by one."""
    first, *rest = path
    if rest:
        inner = table.get(first)
        value = _with(inner if isinstance(inner, dict) else {}, rest, value)
    return {**table, first: value}


def _value(text: str) -> object:
    try:
        value: object = tomllib.loads(f"_x_ = {text}")["_x_"]
    except (ValueError, RecursionError):  # thousands of digits are no TOMLDecodeError, nor is deep nesting
        return text.strip("\"'")
    return value if _is_json(value) else text


def _is_json(value: object) -> bool:
    """Dates, infinities and integers beyond 64 bits are nothing that a request to Codex could hold."""
    match value:
        case dict():
            return all(map(_is_json, value.values()))
        case list():
            return all(map(_is_json, value))
        case bool() | str():
            return True
        case int():
            return value in _INT64
        case float():
            return math.isfinite(value)
        case _:
            return False
