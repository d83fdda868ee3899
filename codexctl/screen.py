"""The end of a terminal: output scrolls by, and the line being typed stays below it.

While nothing is typed, output flows as it comes and the input line is shown whenever the output stands at the
beginning of a line. While something is typed, or a question is open, only whole lines are let out above it.
"""

import errno
import os
import sys
import termios
import tty
from typing import Any, Self, TextIO

from codexctl.editor import Editor, Pressed
from codexctl.exits import Exit, Failure
from codexctl.keys import Key, KeyDecoder
from codexctl.render import Paint, columns, exact, terminal_width
from codexd.protocol.visible import plain

_PASTE_ON, _PASTE_OFF = "\x1b[?2004h", "\x1b[?2004l"


class Screen:
    """Raw from `__enter__` to `__exit__`: keys come one by one and are not echoed, Ctrl-C and Ctrl-Z still signal."""

    def __init__(self, out: TextIO, prompt: str = "> ") -> None:
        self.paint = Paint.of(out)
        self.editor = Editor()
        self.asks_key = False
        self._out = out
        self._input = sys.stdin.fileno()
        self._keys = KeyDecoder()
        self._prompt = prompt
        self._pending = ""
        self._is_mid_line = False
        self._is_open = False
        self._was_broken = False
        self._is_shown = False

    def __enter__(self) -> Self:
        self._saved = termios.tcgetattr(self._input)
        self.resume()
        return self

    def __exit__(self, *_: object) -> None:
        self.finish_line()
        self._hide()
        self._out.write(_PASTE_OFF)
        self._out.flush()
        self._set(self._saved)

    def resume(self) -> None:
        """Takes the terminal, at first and after having been stopped: others may have changed it meanwhile."""
        mode = termios.tcgetattr(self._input)
        mode[tty.LFLAG] &= ~(termios.ECHO | termios.ICANON)
        mode[tty.CC][termios.VMIN], mode[tty.CC][termios.VTIME] = 1, 0
        self._set(mode)
        self._out.write(_PASTE_ON)
        self._is_shown = False
        self._show()

    def _set(self, mode: list[Any]) -> None:
        """Changes the terminal. From the background that stops this program, until it is in the foreground (SIGTTOU)."""
        while True:
            try:
                termios.tcsetattr(self._input, termios.TCSANOW, mode)
            except termios.error as error:
                if error.args[0] == errno.EINTR:
                    continue
                raise Failure(Exit.FAILED, f"the terminal cannot be used: {error.args[1]}") from None
            return

    @property
    def width(self) -> int:
        return terminal_width(self._out)

    # Output

    def reply(self, text: str) -> None:
        """A piece of what Codex says."""
        self._write(plain(text))

    def end_reply(self) -> None:
        self.finish_line()

    def abandon_reply(self) -> None:
        """It stays on the screen; the note that follows tells that it is void."""
        self.finish_line()

    def note(self, text: str, *styles: str) -> None:
        """Lines about what goes on."""
        self.lines([self.paint(line, *styles) for line in plain(text).split("\n")])

    def lines(self, lines: list[str]) -> None:
        """Lines that are safe and painted."""
        self.finish_line()
        self._write("".join(line + "\n" for line in lines))

    def finish_line(self) -> None:
        """What comes next begins a line."""
        if self._is_mid_line:
            self._write("\n")

    def _write(self, text: str) -> None:
        if text:
            self._is_mid_line = not text.endswith("\n")
            self._pending += text
            self.refresh()

    def refresh(self) -> None:
        """Lets out what may be let out now, and draws the input line."""
        cut = self._pending.rfind("\n") + 1 if self._is_typing else len(self._pending)
        ready, self._pending = self._pending[:cut], self._pending[cut:]
        if ready:
            self._hide()
            # Typing has ended the line already, which the output ends now.
            self._out.write(ready[1:] if self._was_broken and ready.startswith("\n") else ready)
            self._was_broken = False
            self._is_open = not ready.endswith("\n")
        self._show()

    # Input

    def read(self) -> list[Key]:
        """The keys that were pressed; the end of the terminal is a `ctrl-d`."""
        try:
            chunk = os.read(self._input, 65536)
        except OSError:  # the terminal has gone, or belongs to a session that has ended
            chunk = b""
        return self._keys.feed(chunk) if chunk else [Key("ctrl-d")]

    def discard_typed(self) -> None:
        """Forgets keys that were pressed before what is shown now could have been read."""
        termios.tcflush(self._input, termios.TCIFLUSH)

    def press(self, key: Key) -> Pressed:
        """Gives a key to the line being typed."""
        pressed = self.editor.press(key)
        self.refresh()
        return pressed

    def take(self) -> str:
        """The finished line, which becomes part of the output."""
        shown = "•" * len(self.editor.text) if self.editor.is_secret else exact(self.editor.text)
        self._hide()
        self._out.write(self.paint(f"{self._prompt}{shown}", "bold") + "\n")
        text = self.editor.take()
        self.refresh()
        return text

    def ask(self, prompt: str, *, key: bool = False, secret: bool = False) -> None:
        """Changes what stands before the input: a question is open, whose answer is a key or a line."""
        if (prompt, key, secret) != (self._prompt, self.asks_key, self.editor.is_secret):
            self._prompt, self.asks_key, self.editor.is_secret = prompt, key, secret
            self.refresh()

    @property
    def _is_typing(self) -> bool:
        return bool(self.editor.text) or self.asks_key

    def _hide(self) -> None:
        if self._is_shown:
            self._out.write("\r\x1b[K")
            self._is_shown = False

    def _show(self) -> None:
        if self._is_open and self._is_typing:
            self._out.write("\n")
            self._is_open = False
            self._was_broken = True
        if not self._is_open:
            room = max(8, self.width - columns(self._prompt))
            text, cursor = self.editor.shown(room)
            back = columns(text) - cursor
            self._out.write(f"\r\x1b[K{self._prompt}{text}" + (f"\x1b[{back}D" if back else ""))
            self._is_shown = True
        self._out.flush()
