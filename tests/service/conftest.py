"""Fixtures for the outside of codexd: `place`, a home of one's own with a Codex that is quick to start."""

import sys
from collections.abc import Iterator

import pytest

from tests.service.place import Place


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A place of its own, in this process's environment too; whatever runs there at the end of the test is ended."""
    with Place() as made:
        for name in ("CODEX_HOME", "CODEX_PATH", "CODEXD_SOCKET", "CODEXD_CONFIG"):
            monkeypatch.delenv(name, raising=False)
        for name, value in made.environ.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setitem(sys.modules, "codex_cli_bin", None)  # where it is installed it would be found
        yield made
