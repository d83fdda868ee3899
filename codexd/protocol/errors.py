"""The errors of the wire, and the exceptions that carry them.

    CodexdError
    ├── ProtocolError      a peer broke the protocol; says what to answer it
    │   ├── NotJson            -32700
    │   ├── InvalidMessage     -32600
    │   ├── NotPermitted       -32051
    │   └── MessageTooLarge    -32053
    └── Unavailable        there is no codexd, or it has no Codex (clients raise it)

What is wrong with *us* is an `AssertionError`, never one of these. Codes from -32050 to -32053 are codexd's own;
every other error of the wire is Codex's and passes through as it is.
"""

from enum import IntEnum


class Code(IntEnum):
    """JSON-RPC error codes. Codex uses -32600 for almost everything, an unknown method included."""

    PARSE_ERROR = -32700
    INVALID_REQUEST = -32600
    METHOD_NOT_FOUND = -32601
    INVALID_PARAMS = -32602
    INTERNAL_ERROR = -32603
    OVERLOADED = -32001
    CODEX_UNAVAILABLE = -32050
    NOT_PERMITTED = -32051
    TOO_SLOW = -32052
    TOO_LARGE = -32053


OVERLOADED_MESSAGE = "Server overloaded; retry later."
"""Codex's text for a request that it refused before looking at it; every other -32001 is something else."""
STALE_LOGIN = "the login has changed, and is taken up with a new Codex as soon as nothing is under way"
"""What `loginIsStale` of `codexd/status` means, for people."""
ACTIVE_WRITER = "already has an active writer"
"""In Codex's text for a request for a thread that another Codex process has; it begins with `thread ID`."""


class CodexdError(Exception):
    """Everything that codexd and codexctl raise on purpose."""


class ProtocolError(CodexdError):
    """A peer sent what the protocol does not allow.

    `code` and the message are what to answer; `raw_id` is the id to answer under, as the JSON text it was sent as,
    or `null` when there is none that a peer could mean.
    """

    code = Code.INVALID_REQUEST

    def __init__(self, message: str, raw_id: bytes = b"null") -> None:
        super().__init__(message)
        self.message = message
        self.raw_id = raw_id


class NotJson(ProtocolError):
    """The bytes are no JSON text in UTF-8."""

    code = Code.PARSE_ERROR


class InvalidMessage(ProtocolError):
    """JSON, but none that Codex would answer: it drops such a line without a word, so codexd says why."""

    code = Code.INVALID_REQUEST


class NotPermitted(ProtocolError):
    """A request that this client has no right to make."""

    code = Code.NOT_PERMITTED


class MessageTooLarge(ProtocolError):
    """A line longer than the limit, or than what may be buffered for all clients together."""

    code = Code.TOO_LARGE


class Unavailable(CodexdError):
    """codexd cannot be reached, or has no Codex and cannot get one. The message names the way out."""
