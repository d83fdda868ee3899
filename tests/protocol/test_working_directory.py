"""A shell that stands in a directory which has been removed."""

from pathlib import Path

import pytest

from codexd.protocol.working_directory import is_removed


def test_a_directory_is_there_until_it_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only then do relative paths mean nothing."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    assert not is_removed()
    gone.rmdir()
    assert is_removed()
