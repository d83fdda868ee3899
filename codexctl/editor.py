"""One line of input: what is typed, where the cursor is, what was typed before."""

from typing import Literal, NamedTuple

from codexctl.keys import Key
from codexctl.render import columns, exact

Pressed = Literal["line", "end"] | None


class Shown(NamedTuple):
    """The part of the line that fits, and the column of the cursor in it."""

    text: str
    cursor: int


class Editor:
    """The line being typed. `press` says `line` when it is finished (`take` it), `end` for the end of input."""

    def __init__(self) -> None:
        self.text = ""
        self.is_secret = False
        self._cursor = 0
        self._history: list[str] = []
        self._at = 0
        self._draft = ""

    def press(self, key: Key) -> Pressed:
        match key.name:
            case "enter":
                return "line"
            case "ctrl-d" if not self.text:
                return "end"
            case "text":
                self._replace(self._cursor, self._cursor, key.text)
            case "left" | "right" | "home" | "end":
                self._move(key.name)
            case "up" | "down":
                self._recall(-1 if key.name == "up" else 1)
            case _:
                self._erase(key.name)
        return None

    def take(self) -> str:
        """The finished line; what follows is a new one. It is remembered unless it is secret."""
        taken = self.text
        if taken and not self.is_secret:
            self._history.append(taken)
        self.clear()
        return taken

    def clear(self) -> None:
        """Forgets what was typed."""
        self.text, self._cursor, self._draft = "", 0, ""
        self._at = len(self._history)

    def shown(self, width: int) -> Shown:
        """What to show in `width` columns: the line's part around the cursor; line feeds as `⏎`, secrets as `•`."""
        if self.is_secret:
            before, after = "•" * self._cursor, "•" * (len(self.text) - self._cursor)
        else:
            before, after = (
                exact(part.replace("\n", "⏎"))
                for part in (self.text[: self._cursor], self.text[self._cursor :])
            )
        before, after = before[-width:], after[:width]
        while columns(before) >= width:
            before = before[1:]
        while columns(before) + columns(after) >= width:
            after = after[:-1]
        return Shown(before + after, columns(before))

    def _replace(self, begin: int, end: int, text: str) -> None:
        self.text = self.text[:begin] + text + self.text[end:]
        self._cursor = begin + len(text)

    def _move(self, name: str) -> None:
        steps = {"left": self._cursor - 1, "right": self._cursor + 1, "home": 0, "end": len(self.text)}
        self._cursor = min(max(0, steps[name]), len(self.text))

    def _erase(self, name: str) -> None:
        before = self.text[: self._cursor]
        word = len(before.rstrip()) - len(before.rstrip().rpartition(" ")[2])
        spans = {
            "backspace": (max(0, self._cursor - 1), self._cursor),
            "delete": (self._cursor, self._cursor + 1),
            "ctrl-d": (self._cursor, self._cursor + 1),
            "ctrl-k": (self._cursor, len(self.text)),
            "ctrl-u": (0, self._cursor),
            "ctrl-w": (word, self._cursor),
        }
        self._replace(*spans[name], "")

    def _recall(self, step: int) -> None:
        at = self._at + step
        if self.is_secret or not 0 <= at <= len(self._history):
            return
        if self._at == len(self._history):
            self._draft = self.text
        self._at = at
        self.text = self._draft if at == len(self._history) else self._history[at]
        self._cursor = len(self.text)
