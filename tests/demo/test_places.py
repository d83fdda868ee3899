"""Where worlds have their directories."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from codexd.demo import places


@pytest.fixture
def base() -> Iterator[Path]:
    """A directory that is in no repository, whatever stands in `/tmp`."""
    made = places.new_directory("base-")
    yield made
    shutil.rmtree(made)


def test_no_repository_is_above_a_world(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first place that is fit is taken: one inside a repository is not, however empty its `.git`."""
    inside, outside = base / "a", base / "b"
    inside.mkdir()
    (inside / ".git").mkdir()
    monkeypatch.setattr(places, "LONGEST", 1000)
    monkeypatch.setattr(places, "_places", lambda: iter([inside / "worlds", outside / "worlds"]))
    made = places.new_directory("x-")
    assert (made.parent, made.stat().st_mode & 0o777) == (outside / "worlds", 0o700)


def test_without_a_fit_place_each_is_named_with_its_reason(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing is made anywhere."""
    (base / ".git").touch()
    wrong = [base / "x", Path("/proc/codexd"), base / ("y" * 200)]
    monkeypatch.setattr(places, "_places", lambda: iter(wrong))
    monkeypatch.setattr(places, "LONGEST", 150)
    with pytest.raises(OSError, match="no place") as raised:
        places.new_directory("x-")
    assert str(raised.value) == (
        f"there is no place for a temporary directory: {wrong[0]} is inside the repository {base}; "
        f"/proc/codexd can't be made: No such file or directory; {wrong[2]} is too long for a socket path"
    )


def test_the_place_of_this_machine_is_fit() -> None:
    """git knows of no repository there, and the longest socket's path fits."""
    made = places.new_directory("cw-")
    try:
        socket = made / "home" / ".codex" / "app-server-control" / "app-server-control.sock"
        assert len(os.fsencode(socket)) <= 107
        git = subprocess.run(
            ["git", "rev-parse", "--show-toplevel"], cwd=made, capture_output=True, check=False
        )
        assert git.returncode != 0
    finally:
        made.rmdir()
