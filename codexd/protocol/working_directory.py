"""The current directory of a shell that stands in a directory which has been removed since."""

import os

REMOVED = "the current directory has been removed; change to one that exists"


def is_removed() -> bool:
    """Whether relative paths, and none at all, mean nothing any more."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False
