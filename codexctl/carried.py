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
            raise Failure(Exit.USAGE, f"--env {name}: that is no name of a variable")
        if name not in environ:
            raise Failure(Exit.USAGE, f"--env {name}: it is not set here")
        if not _is_text(environ[name]):
            raise Failure(Exit.USAGE, f"--env {name}: its value is not valid UTF-8, and Codex takes no other")
    carried = [*(name for name in NAMES if _is_text(environ.get(name))), *further]
    return {f"shell_environment_policy.set.{name}": environ[name] for name in dict.fromkeys(carried)}


def _is_text(value: str | None) -> bool:
    """Whether it is set, and was valid UTF-8: what was not has surrogates."""
    return value is not None and not any("\ud800" <= character <= "\udfff" for character in value)
