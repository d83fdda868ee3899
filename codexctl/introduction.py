"""What a client's own process would have told Codex by being where it is: put into the client's `initialize`.

Bare Codex has the directory and the `-c` overrides of whoever started it. A Codex that is shared hears of them in
`capabilities.codexd` of the connection: `{"cwd": DIRECTORY, "config": {KEY: VALUE}}`.
"""

import json
from collections.abc import Mapping

METHOD = b'"initialize"'
MAX_LINE_BYTES = 1024 * 1024
"""A longer line is no `initialize`, and passes through in pieces as it comes."""


class Introduction:
    """Passes a stream of bytes on as it is, but for the lines that are `initialize`: those tell `about` the client.

    Every such line is looked for, not the first alone: a client whose `initialize` was refused may try again.
    """

    def __init__(self, about: Mapping[str, object]) -> None:
        self._about = about
        self._held = b""
        self._in_long_line = False

    def feed(self, chunk: bytes) -> bytes:
        """Takes what came; returns what may go on: whole lines, and pieces of long ones."""
        passed = b""
        if self._in_long_line:
            end = chunk.find(b"\n") + 1
            if not end:
                return chunk
            passed, chunk = chunk[:end], chunk[end:]
            self._in_long_line = False
        lines, newline, rest = (self._held + chunk).rpartition(b"\n")
        passed += self._introduced(lines + newline)
        self._held = rest
        if len(rest) > MAX_LINE_BYTES:
            self._in_long_line = True
            passed += self.rest()
        return passed

    def rest(self) -> bytes:
        """What is held of a line that has not ended."""
        held, self._held = self._held, b""
        return held

    def _introduced(self, lines: bytes) -> bytes:
        if METHOD not in lines:
            return lines
        return b"\n".join(self._line(line) if METHOD in line else line for line in lines.split(b"\n"))

    def _line(self, line: bytes) -> bytes:
        """The line with the client's introduction; as it is when it is no `initialize`, or a wrong one.

        Wrong ones are left to whoever answers them: what Codex says of them is not for here to know.
        """
        try:
            message = json.loads(line.decode(), object_pairs_hook=_members)
            return _written(message) if self._introduce(message) else line
        except (ValueError, RecursionError):
            return line

    def _introduce(self, message: object) -> bool:
        """Adds the introduction; False when there is no place for it."""
        match message:
            case {"method": "initialize", "params": dict() as params}:
                capabilities = {} if params.get("capabilities") is None else params["capabilities"]
            case _:
                return False
        own = capabilities.get("codexd", {}) if isinstance(capabilities, dict) else None
        if not isinstance(own, dict):
            return False
        params["capabilities"] = {**capabilities, "codexd": {**self._about, **own}}
        return True


def _written(message: object) -> bytes:
    """Raises `ValueError` for a number that is none of JSON, as 1e999 becomes one when it is read."""
    return json.dumps(message, separators=(",", ":"), allow_nan=False).encode()


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Codex takes no object that has a member twice."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member stands twice")
    return found
