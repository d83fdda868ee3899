"""A program that was updated is told from the one that runs."""

from pathlib import Path

from codexd.protocol.binary import identity, was_replaced


def test_another_file_of_the_same_path_is_another_program(tmp_path: Path) -> None:
    """Replaced, also through a link, or removed; not by being looked at."""
    first, second, link = (tmp_path / name for name in ("first", "second", "link"))
    first.write_text("1")
    second.write_text("22")
    link.symlink_to(first)
    known = identity(str(link))
    assert known is not None
    assert not was_replaced(str(link), known)
    link.unlink()
    link.symlink_to(second)
    assert was_replaced(str(link), known)
    assert not was_replaced(str(first), known)
    first.unlink()
    assert identity(str(first)) is None
    assert was_replaced(str(first), known)
