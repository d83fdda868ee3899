"""Bytes from a terminal to keys."""

import codecs
import re
from typing import NamedTuple


class Key(NamedTuple):
    """One key: `name` is `text` for something to insert (`text` holds it, a whole paste at once), else the key's name."""

    name: str
    text: str = ""


_CONTROLS = {
    "\x01": "home",
    "\x02": "left",
    "\x04": "ctrl-d",
    "\x05": "end",
    "\x06": "right",
    "\x08": "backspace",
    "\x0a": "enter",
    "\x0b": "ctrl-k",
    "\x0d": "enter",
    "\x0e": "down",
    "\x10": "up",
    "\x15": "ctrl-u",
    "\x17": "ctrl-w",
    "\x7f": "backspace",
}
_SEQUENCES = {
    "A": "up",
    "B": "down",
    "C": "right",
    "D": "left",
    "H": "home",
    "F": "end",
    "1~": "home",
    "3~": "delete",
    "4~": "end",
    "7~": "home",
    "8~": "end",
}
_SEQUENCE = re.compile(r"\x1b(?:\[([0-9;?]*[ -/]*[@-~])|O([@-~]))")
_UNFINISHED = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*|O)?\Z")
_PASTE_BEGIN, _PASTE_END = "\x1b[200~", "\x1b[201~"


class KeyDecoder:
    """Keys out of chunks: UTF-8, escape sequences and pastes may be split anywhere between two."""

    def __init__(self) -> None:
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def feed(self, chunk: bytes) -> list[Key]:
        text = self._rest + self._utf8.decode(chunk)
        keys: list[Key] = []
        at = 0
        while at < len(text):
            key, step = self._next(text, at)
            if step == 0:
                break
            at += step
            if key is not None:
                keys.append(key)
        self._rest = text[at:]
        return keys

    def _next(self, text: str, at: int) -> tuple[Key | None, int]:
        """The key that begins at `at`, if it means anything, and its length; 0 while it is not complete."""
        if text.startswith(_PASTE_BEGIN, at):
            begin = at + len(_PASTE_BEGIN)
            end = text.find(_PASTE_END, begin)
            if end < 0:
                return None, 0
            pasted = text[begin:end].replace("\r\n", "\n").replace("\r", "\n")
            return Key("text", pasted), end + len(_PASTE_END) - at
        if sequence := _SEQUENCE.match(text, at):
            name = _SEQUENCES.get(sequence[1] or sequence[2])
            return (Key(name) if name else None), len(sequence[0])
        if _UNFINISHED.match(text, at):
            return None, 0
        character = text[at]
        if character in _CONTROLS:
            return Key(_CONTROLS[character]), 1
        return (Key("text", character) if character.isprintable() or character == "\t" else None), 1
