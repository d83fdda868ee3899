"""Text for people: what is safe to print on a terminal, colours, widths, tables.

Whatever a model, a command or another program wrote may hold control characters that move the cursor, recolour or
retitle the terminal, or make an approval look like a different one. On a terminal all of it is neutralised: running text
by `codexd.protocol.visible`, and by `exact` where somebody decides by what is read.
"""

import os
import sys
import time
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from codexd.protocol.visible import json_plain

_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


def exact(text: str) -> str:
    """Text of which every character is seen: invisible ones are written out too; tabs become four spaces."""
    shown = (c if c.isprintable() or c == "\n" else _written_out(c) for c in text.replace("\t", "    "))
    return "".join(shown)


def one_line(text: str, width: int) -> str:
    """The beginning of a text as one line of at most `width` columns."""
    flat = exact(" ".join(text.split()))
    if columns(flat) <= width:
        return flat
    return _fitting(flat, width - 1) + "…"


def boxed(text: str, width: int, bar: str = "  │ ") -> list[str]:
    """Foreign text between us and the reader, line by line behind a bar that it cannot get in front of."""
    room = max(8, width - columns(bar))
    lines = []
    for line in exact(text).rstrip("\n").split("\n"):
        rest = line
        while columns(rest) > room:
            head = _fitting(rest, room)
            lines.append(bar + head)
            rest = rest[len(head) :]
        lines.append(bar + rest)
    return lines


def columns(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def _fitting(text: str, width: int) -> str:
    taken = 0
    for at, character in enumerate(text):
        taken += columns(character)
        if taken > width:
            return text[:at]
    return text


def _written_out(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


class Paint:
    """Styles for one stream: colours on a terminal without NO_COLOR, nothing anywhere else."""

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled

    @classmethod
    def of(cls, stream: TextIO) -> "Paint":
        return cls(stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb")

    def __call__(self, text: str, *styles: str) -> str:
        if not self.enabled or not text:
            return text
        return f"\x1b[{';'.join(_STYLES[style] for style in styles)}m{text}\x1b[0m"


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a standard stream is a terminal; one that was closed at the start is None, and is not."""
    return stream is not None and stream.isatty()


def terminal_width(stream: TextIO) -> int:
    """Columns of the terminal behind a stream; 80 where there is none."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except OSError:
        return 80


def table(head: Sequence[str], rows: Iterable[Sequence[str]], stream: TextIO) -> list[str]:
    """Rows under a head, in columns; the last one is cut to the width of a terminal."""
    cells = [[exact(cell) for cell in row] for row in rows]
    widths = [max(columns(row[at]) for row in (head, *cells)) for at in range(len(head) - 1)]
    paint = Paint.of(stream)
    room = terminal_width(stream) - sum(widths) - 2 * len(widths) if stream.isatty() else sys.maxsize
    lines = []
    for number, row in enumerate((head, *cells)):
        padded = (cell + " " * (width - columns(cell)) for cell, width in zip(row, widths, strict=False))
        line = "  ".join([*padded, one_line(row[-1], max(8, room))]).rstrip()
        lines.append(paint(line, "bold") if number == 0 else line)
    return lines


def ago(then: float | None, now: float | None = None) -> str:
    """How long ago a time was (seconds since the epoch), in its largest unit: `5s`, `12m`, `3h`, `9d`."""
    if then is None:
        return "-"
    seconds = max(0, int((time.time() if now is None else now) - then))
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def as_json(value: Any, stream: TextIO) -> str:
    """JSON for a program: one line, or indented where a person looks on."""
    import json

    return json_plain(json.dumps(value, ensure_ascii=False, indent=2 if stream.isatty() else None))
