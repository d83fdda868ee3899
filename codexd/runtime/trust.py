"""Whether a new thread in a directory would make Codex trust that directory.

A `thread/start` that names a directory, with a sandbox that may write there, makes Codex write into `config.toml` that the
project is trusted, unless it says something of that project already; and what is trusted runs the MCP servers and hooks of
its own `.codex/config.toml` at once. One that leaves the directory out, and gets that of Codex's own process, writes
nothing (tried on 0.163 and 0.171). So it matters when codexd names a directory that its client has not named.

The sandbox is what the request says, else what the configuration says, else read-only as far as this goes: Codex lets
nobody write into a directory of which it knows nothing. Of a directory that is no repository and has no `.codex` Codex
writes nothing either; codexd does not look, and takes it for one.
"""

import os
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from codexd.protocol.project_roots import roots

_SYSTEM_FILES = ("/etc/codex/config.toml", "/etc/codex/managed_config.toml")
_UNREADABLE = (OSError, ValueError, RecursionError, MemoryError)
_SANDBOX = ("sandbox_mode", "default_permissions")
_READ_ONLY = (None, "read-only", ":read-only")


class ProjectTrust:
    """What the configuration of Codex says, read anew each time.

    Args:
        overrides: the assignments `KEY=VALUE` that Codex is started with.
    """

    def __init__(self, codex_home: str, overrides: Sequence[str] = ()) -> None:
        self._files = (os.path.join(codex_home, "config.toml"), *_SYSTEM_FILES)
        self._overrides = tuple(_assigned(overrides))

    def would_be_written(self, directory: str, may_write: bool | None) -> bool:
        """Whether a thread that is started in this directory makes Codex trust it.

        Blocks for as long as the files of the configuration take to read; looks for a repository only when the
        configuration names any project. In doubt it would be.

        Args:
            may_write: whether the request itself says that the sandbox lets commands write; None when it says nothing.
        """
        if may_write is False:
            return False
        try:
            layers = [*self._overrides, *(_read(file) for file in self._files)]
        except _UNREADABLE:
            return True
        if may_write is None and not any(_lets_write(layer) for layer in layers):
            return False
        known = {path for layer in layers for path in _projects(layer)}
        return not known or known.isdisjoint(roots(directory))


def _assigned(overrides: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Each assignment as a layer of its own. As Codex does, what is no TOML is taken for a text."""
    for assignment in overrides:
        key, _, value = assignment.partition("=")
        try:
            yield tomllib.loads(f"{key}={value}")
        except (tomllib.TOMLDecodeError, RecursionError):
            yield {key.strip(): value.strip()}


def _read(file: str) -> dict[str, Any]:
    try:
        return tomllib.loads(Path(file).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}


def _lets_write(layer: dict[str, Any]) -> bool:
    """A profile may say anything."""
    return "profile" in layer or any(layer.get(name) not in _READ_ONLY for name in _SANDBOX)


def _projects(layer: dict[str, Any]) -> list[str]:
    """The directories of which it is said whether they are trusted."""
    projects = layer.get("projects")
    if not isinstance(projects, dict):
        return []
    return [
        path
        for path, said in projects.items()
        if isinstance(said, dict) and said.get("trust_level") is not None
    ]
