"""How this codexd was installed: what adds a Codex to the same environment, and whether PATH leads to its commands.

The distribution is called `codexd-broker`: the names `codexd` and `codexctl` belong to other projects on the package
index. No message tells anybody to install one of those, nor `codexd-broker` from an index that may not have it: where
this installation came from is read from its own metadata.
"""

import importlib.metadata
import importlib.util
import json
import os
import shlex
import shutil
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

DISTRIBUTION = "codexd-broker"
CODEX_PACKAGE = "openai-codex-cli-bin"
"""OpenAI's own package, which the extra `codex` names."""
COMMANDS = ("codexd", "codexctl")


class Shadowed(NamedTuple):
    """A command that PATH finds before ours, which is `ours`."""

    command: str
    found: Path
    ours: Path


def add_codex_command(prefix: Path | None = None) -> str:
    """The command line that installs OpenAI's Codex package beside codexd, by the tool that installed codexd.

    pipx and uv say in a file of the environment that it is theirs (pipx 1.7 `pipx_metadata.json`, uv 0.13
    `uv-receipt.toml`). Anything else is an environment of pip's, where pip may be missing when uv made it.
    """
    prefix = Path(sys.prefix) if prefix is None else prefix
    if (prefix / "pipx_metadata.json").exists():
        return shlex.join(["pipx", "inject", DISTRIBUTION, CODEX_PACKAGE])
    if (prefix / "uv-receipt.toml").exists():
        return shlex.join(["uv", "tool", "install", "--with", CODEX_PACKAGE, _origin()])
    if importlib.util.find_spec("pip") is None:
        return shlex.join(["uv", "pip", "install", "--python", sys.executable, CODEX_PACKAGE])
    return shlex.join([sys.executable, "-m", "pip", "install", CODEX_PACKAGE])


def _origin() -> str:
    """What codexd was installed from: a directory or URL where its metadata name one (PEP 610), else its name."""
    try:
        recorded = importlib.metadata.distribution(DISTRIBUTION).read_text("direct_url.json")
    except importlib.metadata.PackageNotFoundError:
        recorded = None
    if recorded is None:
        return DISTRIBUTION
    url = str(json.loads(recorded)["url"])
    parts = urlsplit(url)
    return unquote(parts.path) if parts.scheme == "file" else url


def shadowed(environ: Mapping[str, str], scripts: str | None = None) -> Iterator[Shadowed]:
    """The commands of ours in whose place PATH finds another program.

    Args:
        scripts: the directory of this installation's commands.
    """
    scripts = sysconfig.get_path("scripts") if scripts is None else scripts
    for command in COMMANDS:
        ours = Path(scripts, command)
        found = shutil.which(command, path=environ.get("PATH", os.defpath))
        if found is not None and ours.exists() and not _leads_to(found, ours):
            yield Shadowed(command, Path(found), ours)


def _leads_to(found: str, ours: Path) -> bool:
    """Whether running one runs the other: the same file, or a link to it, as pipx and uv make in ~/.local/bin."""
    try:
        return os.path.samefile(found, ours)
    except OSError:
        return False
