"""One message: what a line is, and how its id is exchanged without touching the rest.

A line is read as an envelope. Only `id` and `method` are decoded; `params`, `result` and `error` stay the bytes they
were, and every member that nobody here has heard of travels along, because a message is passed on as its own line
with another id spliced in.

`parse` is strict, for what clients send: it refuses what Codex would drop without a word, so that every request has
an answer. `parse_codex` trusts the shape of what Codex sends and is the fast path of the fan-out.

What Codex drops silently (tried on 0.163 and 0.169): no JSON, no object, an id that is no string and no int64, a
known member twice, a `method` that is no string, neither method nor result nor error, a `trace` whose members are no
strings, more than about 127 levels of nesting, a lone surrogate escape anywhere. Invalid UTF-8 makes it exit.
"""

import json
import re
from array import array
from itertools import accumulate
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from codexd.protocol.errors import InvalidMessage, NotJson

MAX_DEPTH = 100


class Request(Struct, frozen=True):
    """A call. `id` is the JSON text of the id; `id_at` is where it stands in `line`."""

    id: bytes
    method: str
    params: Raw | UnsetType
    line: bytes
    id_at: tuple[int, int]


class Notification(Struct, frozen=True):
    """A message that wants no answer."""

    method: str
    params: Raw | UnsetType
    line: bytes


class Response(Struct, frozen=True):
    """The answer to a request: its result."""

    id: bytes
    result: Raw
    line: bytes
    id_at: tuple[int, int]


class ErrorResponse(Struct, frozen=True):
    """The answer to a request: why it failed."""

    id: bytes
    error: Raw
    line: bytes
    id_at: tuple[int, int]


Message = Request | Notification | Response | ErrorResponse


class ErrorObject(Struct):
    """The `error` member: what Codex requires of it, and what it carries."""

    code: int
    message: str
    data: Raw | UnsetType = UNSET


class _Trace(Struct):
    traceparent: str | None = None
    tracestate: str | None = None


_members = msgspec.json.Decoder(dict[str, Raw])
_string = msgspec.json.Decoder(str)
_trace = msgspec.json.Decoder(_Trace | None)
_error = msgspec.json.Decoder(ErrorObject)
encode = msgspec.json.encode

_KEY = re.compile(rb'[ \t\r\n]*"((?:[^"\\]|\\.)*)"[ \t\r\n]*:[ \t\r\n]*')
_SEPARATOR = re.compile(rb"[ \t\r\n]*([,}])")
_INTEGER = re.compile(rb"-?(?:0|[1-9][0-9]{0,18})")
_STRINGS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_DEPTH_CHANGE = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_SCALAR_MEMBER = re.compile(
    rb'[ \t\r]*"((?:[^"\\]|\\.)*)"[ \t\r]*:[ \t\r]*("(?:[^"\\]|\\.)*"|[-+.0-9eE]+|true|false|null)[ \t\r]*,'
)


def parse(line: bytes) -> Message:
    """Reads what a client sent; raises `NotJson` or `InvalidMessage`, which carry the answer."""
    try:
        line.decode()
        members = _members.decode(line)
    except UnicodeDecodeError:
        raise NotJson("the line is not valid UTF-8") from None
    except msgspec.ValidationError:
        raise InvalidMessage(
            "a message is one JSON object; batches and bare values are not supported"
        ) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise NotJson(f"the line is not valid JSON: {error}") from None
    spans = _member_spans(line, members)
    raw_id = _checked_id(members)
    _check_depth(line, raw_id)
    _check_trace(members, raw_id)
    return _classify(line, members, spans, raw_id)


def _classify(
    line: bytes, members: dict[str, Raw], spans: dict[str, tuple[int, int]], raw_id: bytes | None
) -> Message:
    if "method" in members:
        try:
            method = _string.decode(members["method"])
        except msgspec.DecodeError:
            raise InvalidMessage("`method` must be a string", raw_id or b"null") from None
        params = members.get("params", UNSET)
        if raw_id is None:
            return Notification(method, params, line)
        return Request(raw_id, method, params, line, spans["id"])
    if raw_id is None:
        raise InvalidMessage("a message needs a `method`, or an `id` with a `result` or an `error`")
    if "result" in members:
        return Response(raw_id, members["result"], line, spans["id"])
    if "error" in members:
        try:
            _error.decode(members["error"])
        except msgspec.DecodeError:
            raise InvalidMessage("`error` must be an object with a numeric `code` and a `message`") from None
        return ErrorResponse(raw_id, members["error"], line, spans["id"])
    raise InvalidMessage("a message needs a `method`, a `result` or an `error`", raw_id)


def _checked_id(members: dict[str, Raw]) -> bytes | None:
    if "id" not in members:
        return None
    raw_id = bytes(members["id"])
    if raw_id[:1] == b'"' or (_INTEGER.fullmatch(raw_id) and -(2**63) <= int(raw_id) < 2**63):
        return raw_id
    raise InvalidMessage("`id` must be a string or a 64-bit integer")


def _check_depth(line: bytes, raw_id: bytes | None) -> None:
    if line.count(b"{") + line.count(b"[") <= MAX_DEPTH:
        return
    brackets = _STRINGS.sub(b"", line).translate(_DEPTH_CHANGE, _NOT_BRACKETS)
    if max(accumulate(array("b", brackets)), default=0) > MAX_DEPTH:
        raise InvalidMessage(f"the message is nested more than {MAX_DEPTH} levels deep", raw_id or b"null")


