"""What a check of doctor found."""

from typing import NamedTuple

OK = "ok"
NOTE = "note"
"""Nothing is wrong, but somebody may want to know."""
BROKEN = "broken"


class Finding(NamedTuple):
    """What one check found. `remedy`: what to do about it, empty where nothing is to be done."""

    name: str
    state: str
    text: str
    remedy: str = ""
