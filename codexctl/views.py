"""Where a transcript is told: the interface, and its plain form for programs, pipes and `send`."""

import sys
from typing import Protocol, TextIO

from codexctl.render import Paint, plain


class View(Protocol):
    """Where a transcript is told."""

    def reply(self, text: str) -> None:
        """A piece of what Codex says, as it comes."""

    def end_reply(self) -> None:
        """A message of Codex is complete."""

    def note(self, text: str, *styles: str) -> None:
        """Lines about what goes on. The text may be foreign."""


class PlainView:
    """The reply alone on one stream, messages apart by an empty line; the notes on another."""

    def __init__(self, reply_to: TextIO | None = None, notes_to: TextIO | None = None) -> None:
        self._replies = reply_to or sys.stdout
        self._notes = notes_to or sys.stderr
        self._clean = plain if self._replies.isatty() else str
        self._paint = Paint.of(self._notes)
        self._is_mid_line = False
        self._ends_in_newline = False
        self._said = 0
        self._share_a_terminal = self._replies.isatty() and self._notes.isatty()

    def reply(self, text: str) -> None:
        if not text:
            return
        if not self._is_mid_line and self._said:
            self._replies.write("\n")
        self._replies.write(self._clean(text))
        self._replies.flush()
        self._is_mid_line = True
        self._ends_in_newline = text.endswith("\n")

    def end_reply(self) -> None:
        if self._is_mid_line:
            if not self._ends_in_newline:
                self._replies.write("\n")
            self._replies.flush()
            self._is_mid_line = False
            self._said += 1

    def note(self, text: str, *styles: str) -> None:
        shown = plain(text) if self._notes.isatty() else text
        if self._is_mid_line and self._share_a_terminal:
            self._notes.write("\n")
        for line in shown.split("\n"):
            print(self._paint(line, *styles), file=self._notes, flush=True)


class SilentView:
    """Tells nothing: the events themselves are printed."""

    def reply(self, text: str) -> None:
        pass

    def end_reply(self) -> None:
        pass

    def note(self, text: str, *styles: str) -> None:
        pass