def _check_trace(members: dict[str, Raw], raw_id: bytes | None) -> None:
    if "trace" not in members:
        return
    try:
        _trace.decode(members["trace"])
        _member_spans(bytes(members["trace"]), _members.decode(members["trace"]))
    except (msgspec.DecodeError, InvalidMessage):
        if bytes(members["trace"]) != b"null":
            raise InvalidMessage(
                "`trace` must be an object with `traceparent` and `tracestate` as strings", raw_id or b"null"
            ) from None


def _member_spans(line: bytes, members: dict[str, Raw]) -> dict[str, tuple[int, int]]:
    """Where each member's value stands in the text of one object; a member that stands twice is refused.

    `members` is the same object as msgspec read it, so each value's length is known and nothing is parsed again. Of
    a member that stands twice `members` holds the last value, so the first either differs or its name comes again.
    """
    spans: dict[str, tuple[int, int]] = {}
    at = line.index(b"{") + 1
    if not members:
        return spans
    while True:
        key = _KEY.match(line, at)
        assert key is not None, "msgspec has read this object"
        name = _string.decode(b'"' + key[1] + b'"')
        value = bytes(members[name])
        start, at = key.end(), key.end() + len(value)
        separator = _SEPARATOR.match(line, at)
        if name in spans or line[start:at] != value or separator is None:
            raise InvalidMessage(f"the member {name!r} stands twice in the message", leading_id(line))
        spans[name] = (start, at)
        if separator[1] == b"}":
            return spans
        at = separator.end()


def leading_id(head: bytes) -> bytes:
    """The id of a message of which only the beginning is to be had, `null` if it does not stand there."""
    start = head.find(b"{") + 1
    while start and (member := _SCALAR_MEMBER.match(head, start)):
        if member[1] == b"id":
            text: bytes = member[2]
            return text if text[:1] == b'"' or _INTEGER.fullmatch(text) else b"null"
        start = member.end()
    return b"null"


class _Envelope(Struct):
    id: Raw | UnsetType = UNSET
    method: str | UnsetType = UNSET
    params: Raw | UnsetType = UNSET
    result: Raw | UnsetType = UNSET
    error: Raw | UnsetType = UNSET


_envelope = msgspec.json.Decoder(_Envelope)


def parse_codex(line: bytes) -> Message:
    """Reads what Codex sent; raises `NotJson` or `InvalidMessage` for a line that is none of its messages."""
    try:
        envelope = _envelope.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotJson(f"Codex sent a line that is not a message: {error}") from None
    if envelope.method is not UNSET and envelope.id is UNSET:
        return Notification(envelope.method, envelope.params, line)
    if envelope.id is UNSET:
        raise InvalidMessage("Codex sent a message with neither `method` nor `id`")
    raw_id = bytes(envelope.id)
    if envelope.method is not UNSET:
        return Request(raw_id, envelope.method, envelope.params, line, _locate_id(line, raw_id))
    if envelope.result is not UNSET:
        return Response(raw_id, envelope.result, line, _locate_id(line, raw_id))
    if envelope.error is not UNSET:
        return ErrorResponse(raw_id, envelope.error, line, _locate_id(line, raw_id))
    raise InvalidMessage("Codex sent a message with neither `method`, `result` nor `error`")


def _locate_id(line: bytes, raw_id: bytes) -> tuple[int, int]:
    """Where the id stands: first in Codex's results, last in its errors, anywhere else by reading the members."""
    if line.startswith(b'{"id":' + raw_id):
        return 6, 6 + len(raw_id)
    if line.endswith(b',"id":' + raw_id + b"}") and raw_id[:1] != b'"':
        return len(line) - 1 - len(raw_id), len(line) - 1
    return _member_spans(line, _members.decode(line))["id"]


def with_id(message: Request | Response | ErrorResponse, new_id: bytes) -> bytes:
    """The message's line with another id in the place of its own; everything else is the same to the byte."""
    start, end = message.id_at
    return message.line[:start] + new_id + message.line[end:]


def request(raw_id: bytes, method: str, params: Any = None) -> bytes:
    """The line of a request of our own. Codex wants `params` even where it takes none."""
    return b'{"id":%b,"method":%b,"params":%b}' % (
        raw_id,
        encode(method),
        encode({} if params is None else params),
    )


def notification(method: str, params: Any) -> bytes:
    """The line of a notification of our own."""
    return b'{"method":%b,"params":%b}' % (encode(method), encode(params))


def result(raw_id: bytes, value: Any) -> bytes:
    """The line of an answer of our own. `value` may hold `Raw`."""
    return b'{"id":%b,"result":%b}' % (raw_id, encode(value))


def error(raw_id: bytes, code: int, message: str, data: Any = None) -> bytes:
    """The line of an error of our own, in the order in which Codex writes it."""
    body = {"code": int(code), "message": message} | ({} if data is None else {"data": data})
    return b'{"error":%b,"id":%b}' % (encode(body), raw_id)


def members_of(raw: Raw | UnsetType) -> dict[str, Raw]:
    """The members of an object whose values stay raw; empty for anything that is no object."""
    if raw is UNSET:
        return {}
    try:
        return _members.decode(raw)
    except msgspec.DecodeError:
        return {}


def rewritten(message: Notification | Request, changes: dict[str, Any]) -> bytes:
    """The message's line with some members of `params` replaced or added; `params` must be an object.

    Everything else in the line stays as it is.
    """
    spans = _member_spans(message.line, members := _members.decode(message.line))
    start, end = spans["params"]
    params: dict[str, Any] = {**members_of(members["params"]), **changes}
    return message.line[:start] + encode(params) + message.line[end:]


def text_of(value: bytes | Raw) -> str:
    """A raw JSON value as Python text, for messages to people: a string without its quotes, the rest as written."""
    decoded = json.loads(bytes(value))
    return decoded if isinstance(decoded, str) else bytes(value).decode()
