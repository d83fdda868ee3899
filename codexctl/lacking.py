"""What the configuration of Codex wants of its environment, this shell has, and Codex's process has not.

Such a variable (`env_key` of a model provider, say) can't be carried with a thread: Codex reads it from its own environment.
codexd says which names that has, and no value.
"""

import os
import sys
from collections.abc import Mapping

from codexd.protocol.socket_path import codex_home
from codexd.protocol.visible import plain

_KEYS = (b"env_key", b"env_http_headers", b"env_vars", b"bearer_token_env_var")


Wanted = tuple[list[tuple[str, str | None]], object]
"""The variables that are set here and named there, each with its model provider or None; and the provider in use."""


def wanted(environ: Mapping[str, str], overrides: Mapping[str, object] | None = None) -> Wanted | None:
    """What the user's configuration and these overrides name and this environment has; None where there is nothing."""
    if not overrides and not _may_name_any(codex_home(environ)):
        return None
    from codexd.protocol import named_variables  # late: TOML takes milliseconds, and few name anything

    config = {**named_variables.read(codex_home(environ)), **(overrides or {})}
    named = [
        (each.variable, each.provider)
        for each in named_variables.named_in(config)
        if environ.get(each.variable)
    ]
    return (named, config.get("model_provider")) if named else None


def say(program: str, wants: Wanted | None, codex: object, provider: str | None = None) -> None:
    """One line on stderr where Codex lacks something of it.

    Args:
        codex: what `codexd/status` says of Codex.
        provider: that of the thread, where it is known; else the one in use counts.
    """
    names = codex.get("environment") if isinstance(codex, dict) else None
    if wants is None or not names:
        return
    variables, in_use = wants
    concerned = (None, provider or in_use)
    lacking = [name for name, of in variables if of in concerned and name not in names]
    if lacking:
        what = ", ".join(dict.fromkeys(lacking))
        print(
            plain(
                f"{program}: Codex does not have {what}, which its configuration names and which is set here; to pass it on: "
                "codexd restart, or [environment] in codexd's config.toml if codexd is a service (docs/environment.md)"
            ),
            file=sys.stderr,
        )


def _may_name_any(home: str) -> bool:
    try:
        with open(os.path.join(home, "config.toml"), "rb") as file:
            text = file.read()
    except OSError:
        return False
    return any(key in text for key in _KEYS)
