"""Where Codex looks up whether a directory is trusted (measured on 0.163 and 0.171)."""

import os
from collections.abc import Iterator


def roots(directory: str) -> Iterator[str]:
    """The directory, the root of its git checkout, and the main checkout of a linked worktree. No others count."""
    yield directory
    root = directory
    while not _is_checkout(root):
        if (above := os.path.dirname(root)) == root:
            return
        root = above
    if root != directory:
        yield root
    if (main := _main_checkout(root)) is not None:
        yield main


def _is_checkout(directory: str) -> bool:
    git = os.path.join(directory, ".git")
    return os.path.isfile(git) or os.path.isfile(os.path.join(git, "HEAD"))


def _main_checkout(root: str) -> str | None:
    """None unless the main checkout knows this one, too: the file `.git` of a download may name any directory."""
    git = os.path.join(root, ".git")
    try:
        with open(git, encoding="utf-8", errors="surrogateescape") as file:
            ours = file.read(4096).partition("gitdir:")[2].strip()
        with open(os.path.join(ours, "gitdir"), encoding="utf-8", errors="surrogateescape") as file:
            theirs = file.read(4096).strip()
    except (OSError, ValueError):  # a directory, as in a main checkout, or not git's
        return None
    store = os.path.dirname(os.path.dirname(ours))
    if os.path.realpath(theirs) != git or os.path.basename(store) != ".git":
        return None
    return os.path.realpath(os.path.dirname(store))
