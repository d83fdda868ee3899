"""What a connection speaks: how messages lie in its bytes, one way and the other.

Clients speak JSON lines or WebSocket on the same socket. Behind a transport there are only lines: the core never
learns which of the two a client speaks.
"""

from collections.abc import Sequence
from typing import Protocol

from codexd.protocol.bulk import LongLine
from codexd.protocol.framing import TooLong
from codexd.protocol.long_lines import Unread

WEBSOCKET_BEGINNING = b"GET "
"""No JSON begins like this, and every WebSocket client does."""


class Framing(Protocol):
    """How lines become bytes for a client; one object for all clients that speak the same."""

    def chunk(self, lines: Sequence[bytes]) -> bytes:
        """The bytes of a burst, to be shared by all its recipients."""

    def end_of_begun(self, chunk: bytes, at: int) -> int:
        """Where the message ends of which a part stands before `at`; `at` itself when none has begun there."""

    def too_slow(self, sentence: str) -> bytes:
        """What a client is told last that is cut off because it does not read."""

    def failed(self, sentence: str) -> bytes:
        """What a client is told last that is let go of because of a mistake of codexd's own."""


class Transport(Protocol):
    """The bytes of one client: what comes is fed to it.

    `farewell` is set when nothing more is to be read from the client: what it is to be sent last, once it has been
    answered. `lingers`: whether who has closed only its sending side may still wait for answers.
    """

    framing: Framing
    farewell: bytes | None
    lingers: bool
    receive_bytes: int
    """How much is read at once: as much as may be taken apart before the others have their turn."""

    @property
    def buffered_bytes(self) -> int:
        """How much of an unfinished message is held."""

    def feed(self, chunk: bytes) -> Sequence[bytes | TooLong | LongLine | Unread]:
        """Takes the next bytes; returns the messages that they complete, each as one line."""

    def give_up(self) -> TooLong | None:
        """Treats the unfinished message as too long; None if there is none."""

    def going_away(self) -> bytes:
        """What the client is told last when codexd ends; nothing where there is no word for it."""


def is_undecided(beginning: bytes) -> bool:
    """Whether more has to come before it is known what the client speaks."""
    return len(beginning) < len(WEBSOCKET_BEGINNING) and WEBSOCKET_BEGINNING.startswith(beginning)
