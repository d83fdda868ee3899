"""docs/clients.md names only what is there, and every example."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "clients.md").read_text()


def test_every_file_that_the_page_names_exists() -> None:
    """Its links, and the tests that it calls as witnesses."""
    linked = re.findall(r"\]\(([^)]+)\)", PAGE)
    witnesses = re.findall(r"`(tests/[^`]+)`", PAGE)
    assert linked
    assert witnesses
    assert [name for name in linked if not (ROOT / "docs" / name).is_file()] == []
    assert [name for name in witnesses if not (ROOT / name).is_file()] == []


def test_every_example_is_shown_and_tried() -> None:
    """An example that no test runs would be a claim."""
    examples = sorted(path.name for path in (ROOT / "docs" / "examples").iterdir())
    tests = "".join(path.read_text() for path in (ROOT / "tests" / "e2e").glob("*.py"))
    assert [name for name in examples if f"](examples/{name})" not in PAGE or f'"{name}"' not in tests] == []
