"""One line of the observability log: what is said there of one message of Codex."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from codexd.protocol import messages
from codexd.protocol.errors import ProtocolError
from codexd.protocol.messages import ErrorResponse, Message, Notification, Request, Response
from codexd.routing.effects import Observed
from codexd.runtime.redaction import redacted

MAX_CONTENT_BYTES = 64 * 1024
"""The content of a longer message is left out: it would be most of the file, and the time to look for secrets in it."""
MAX_NAME_LENGTH = 200
"""Of methods and ids; what is longer is no name."""

_Name = Annotated[str, Meta(max_length=MAX_NAME_LENGTH)]


class _Named(Struct, rename="camel"):
    """The ids in params and results."""

    thread_id: _Name | None = None
    turn_id: _Name | None = None
    item_id: _Name | None = None


class _Thing(Struct):
    id: _Name | None = None


class _Body(_Named):
    """The same where the thing itself stands in place of its id."""

    thread: _Thing | None = None
    turn: _Thing | None = None
    item: _Thing | None = None


class _Line(Struct, rename="camel"):
    """A line as it is written; what is UNSET is left out."""

    time: datetime
    kind: str
    method: str | UnsetType = UNSET
    id: Raw | UnsetType = UNSET
    thread_id: str | UnsetType = UNSET
    turn_id: str | UnsetType = UNSET
    item_id: str | UnsetType = UNSET
    seq: int | None = None
    bytes: int | UnsetType = UNSET
    params: Any = UNSET
    error: Any = UNSET
    omitted: bool | UnsetType = UNSET


_KINDS = {Notification: "notification", Request: "request", Response: "response", ErrorResponse: "error"}
_bodies = tuple(map(msgspec.json.Decoder, (_Body, _Named)))
_NAMELESS = _Named()
_encode = msgspec.json.encode


def of_message(observed: Observed, with_content: bool) -> bytes:
    """The line, with its line feed: one JSON object.

    `time` (RFC 3339, UTC), `kind` (notification, request, response, error, unreadable), `method` (of an answer: that of
    the request, where codexd has made it), `id` (as Codex writes it), `threadId`, `turnId`, `itemId` (where the message
    has them), `seq` (null: not numbered), `bytes`, and with content `params` or `error`, without secrets, or `omitted`.
    Results have no content here: they are files, accounts, configurations.
    """
    size = len(observed.line)
    try:
        message = observed.message or messages.parse_codex(observed.line)
    except ProtocolError:
        return _encode(_Line(_time(observed.at), "unreadable", bytes=size)) + b"\n"
    line = _Line(_time(observed.at), _KINDS[type(message)], seq=observed.seq, bytes=size)
    if isinstance(message, Notification):
        line.method = message.method[:MAX_NAME_LENGTH]
    else:
        line.id = _id(message.id)
        line.method = _method(message, observed)
    _name(line, message)
    if with_content:
        _add_content(line, message)
    return _encode(line) + b"\n"


def of_dropped(at: float, count: int) -> bytes:
    """The line that stands for messages that are not in the log: it could not be written fast enough, or at all."""
    return _encode({"time": _time(at), "kind": "dropped", "count": count}) + b"\n"


@lru_cache(8)  # what came in one burst has one time
def _time(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def _id(text: bytes) -> Raw:
    """The id of a request: a string or a number, and nothing to hide a content in."""
    return Raw(text if text[:1] in b'"-0123456789' and len(text) <= MAX_NAME_LENGTH else b"null")


def _method(message: Message, observed: Observed) -> str | UnsetType:
    method = message.method if isinstance(message, Request) else observed.method
    return UNSET if method is None else method[:MAX_NAME_LENGTH]


def _name(line: _Line, message: Message) -> None:
    found = _body(message)
    line.thread_id = found.thread_id or UNSET
    line.turn_id = found.turn_id or UNSET
    line.item_id = found.item_id or UNSET
    if isinstance(found, _Body):
        if found.thread is not None:
            line.thread_id = line.thread_id or found.thread.id or UNSET
        if found.turn is not None:
            line.turn_id = line.turn_id or found.turn.id or UNSET
        if found.item is not None:
            line.item_id = line.item_id or found.item.id or UNSET


def _body(message: Message) -> _Named:
    """The ids in it; none where there is no object, or one of a make that nobody has heard of."""
    if isinstance(message, ErrorResponse):
        return _NAMELESS
    body = message.result if isinstance(message, Response) else message.params
    if body is UNSET:
        return _NAMELESS
    for decoder in _bodies:
        try:
            return decoder.decode(body)
        except (msgspec.DecodeError, RecursionError):
            continue
    return _NAMELESS


def _add_content(line: _Line, message: Message) -> None:
    if isinstance(message, Response):
        return
    content = message.error if isinstance(message, ErrorResponse) else message.params
    if content is UNSET:
        return
    if len(message.line) > MAX_CONTENT_BYTES:
        line.omitted = True
        return
    try:
        clean = redacted(msgspec.json.decode(content))
    except (msgspec.DecodeError, RecursionError):
        # JSON has numbers that Python has not, 1e999 is one: Codex passes on what a tool or the model wrote.
        line.omitted = True
        return
    if isinstance(message, ErrorResponse):
        line.error = clean
    else:
        line.params = clean
