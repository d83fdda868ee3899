"""JSON lines, the transport of clients that say nothing else."""

from collections.abc import Sequence

from codexd.protocol import messages
from codexd.protocol.errors import Code
from codexd.protocol.long_lines import LongLineSplitter
from codexd.runtime.transport import Framing


class LineFraming:
    """One message, one line feed."""

    def chunk(self, lines: Sequence[bytes]) -> bytes:
        """The lines, each with its line feed."""
        return b"\n".join([*lines, b""])

    def end_of_begun(self, chunk: bytes, at: int) -> int:
        """Behind the next line feed, unless the one before `at` was the last thing sent."""
        return at if chunk[at - 1 : at] == b"\n" else chunk.index(b"\n", at) + 1

    def too_slow(self, sentence: str) -> bytes:
        """One error that belongs to no request."""
        return messages.error(b"null", Code.TOO_SLOW, sentence) + b"\n"

    def failed(self, sentence: str) -> bytes:
        """One error that belongs to no request."""
        return messages.error(b"null", Code.INTERNAL_ERROR, sentence) + b"\n"


LINES = LineFraming()


class Lines(LongLineSplitter):
    """A client that speaks lines. Its end of file is not its end: `printf ... | nc -U` waits for answers."""

    framing: Framing = LINES
    farewell: bytes | None = None
    lingers = True
    receive_bytes = 64 * 1024

    def going_away(self) -> bytes:
        """Nothing: the end of a stream of lines is the end of the stream."""
        return b""
