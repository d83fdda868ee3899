"""Who holds a lock, as Linux tells."""

from pathlib import Path

from codexd.protocol.lock_table import flock_holder, flock_holders


def test_other_locks_do_not_count(tmp_path: Path) -> None:
    """Of other files and kinds, of who waits, and of a process that another pid name space hides."""
    locks = tmp_path / "locks"
    lines = [
        "1: POSIX  ADVISORY  READ 11 fe:00:70 128 128",
        "2: FLOCK  ADVISORY  WRITE 12 fe:00:71 0 EOF",
        "3: FLOCK  ADVISORY  WRITE 0 fe:00:70 0 EOF",
        "3: -> FLOCK  ADVISORY  WRITE 13 fe:00:70 0 EOF",
        "4: FLOCK  ADVISORY  WRITE 14 00:1f:70 0 EOF",
        "5: FLOCK  ADVISORY  READ 15 00:1f:72 0 EOF",
    ]
    locks.write_text("\n".join(lines) + "\n")
    assert flock_holder(70, str(locks)) == 14
    assert flock_holder(72, str(locks)) == 15
    assert flock_holders(str(locks)) == {12, 14}
    locks.write_text("\n".join(lines[:-2]) + "\n")
    assert flock_holder(70, str(locks)) is None


def test_where_there_is_no_table_nothing_is_known(tmp_path: Path) -> None:
    """Other systems, and a container that hides it."""
    assert flock_holder(1, str(tmp_path / "missing")) is None
    assert flock_holders(str(tmp_path / "missing")) == set()
