"""Text that leaves a terminal as it is.

What a model, a command, a file's name or a thread's name holds may move the cursor, recolour or retitle the terminal, or turn
the direction in which a line is read, so that a command looks like another one. All that is printed for people and holds
foreign text goes through here, be it `codexd`'s or `codexctl`'s.
"""

_BIDI = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_C0, _DEL_AND_C1 = range(0x20), range(0x7F, 0xA0)
_KEPT = (0x09, 0x0A)
_FOR_PEOPLE = {code: f"\\x{code:02x}" for code in (*_C0, *_DEL_AND_C1) if code not in _KEPT} | {
    code: f"\\u{code:04x}" for code in _BIDI
}
_IN_JSON = {code: f"\\u{code:04x}" for code in (*_DEL_AND_C1, *_BIDI)}


def plain(text: str) -> str:
    """The text with its controls (C0, C1) but tab and line feed, and marks of direction, written out: `\\x1b` and the like."""
    return text.translate(_FOR_PEOPLE)


def json_plain(text: str) -> str:
    """The same JSON, in which these characters are escaped: JSON itself escapes C0 alone, and has the others in strings only."""
    return text if text.isascii() and "\x7f" not in text else text.translate(_IN_JSON)
