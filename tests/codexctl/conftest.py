"""Fixtures for the tests of codexctl: an environment of one's own, and a stand-in for codexd."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from codexctl.main import main
from codexd.demo import places
from tests.codexctl.standin import StandIn


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory of the test's own, and no way for codexctl to find a real codexd or Codex home."""
    root = places.new_directory("cc-")
    for name in [*os.environ]:
        if name.startswith(("CODEX", "XDG_", "NO_COLOR")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(root))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(root / "run"))
    (root / "run" / "codexd").mkdir(parents=True)
    (root / "project").mkdir()
    monkeypatch.chdir(root / "project")
    yield root
    shutil.rmtree(root)


@pytest.fixture
def codexd(place: Path) -> Iterator[StandIn]:
    """A stand-in at the default socket, serving the default CODEX_HOME."""
    server = StandIn(place / "run" / "codexd" / "codexd.sock", place / ".codex")
    yield server
    server.close()


@pytest.fixture
def codexctl() -> Callable[..., int]:
    """Runs a command line in this process; returns its exit code."""
    return lambda *argv: main([*argv])
