"""Which Codexes the tests run, and what is said when there is none."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.codex_binaries import Missing, acp_adapter, chosen, from_npm

VERSIONS = (Path(__file__).parent / "codex_versions.env").read_text()


def pinned(name: str) -> str:
    found = re.search(rf"^{name}=(.+)$", VERSIONS, re.MULTILINE)
    assert found is not None
    return found[1]


@pytest.mark.e2e
@pytest.mark.parametrize(("fixture", "name"), [("codex", "PYPI"), ("codex_npm", "NPM")])
def test_each_codex_is_of_the_pinned_version(request: pytest.FixtureRequest, fixture: str, name: str) -> None:
    """What a test proves, it proves of that version."""
    if fixture == "codex" and chosen():
        pytest.skip("CODEX_PATH names another one")
    binary = request.getfixturevalue(fixture)
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=60).stdout
    assert said.split()[-1] == pinned(name)


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    """It is the reason with which tests are skipped."""
    with pytest.raises(Missing, match="there is no @openai/codex in"):
        from_npm(tmp_path)
    script = tmp_path / "node_modules/@openai/codex/bin/codex.js"
    script.parent.mkdir(parents=True)
    script.touch()
    with pytest.raises(Missing, match="has no binary for this machine"):
        from_npm(tmp_path)


def test_the_adapter_needs_nodejs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is a program for it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Missing, match=r"there is no Node\.js here"):
        acp_adapter()


def test_a_codex_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """By CODEX_PATH, as for codexd."""
    monkeypatch.delenv("CODEX_PATH", raising=False)
    assert chosen() is None
    monkeypatch.setenv("CODEX_PATH", sys.executable)
    assert chosen() == Path(sys.executable).resolve()
