"""The two Codexes that the tests run, as `make setup` installs them: one from PyPI, one from npm.

`python -m tests.codex_binaries DIRECTORY` prints the binary of the @openai/codex that npm installed there.
"""

import os
import shutil
import sys
from pathlib import Path

from codexd.service.npm import native_binary

NPM_DIRECTORY = Path(sys.prefix) / "npm"
"""Where `scripts/setup_npm.sh` installs: in `.venv`, so that `make clean` takes it away."""


class Missing(Exception):
    """There is no such Codex or client here; says why, and what brings it."""


def from_pypi() -> Path:
    """The binary of the package `openai-codex-cli-bin`."""
    try:
        from codex_cli_bin import bundled_codex_path
    except ImportError:
        raise Missing("no Codex: set CODEX_PATH or run make setup") from None
    return Path(bundled_codex_path())


def from_npm(directory: Path = NPM_DIRECTORY) -> Path:
    """The native binary of the package `@openai/codex`."""
    script = directory / "node_modules/@openai/codex/bin/codex.js"
    if not script.is_file():
        raise Missing(_without_npm(f"there is no @openai/codex in {directory}"))
    binary = native_binary(script)
    if binary is None:
        raise Missing(f"the @openai/codex in {directory} has no binary for this machine")
    return binary


def acp_adapter() -> list[str]:
    """The argv of the ACP adapter, `codex-acp`."""
    node = shutil.which("node")
    script = NPM_DIRECTORY / "node_modules/@agentclientprotocol/codex-acp/dist/index.js"
    if node is None:
        raise Missing("there is no Node.js here")
    if not script.is_file():
        raise Missing(_without_npm(f"there is no @agentclientprotocol/codex-acp in {NPM_DIRECTORY}"))
    return [node, str(script)]


def chosen() -> Path | None:
    """The Codex that CODEX_PATH names instead of the installed ones."""
    path = os.environ.get("CODEX_PATH")
    return Path(path).resolve(strict=True) if path else None


def _without_npm(what: str) -> str:
    reason = "`make setup` installs it" if shutil.which("npm") else "there is no npm to install it with"
    return f"{what}: {reason}"


if __name__ == "__main__":
    print(from_npm(Path(sys.argv[1])))
