"""The versions of dependencies that are promised are the versions that are tried."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def pins(name: str) -> dict[str, str]:
    """The versions in a constraints file of `.ci/`."""
    lines = (ROOT / ".ci" / name).read_text().splitlines()
    return dict(line.split("==", 1) for line in lines if line and not line.startswith("#"))


def lower_bounds() -> dict[str, str]:
    """What pyproject.toml allows at least, for each dependency at run time."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return dict(line.split(">=", 1) for line in project["dependencies"])


def release(version: str) -> tuple[int, ...]:
    """A version as numbers, without closing zeros: 0.19 and 0.19.0 are one."""
    numbers = [int(number) for number in re.findall(r"\d+", version)]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def test_the_oldest_dependencies_that_are_allowed_are_tried() -> None:
    """`.ci/run` runs tests with `.ci/lowest.txt`; a bound that is lowered or raised alone would be untested."""
    assert {name: release(version) for name, version in pins("lowest.txt").items()} == {
        name: release(version) for name, version in lower_bounds().items()
    }


def test_the_locked_versions_are_allowed() -> None:
    """`.ci/locked.txt` has every dependency, in a version that users can get."""
    locked = pins("locked.txt")
    assert all(release(locked[name]) >= release(bound) for name, bound in lower_bounds().items())
