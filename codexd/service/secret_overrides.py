"""Which of the settings in `codex_config` stand on Codex's command line, and how Codex hears of the others.

Codex (0.163, 0.171) takes overrides from its command line alone, which every user of the machine can read, and from the
`config` of the request that starts, resumes or forks a thread. So what may hold a secret goes there, and all else stays on
the command line, where it counts for the whole process.

What runs a program may hold a secret in any of its words, and neither a name nor a shape tells: `mcp_servers`, `hooks`,
`notify` and the `auth` of a provider always go to the threads, as a whole. The rest is judged setting by setting
(`may_hold_secret`). What Codex reads for the whole process only has no such way, and is refused when it may hold a secret.
"""

import json
from collections.abc import Callable, Sequence

from codexd.protocol.overrides import config_of, of_the_process
from codexd.runtime.redaction import REDACTED, may_hold_secret
from codexd.service.errors import UsageError

_Path = list[str]
_Test = Callable[[_Path, object], bool]

_OF_THREADS = ("mcp_servers", "hooks", "notify")
"""Settings that name programs. The `config` of a thread takes them to the same effect as `-c` (measured on both)."""


def on_command_line(assignments: Sequence[str]) -> tuple[str, ...]:
    """The assignments without what may hold a secret; one that holds none is as it was."""
    shown = []
    for assignment in assignments:
        for key, value in _config([assignment]).items():
            left = _only(key.split("."), value, lambda path, leaf: not _is_private(path, leaf))
            if left == value:
                shown.append(assignment)
            elif left is not None:
                shown.append(f"{key}={_toml(left)}")
    return tuple(shown)


def of_threads(assignments: Sequence[str]) -> dict[str, object]:
    """What may hold a secret, as the `config` of a thread: each setting by its dotted key."""
    found: dict[str, object] = {}
    for key, value in _config(assignments).items():
        left = _only(key.split("."), value, _is_private)
        if left is not None:
            found.update(_dotted(key, left))
    return found


def check(assignments: Sequence[str], codex_home: str) -> None:
    """Raises `UsageError` for what may hold a secret and cannot be told to a thread."""
    if keys := of_the_process(of_threads(assignments)):
        raise UsageError(
            f"codex_config sets {', '.join(keys)}, which may hold a secret: it would stand on the command line of Codex, "
            f"which every user can read; put it into {codex_home}/config.toml"
        )


def without_secrets(assignments: Sequence[str]) -> tuple[str, ...]:
    """The assignments as they can be shown to people: of what may hold a secret the key alone."""
    return tuple(
        f"{assignment.partition('=')[0]}={REDACTED}"
        if any(
            _only(key.split("."), value, _is_private) is not None
            for key, value in _config([assignment]).items()
        )
        else assignment
        for assignment in assignments
    )


def _config(assignments: Sequence[str]) -> dict[str, object]:
    config = config_of(assignments, {})
    assert config is not None, "each has a key and an equals sign"
    return config


def _is_private(path: _Path, leaf: object) -> bool:
    """Whether what is there may not be on a command line."""
    first, *rest = (name.strip(" \t\"'") for name in path)
    runs_a_program = first in _OF_THREADS or (first == "model_providers" and rest[1:2] == ["auth"])
    return runs_a_program or may_hold_secret(path, leaf)


def _only(path: _Path, value: object, is_wanted: _Test) -> object | None:
    """The value with the wanted leaves alone; None when there are none."""
    if not isinstance(value, dict) or not value:
        return value if is_wanted(path, value) else None
    inside = {name: _only([*path, name], inner, is_wanted) for name, inner in value.items()}
    return {name: left for name, left in inside.items() if left is not None} or None


def _dotted(key: str, value: object) -> dict[str, object]:
    """Each leaf by its dotted key. Codex divides a key at every dot, so a table with a dot in a name stays a table."""
    if not isinstance(value, dict) or any("." in name or not name for name in value):
        return {key: value}
    return {
        inner: leaf for name, each in value.items() for inner, leaf in _dotted(f"{key}.{name}", each).items()
    }


def _toml(value: object) -> str:
    """On one line. Strings are those of JSON, but for a character that TOML wants escaped."""
    match value:
        case dict():
            return "{" + ", ".join(f"{_toml(name)} = {_toml(inner)}" for name, inner in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_toml, value)) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
