"""The options that the running codexd was started with, kept for `restart`, in a file that only the user can read.

They may hold secrets (`--codex-config`), so they are in no lock and in no message of codexd's.
"""

import json
import os
from contextlib import suppress
from pathlib import Path

_FILE = "options.json"


def keep(directory: Path, arguments: tuple[str, ...]) -> None:
    """Writes them down; the directory is private. Raises `OSError`."""
    new = directory / f".{_FILE}.new"
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
        json.dump(arguments, file, ensure_ascii=False)
    new.replace(directory / _FILE)


def kept(directory: Path) -> tuple[str, ...]:
    """The options; none where they were not kept, or only half."""
    try:
        found = json.loads((directory / _FILE).read_text(encoding="utf-8", errors="surrogateescape"))
    except (OSError, ValueError):
        return ()
    return tuple(map(str, found))


def forget(directory: Path) -> None:
    """Removes them: they are those of a codexd that runs."""
    with suppress(OSError):  # a file system that has become read-only
        (directory / _FILE).unlink(missing_ok=True)
