"""``world``, a place of one's own for a test with the real Codex."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.harness import World


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
