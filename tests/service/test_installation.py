"""How codexd was installed, and whether PATH leads to it."""

import importlib.metadata
import importlib.util
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from codexd.service import installation
from codexd.service.finding import BROKEN, Finding
from codexd.service.installation import DISTRIBUTION, Shadowed, add_codex_command, shadowed
from tests.service.place import Place
from tests.service.test_examination import findings

ROOT = Path(__file__).parents[2]
INSTALLS = re.compile(
    r"\b(?:pip|pipx|uv)\b[^\n]*\b(?:install|inject)\b[^\n]*?\b(?:codexd|codexctl)\b(?!-broker|\s*:|/)"
)


def installed_from(monkeypatch: pytest.MonkeyPatch, recorded: str | None) -> None:
    """Gives our distribution these metadata; None: there is no such distribution."""

    class Distribution:
        def read_text(self, name: str) -> str | None:
            return recorded if name == "direct_url.json" else None

    def distribution(name: str) -> Any:
        if name != DISTRIBUTION or recorded is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return Distribution()

    monkeypatch.setattr(importlib.metadata, "distribution", distribution)


def test_the_extra_comes_by_pip_where_pip_is() -> None:
    """It names this very Python: another pip would install it where codexd does not look."""
    assert add_codex_command() == f"{sys.executable} -m pip install openai-codex-cli-bin"


def test_an_environment_without_pip_is_one_of_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    """`uv venv` makes one without pip, where `python -m pip` would only be another error."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert add_codex_command() == f"uv pip install --python {sys.executable} openai-codex-cli-bin"


def test_pipx_injects_it(tmp_path: Path) -> None:
    """pip into an environment of pipx's is undone by the next `pipx upgrade`."""
    (tmp_path / "pipx_metadata.json").touch()
    assert add_codex_command(tmp_path) == "pipx inject codexd-broker openai-codex-cli-bin"


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("file:///home/me/my%20codexd", "'/home/me/my codexd'"),
        ("git+https://example.org/codexd", "git+https://example.org/codexd"),
    ],
)
def test_uv_installs_it_with_codexd_from_where_that_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, origin: str
) -> None:
    """The name alone would be looked up on an index, where it may be somebody else's or missing."""
    (tmp_path / "uv-receipt.toml").touch()
    installed_from(monkeypatch, json.dumps({"url": url}))
    assert add_codex_command(tmp_path) == f"uv tool install --with openai-codex-cli-bin {origin}"


def test_uv_without_metadata_is_given_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What came from an index is known by its name."""
    (tmp_path / "uv-receipt.toml").touch()
    installed_from(monkeypatch, None)
    assert add_codex_command(tmp_path).endswith(" codexd-broker")


def test_a_strangers_command_in_front_of_ours_is_found(tmp_path: Path, place: Place) -> None:
    """`codexd` and `codexctl` are names of other projects, too: the first one on PATH is run, whichever it is."""
    ours, theirs, links = tmp_path / "ours", tmp_path / "theirs", tmp_path / "links"
    for directory in (ours, theirs, links):
        directory.mkdir()
    for program in (ours / "codexd", ours / "codexctl", theirs / "codexctl"):
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    (links / "codexctl").symlink_to(ours / "codexctl")
    found = [Shadowed("codexctl", theirs / "codexctl", ours / "codexctl")]
    assert list(shadowed({"PATH": f"{theirs}:{ours}"}, str(ours))) == found
    assert list(shadowed({"PATH": f"{ours}:{theirs}"}, str(ours))) == []
    assert list(shadowed({"PATH": f"{links}:{theirs}"}, str(ours))) == []
    assert list(shadowed({"PATH": str(tmp_path)}, str(ours))) == []
    assert list(shadowed({"PATH": str(theirs)}, str(tmp_path))) == []


def test_doctor_warns_of_a_strangers_command(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names both programs, and what to do."""
    shadow = Shadowed("codexd", Path("/theirs/codexd"), Path("/ours/codexd"))
    monkeypatch.setattr("codexd.service.examination.shadowed", lambda environ: [shadow])
    (finding,) = findings(place, "PATH")
    assert finding == Finding(
        "PATH",
        BROKEN,
        "`codexd` runs /theirs/codexd, which is another program; this codexd's own is /ours/codexd",
        "put /ours before /theirs on PATH",
    )


def test_one_that_vanishes_while_it_is_compared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Then another program is found in its place, which is what there is to say."""
    assert not installation._leads_to(str(tmp_path / "gone"), tmp_path)


def test_no_text_tells_anybody_to_install_a_name_that_is_not_ours() -> None:
    """`pip install codexd` installs another project's program."""
    texts = [
        path
        for place in (
            "codexd",
            "codexctl",
            "docs",
            "scripts",
            "bench",
            "README.md",
            "CHANGELOG.md",
            "Makefile",
        )
        for path in ([ROOT / place] if (ROOT / place).is_file() else sorted((ROOT / place).rglob("*")))
        if path.is_file() and path.suffix != ".pyc"
    ]
    assert INSTALLS.search("pip install 'codexd[codex]'")
    assert INSTALLS.search("uv tool install codexctl")
    assert not INSTALLS.search("pipx inject codexd-broker openai-codex-cli-bin")
    offending = [
        f"{path.relative_to(ROOT)}: {found[0]}"
        for path in texts
        if (found := INSTALLS.search(path.read_text())) is not None
    ]
    assert offending == []


def test_the_distribution_has_the_name_that_messages_say() -> None:
    """pyproject.toml and the messages agree."""
    assert f'name = "{DISTRIBUTION}"' in (ROOT / "pyproject.toml").read_text()
    assert os.path.basename(str(installation.CODEX_PACKAGE)) in (ROOT / "pyproject.toml").read_text()
