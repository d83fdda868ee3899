"""Fixtures for tests with the real Codex: ``codex``, its binary, and ``world``, a place of one's own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.harness import World


@pytest.fixture(scope="session")
def codex() -> Path:
    """The Codex under test: ``CODEX_PATH``, else the one of the package ``openai-codex-cli-bin``."""
    chosen = os.environ.get("CODEX_PATH")
    if chosen:
        return Path(chosen).resolve(strict=True)
    try:
        from codex_cli_bin import bundled_codex_path
    except ImportError:
        missing = "no Codex: set CODEX_PATH or install codexd[codex]"
        if os.environ.get("CODEXD_TESTS_WITHOUT_CODEX") == "1":
            pytest.skip(missing)
        pytest.fail(f"{missing}, or skip these tests with CODEXD_TESTS_WITHOUT_CODEX=1")
    return Path(bundled_codex_path())


@pytest.fixture
def world(codex: Path) -> Iterator[World]:
    """A world of its own; the test fails when something in it outlived codexd."""
    place = World(codex)
    left: list[str] = []
    try:
        yield place
    finally:
        left = place.close()
    assert left == [], "processes outlived the end of their world"
