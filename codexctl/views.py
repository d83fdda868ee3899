"""Where a transcript is told: the interface, and its plain form for programs, pipes and `send`."""

import sys
from typing import Protocol, TextIO

from codexctl.render import Paint
from codexd.protocol.visible import plain


class View(Protocol):
    """Where a transcript is told."""

    def reply(self, text: str) -> None:
        """A piece of what Codex says, as it comes."""

    def end_reply(self) -> None:
        """A message of Codex is complete, or comes no further."""

    def abandon_reply(self) -> None:
        """What was said of the message is void: it begins anew."""

    def note(self, text: str, *styles: str) -> None:
        """Lines about what goes on. The text may be foreign."""


class PlainView:
    """The reply alone on one stream, messages apart by an empty line; the notes on another.

    A terminal is given the reply as it comes. Anything else is given each message once, when it is complete: what was
    written to a pipe cannot be taken back when Codex abandons its answer and begins anew.
    """

    def __init__(
        self, reply_to: TextIO | None = None, notes_to: TextIO | None = None, *, last_only: bool = False
    ) -> None:
        """`last_only`: of several messages only the last one is a reply, the others are notes. A terminal has all."""
        self._replies = reply_to or sys.stdout
        self._notes = notes_to or sys.stderr
        self._streams = self._replies.isatty()
        self._paint = Paint.of(self._notes)
        self._held: list[str] = []
        self._last: str | None = None
        self._last_only = last_only and not self._streams
        self._is_mid_line = False
        self._ends_in_newline = False
        self._said = 0
        self._share_a_terminal = self._replies.isatty() and self._notes.isatty()

    def reply(self, text: str) -> None:
        if not text:
            return
        if not self._streams:
            self._held.append(text)
            return
        if not self._is_mid_line and self._said:
            self._replies.write("\n")
        self._replies.write(plain(text))
        self._replies.flush()
        self._is_mid_line = True
        self._ends_in_newline = text.endswith("\n")

    def end_reply(self) -> None:
        if self._held:
            self._complete("".join(self._held))
            self._held.clear()
        elif self._is_mid_line:
            if not self._ends_in_newline:
                self._replies.write("\n")
            self._replies.flush()
            self._is_mid_line = False
            self._said += 1

    def abandon_reply(self) -> None:
        self._held.clear()
        self.end_reply()

    def finish(self) -> None:
        """Nothing more comes."""
        self.end_reply()
        if self._last is not None:
            self._write(self._last)
            self._last = None

    def _complete(self, message: str) -> None:
        if not self._last_only:
            self._write(message)
            return
        if self._last is not None:
            self.note(self._last, "dim")
        self._last = message

    def _write(self, message: str) -> None:
        apart = "\n" if self._said else ""
        self._replies.write(apart + message + ("" if message.endswith("\n") else "\n"))
        self._replies.flush()
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

    def abandon_reply(self) -> None:
        pass

    def finish(self) -> None:
        pass

    def note(self, text: str, *styles: str) -> None:
        pass
