"""What Codex says on stderr: line by line into the log, each line bounded and harmless to look at."""

import codecs
import logging
import re

from codexd.protocol.framing import LineSplitter, TooLong

MAX_LINE_BYTES = 2000
LOGGER_NAME = "codexd.codex"

_TERMINAL_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_logger = logging.getLogger(LOGGER_NAME)


class StderrLog:
    """Takes the bytes as they come."""

    def __init__(self) -> None:
        self._splitter = LineSplitter(MAX_LINE_BYTES)
        self._last_line = ""
        self._last_error = ""

    @property
    def explanation(self) -> str:
        """The line that tells most of why a Codex ended: its last `Error: ...`, else its last one of all.

        After the `Error:` comes a backtrace without names (seen on 0.163).
        """
        return self._last_error or self._last_line

    def feed(self, chunk: bytes) -> None:
        """Logs the lines that this chunk completes; a line that is too long is cut and logged at once."""
        try:
            for line in self._splitter.feed(chunk):
                if isinstance(line, TooLong):
                    self._log(_text(line.head[:MAX_LINE_BYTES]) + "…")
                else:
                    self._log(_text(line))
        except MemoryError:
            _logger.warning("part of Codex's stderr is missing here: there was no memory for it")

    def end(self) -> None:
        """Logs what stands there without an end of line."""
        self.feed(b"\n")

    def _log(self, text: str) -> None:
        self._last_line = text
        if text.lower().startswith("error:"):
            self._last_error = text
        _logger.info("%s", text)


def _text(line: bytes) -> str:
    """The line without what would steer a terminal; a character that was cut in the middle is left out."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    return _TERMINAL_CONTROL.sub("", decoder.decode(line)).strip()
