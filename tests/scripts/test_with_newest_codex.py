"""scripts/with_newest_codex.sh, with an npm that is a shell script."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from codexd.service.npm import native_binary

ROOT = Path(__file__).parents[2]

# Installs a Codex of version `newest` where it is told to.
FAKE_NPM = """#!/bin/sh
echo "$@" >>"{record}"
codex=$3/{binary}
mkdir -p "$3/node_modules/@openai/codex/bin" "${{codex%/*}}"
touch "$3/node_modules/@openai/codex/bin/codex.js"
printf '#!/bin/sh\\necho newest\\n' >"$codex"
chmod +x "$codex"
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with this Python as its own, and an npm beside it."""
    for directory in (".venv/bin", "scripts", "path"):
        (tmp_path / directory).mkdir(parents=True)
    (tmp_path / ".venv/bin/python").symlink_to(sys.executable)
    shutil.copy(ROOT / "scripts" / "with_newest_codex.sh", tmp_path / "scripts")
    for tool in ("sh", "cat", "dirname", "mktemp", "mkdir", "touch", "chmod", "rm"):
        (tmp_path / "path" / tool).symlink_to(shutil.which(tool) or tool)
    return tmp_path


def run(checkout: Path, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["scripts/with_newest_codex.sh", *command],
        cwd=checkout,
        env={"PATH": str(checkout / "path"), "PYTHONPATH": str(ROOT), "TMPDIR": str(checkout), **env},
        capture_output=True,
        text=True,
        timeout=60,
    )


def with_npm(checkout: Path) -> None:
    package = checkout / "node_modules/@openai/codex"
    place = native_binary_place(package)
    npm = checkout / "path" / "npm"
    npm.write_text(FAKE_NPM.format(record=checkout / "record", binary=place.relative_to(checkout)))
    npm.chmod(0o755)


def native_binary_place(package: Path) -> Path:
    """Where the binary for this machine would be: the place at which it is found when it is there."""
    for triple in (
        "x86_64-unknown-linux-musl",
        "aarch64-unknown-linux-musl",
        "x86_64-apple-darwin",
        "aarch64-apple-darwin",
    ):
        place = package / "vendor" / triple / "bin" / "codex"
        place.parent.mkdir(parents=True)
        place.touch()
        if native_binary(package / "bin" / "codex.js") == place:
            return place
    raise AssertionError("no binary is for this machine")


def test_the_command_gets_the_newest_codex_for_as_long_as_it_runs(checkout: Path) -> None:
    """By CODEX_PATH; its exit code is the command's."""
    with_npm(checkout)
    done = run(checkout, "sh", "-c", '"$CODEX_PATH"; echo "$CODEX_PATH"; exit 7')
    said, path = done.stdout.splitlines()
    assert (done.returncode, said, done.stderr) == (7, "newest", "newest\n")
    assert path.startswith(str(checkout))
    assert not Path(path).exists()
    assert (checkout / "record").read_text().endswith(" @openai/codex@latest\n")


def test_another_version_can_be_asked_for(checkout: Path) -> None:
    """To see when something broke."""
    with_npm(checkout)
    assert run(checkout, "true", CODEX_VERSION="0.160.0").returncode == 0
    assert (checkout / "record").read_text().endswith(" @openai/codex@0.160.0\n")


def test_without_npm_it_says_so(checkout: Path) -> None:
    """It cannot do its work."""
    done = run(checkout, "sh", "-c", "exit 0")
    assert (done.returncode, "there is no npm here" in done.stderr) == (1, True)
