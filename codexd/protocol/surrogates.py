r"""Half of a surrogate pair as an escape, `\ud800`: JSON by its grammar, and no text.

It is what becomes of a text that a program has cut between two UTF-16 units. Codex drops such a line without a word
(0.163 and 0.171).
"""

import re

MOST = 16
"""So many of them are looked for, with 100,000 escapes before each: a line that is wrong anyhow is to cost little time."""
_SOUND = re.compile(
    rb"(?:[^\\]++|\\(?:[^u]|u(?![dD][89a-fA-F])|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})){0,200000}+"
)
_LONE = re.compile(rb"\\u[dD](?:[c-fC-F][0-9a-fA-F]{2}|[89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F]))")
_ESCAPE = re.compile(
    rb"\\(?:[^u]|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u([dD][89a-fA-F][0-9a-fA-F]{2}))"
)
REPLACEMENT = rb"\ufffd"


def first_lone(line: bytes) -> str | None:
    r"""The first escape that is half of a pair, `\ud800` for example; `None` where none is found."""
    found = _next_lone(line, 0)
    return found[0].decode() if found is not None else None


def without_lone(line: bytes) -> bytes:
    """The line with `REPLACEMENT`, the character for what is no character, in the place of each, or of the first ones."""
    parts: list[bytes] = []
    at = 0
    while len(parts) < 2 * MOST and (found := _next_lone(line, at)) is not None:
        parts += [line[at : found.start()], REPLACEMENT]
        at = found.end()
    return b"".join((*parts, line[at:]))


def without_any_lone(text: bytes) -> bytes:
    """The text with `REPLACEMENT`, which is as long, in the place of each. It takes a step of Python for each escape."""
    return _ESCAPE.sub(lambda found: REPLACEMENT if found[1] else found[0], text)


def _next_lone(line: bytes, at: int) -> re.Match[bytes] | None:
    sound = _SOUND.match(line, at)
    assert sound is not None, "it may be empty"
    return _LONE.match(line, sound.end())
