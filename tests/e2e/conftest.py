"""``world``, a place of one's own for a test with the real Codex."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.harness import World, a_world


@pytest.fixture
def world(codex: Path) -> Iterator[World]:
    """A world of its own; the test fails when something in it outlived codexd."""
    with a_world(codex) as place:
        yield place
