"""What of the caller's environment goes with a thread that it begins, to the commands of the thread.

Codex's own environment is that of a login (docs/environment.md). A thread's `config` takes `shell_environment_policy.set.NAME`.
Measured on 0.163 and 0.171: it reaches the thread's commands, sandboxed ones too, beside what the user's config.toml sets;
it does not reach MCP servers, nor Codex itself (`env_key` of a model provider). It holds until the thread is unloaded; a
`thread/resume` changes it only then. Its value is in no answer to another client, in no event, on no command line, and in
no file of CODEX_HOME or of codexd's. What a command prints of it is in all of them, of course.
"""

import re
from collections.abc import Mapping, Sequence

from codexctl.exits import Exit, Failure

NAMES = (
    "PATH", "VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV",
    "LANG", "LANGUAGE", "LC_ALL", "LC_COLLATE", "LC_CTYPE", "LC_MESSAGES", "LC_NUMERIC", "LC_TIME", "TZ",
)  # fmt: skip
"""Where programs are found, and how they speak: what differs from shell to shell, and is nobody's secret."""
_POLICY = "shell_environment_policy"
_SET = f"{_POLICY}.set."
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def config_of(environ: Mapping[str, str], further: Sequence[str] = ()) -> dict[str, str]:
    """The `config` of a `thread/start` that carries `NAMES`, as far as they are set, and `further` ones.

    Raises:
        Failure: one of the further ones cannot be carried; the message says why.
    """
    for name in further:
        if "=" in name:
            raise Failure(
                Exit.USAGE, "--env takes a name alone: everybody can read a value on a command line"
            )
        if not _NAME.fullmatch(name):
            raise Failure(Exit.USAGE, f"--env {name}: this is not the name of a variable")
        if name not in environ:
            raise Failure(Exit.USAGE, f"--env {name}: it is not set here")
        if not _is_text(environ[name]):
            raise Failure(Exit.USAGE, f"--env {name}: its value is not valid UTF-8, and Codex takes no other")
    carried = [*(name for name in NAMES if _is_text(environ.get(name))), *further]
    return {f"{_SET}{name}": environ[name] for name in dict.fromkeys(carried)}


def beneath(config: Mapping[str, object], environ: Mapping[str, str]) -> dict[str, object]:
    """The overrides of a client, by dotted keys, and beneath them what is carried of its environment.

    Where they say themselves what commands inherit, nothing is carried.
    """
    said = _opened(_opened(config, _POLICY), f"{_POLICY}.set")
    if any(f"{key}.".startswith(f"{_POLICY}.") and not key.startswith(_SET) for key in said):
        return dict(config)
    return {**config_of(environ), **said}


def _opened(config: Mapping[str, object], key: str) -> dict[str, object]:
    """A table in the configuration as one key for each of its members. Codex keeps no order among keys of which one is inside
    of the other."""
    table = config.get(key)
    if not isinstance(table, dict) or any("." in name or not name for name in table):
        return dict(config)
    rest = {other: value for other, value in config.items() if other != key}
    return rest | {f"{key}.{name}": value for name, value in table.items()}


def _is_text(value: str | None) -> bool:
    """Whether it is set, and was valid UTF-8: what was not has surrogates."""
    return value is not None and not any("\ud800" <= character <= "\udfff" for character in value)
