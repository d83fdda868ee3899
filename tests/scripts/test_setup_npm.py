"""scripts/setup_npm.sh, with an npm that is a shell script: what it installs, what it says, when it does nothing."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

SETUP = Path(__file__).parents[2] / "scripts" / "setup_npm.sh"
TOOLS = ("sh", "cat", "cksum", "dirname", "rm", "mkdir")


class Checkout:
    """A directory with setup_npm.sh, the versions, and a PATH of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.record = root / "record"
        self.bin = root / "path"
        for directory in (self.bin, root / "scripts", root / "tests", root / ".venv"):
            directory.mkdir()
        for tool in TOOLS:
            (self.bin / tool).symlink_to(shutil.which(tool) or tool)
        shutil.copy(SETUP, root / "scripts")
        self.pin("1.0.0")

    def pin(self, version: str) -> None:
        (self.root / "tests" / "codex_versions.env").write_text(f"NPM={version}\nACP_ADAPTER=2.0.0\n")

    def tool(self, name: str, exit_code: int = 0) -> None:
        """A program that records its command line, and what it was asked to install."""
        script = f'#!/bin/sh\necho "$@" >>{self.record}\nexit {exit_code}\n'
        (self.bin / name).write_text(script)
        (self.bin / name).chmod(0o755)

    def setup(self) -> str:
        """Runs it, which succeeds; what it said."""
        argv, env = ["scripts/setup_npm.sh"], {"PATH": str(self.bin)}
        done = subprocess.run(argv, cwd=self.root, env=env, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stdout) == (0, "")
        return done.stderr

    def installed(self) -> list[str]:
        """The command lines that npm was given since the last time this was asked."""
        lines = self.record.read_text().splitlines() if self.record.exists() else []
        self.record.unlink(missing_ok=True)
        return lines


INSTALL = "install --prefix .venv/npm --ignore-scripts --no-audit --no-fund --loglevel=error"


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_it_installs_the_pinned_versions_once(checkout: Checkout) -> None:
    """And again when others are pinned; the adapter shares the Codex that is tested."""
    checkout.tool("node")
    checkout.tool("npm")
    assert "Installing Codex 1.0.0 and the ACP adapter 2.0.0 from npm" in checkout.setup()
    assert checkout.installed() == [INSTALL]
    assert json.loads((checkout.root / ".venv/npm/package.json").read_text()) == {
        "private": True,
        "dependencies": {"@openai/codex": "1.0.0", "@agentclientprotocol/codex-acp": "2.0.0"},
        "overrides": {"@openai/codex": "$@openai/codex"},
    }
    assert (checkout.setup(), checkout.installed()) == ("", [])
    checkout.pin("1.0.1")
    checkout.setup()
    assert checkout.installed() == [INSTALL]


@pytest.mark.parametrize(("there", "missing"), [("npm", "node"), ("node", "npm")])
def test_without_nodejs_or_npm_the_rest_goes_on(checkout: Checkout, there: str, missing: str) -> None:
    """The tests need neither, but for a few."""
    checkout.tool(there)
    assert checkout.setup() == (
        f"codexd: there is no {missing} here; the tests that need Codex or the ACP adapter from npm will be skipped.\n"
    )
    assert checkout.installed() == []


def test_a_failure_of_npm_is_said_and_tried_again(checkout: Checkout) -> None:
    """As without a network."""
    checkout.tool("node")
    checkout.tool("npm", exit_code=1)
    assert "npm could not install them, the reason is above" in checkout.setup()
    checkout.installed()
    checkout.tool("npm")
    checkout.setup()
    assert checkout.installed() == [INSTALL]
