"""The environment variables that the configuration of Codex names: keys of model providers, and what MCP servers are given.

Codex reads them from its own environment: `env_key` and `env_http_headers` of a model provider, `bearer_token_env_var`,
`env_http_headers` and `env_vars` of an MCP server (0.163, 0.171). A name is no secret; the values never come here.
"""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Named(NamedTuple):
    """A variable, and the model provider that wants it; None: an MCP server does."""

    variable: str
    provider: str | None


def read(codex_home: str) -> dict[str, object]:
    """The user's configuration of Codex; empty where there is none, and where it can't be read, which Codex says."""
    try:
        with open(os.path.join(codex_home, "config.toml"), "rb") as file:
            return tomllib.load(file)
    except (OSError, ValueError, RecursionError):
        return {}


def named_in(config: Mapping[str, object]) -> list[Named]:
    """What a configuration names, in its order. Keys may be dotted, as in the `config` of a thread."""
    found = [each for key, value in config.items() for each in _inside(key.split("."), value)]
    return [each for each in dict.fromkeys(found) if _NAME.fullmatch(each.variable)]


def _inside(path: list[str], value: object) -> Iterator[Named]:
    match path, value:
        case _, dict():
            for name, inner in value.items():
                yield from _inside([*path, name], inner)
        case ["model_providers", provider, "env_key"], str():
            yield Named(value, provider)
        case ["model_providers", provider, "env_http_headers", _], str():
            yield Named(value, provider)
        case ["mcp_servers", _, "bearer_token_env_var"] | ["mcp_servers", _, "env_http_headers", _], str():
            yield Named(value, None)
        case ["mcp_servers", _, "env_vars"], list():
            names = [each.get("name") if isinstance(each, dict) else each for each in value]
            yield from (Named(name, None) for name in names if isinstance(name, str))
        case _:
            return
