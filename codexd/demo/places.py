"""Where the demo, the tests and the benchmark have their directories: nothing above them is a repository.

Not in `/tmp`: a Codex that is killed in a sandboxed command leaves an empty `.git` there (0.163 and 0.171), and from then
on every directory below is inside a repository to Codex, which asks other things then.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

LONGEST = 36
"""Bytes: a socket's path may have 107, and the longest is that of Codex's own control socket in a world."""


def new_directory(prefix: str) -> Path:
    """A new directory of one's own. Whoever asks for it removes it. OSError, with the reasons, when no place is fit."""
    return Path(tempfile.mkdtemp(prefix=prefix, dir=_parent())).resolve()


def _parent() -> Path:
    refused = []
    for place in _places():
        if (why := _unfit(place)) is None:
            return place
        refused.append(f"{place} {why}")
    raise OSError(f"there is no place for a temporary directory: {'; '.join(refused)}")


def _places() -> Iterator[Path]:
    """What every system has, the user's cache, and where temporary files are."""
    name = f"codexd-worlds-{os.getuid()}"
    yield Path("/var/tmp", name)
    if (home := os.environ.get("HOME", "")).startswith("/"):
        yield Path(home) / ".cache" / name
    yield Path(tempfile.gettempdir(), name)


def _unfit(place: Path) -> str | None:
    """Why a place won't do; `None` when it does, and is there."""
    if len(os.fsencode(place)) > LONGEST:
        return "is too long for a socket path"
    repository = next((above for above in place.parents if (above / ".git").exists()), None)
    if repository is not None:
        return f"is inside the repository {repository}"
    try:
        place.mkdir(0o711, parents=True, exist_ok=True)
    except OSError as error:
        return f"can't be made: {error.strerror}"
    if place.is_symlink() or place.stat().st_uid != os.getuid():
        return "is a link, or belongs to another user"
    return None
