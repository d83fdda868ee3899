"""One message: what a line is, and how its id is exchanged without touching the rest.

A line is read as an envelope. Only `id` and `method` are decoded; `params`, `result` and `error` stay the bytes they
were, and every member that nobody here has heard of travels along, because a message is passed on as its own line
with another id spliced in.

A long line has come reduced (`LongLine`): its message has the `bulk` that goes back into its line when that is written.

`parse` is strict, for what clients send: it refuses what Codex would drop without a word, so that every request has
an answer. `parse_codex` trusts the shape of what Codex sends and is the fast path of the fan-out.

What Codex drops silently (tried on 0.163 and 0.169): no JSON, no object, a known member twice, a `method` that is no
string, neither method nor result nor error, a lone surrogate escape anywhere, and what `strictness` lists. Invalid
UTF-8 makes it exit.
"""

from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from codexd.protocol import members, strictness, surrogates
from codexd.protocol.bulk import Bulk, LongLine
from codexd.protocol.encoding import encode as encode
from codexd.protocol.errors import InvalidMessage, NotJson, ProtocolError


class Request(Struct, frozen=True):
    """A call. `id` is the JSON text of the id; `id_at` is where it stands in `line`."""

    id: bytes
    method: str
    params: Raw | UnsetType
    line: bytes
    id_at: tuple[int, int]
    bulk: Bulk | None = None

    @property
    def size(self) -> int:
        """Its line in bytes, with what was taken out of it."""
        return len(self.line) if self.bulk is None else len(self.line) + self.bulk.size


class Notification(Struct, frozen=True):
    """A message that wants no answer."""

    method: str
    params: Raw | UnsetType
    line: bytes
    bulk: Bulk | None = None


class Response(Struct, frozen=True):
    """The answer to a request: its result."""

    id: bytes
    result: Raw
    line: bytes
    id_at: tuple[int, int]
    bulk: Bulk | None = None


class ErrorResponse(Struct, frozen=True):
    """The answer to a request: why it failed."""

    id: bytes
    error: Raw
    line: bytes
    id_at: tuple[int, int]
    bulk: Bulk | None = None


Message = Request | Notification | Response | ErrorResponse


_string = msgspec.json.Decoder(str)


def parse(line: bytes | LongLine) -> Message:
    """Reads what a client sent; raises `NotJson` or `InvalidMessage`, which carry the answer."""
    if isinstance(line, LongLine):
        if line.flaw is not None:
            raise line.flaw
        return _parsed(line.short, line.bulk)
    return _parsed(line, None)


def _parsed(line: bytes, bulk: Bulk | None) -> Message:
    try:
        line.decode()
        found = members.decode(line)
    except UnicodeDecodeError:
        raise NotJson("the line is not valid UTF-8") from None
    except msgspec.ValidationError:
        raise InvalidMessage(
            "a message is one JSON object; batches and bare values are not supported"
        ) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise _unreadable(line, error) from None
    try:
        spans = members.spans(line, found)
        strictness.check_text(line)
        if "id" in found:
            strictness.check_id(bytes(found["id"]))
        if "trace" in found:
            strictness.check_trace(found["trace"])
        return _classify(line, found, spans, bulk)
    except InvalidMessage as error:
        raise InvalidMessage(error.message, _id_to_answer(found)) from None


def _unreadable(line: bytes, error: Exception) -> ProtocolError:
    """What is wrong with a line that is no JSON, or that no text can be made of."""
    lone = surrogates.first_lone(line)
    if lone is None:
        return NotJson(f"the line is not valid JSON: {error}")
    message = f"`{lone}` is half of a surrogate pair, and no character: send both halves, or none"
    try:
        found = members.decode(surrogates.without_lone(line))
    except (msgspec.DecodeError, RecursionError):
        return InvalidMessage(message, members.leading_id(line))
    has_id = surrogates.REPLACEMENT not in bytes(found.get("id", b""))
    return InvalidMessage(message, _id_to_answer(found) if has_id else b"null")


def _classify(
    line: bytes, found: dict[str, Raw], spans: dict[str, tuple[int, int]], bulk: Bulk | None
) -> Message:
    if "method" in found:
        try:
            method = _string.decode(found["method"])
        except msgspec.DecodeError:
            raise InvalidMessage("`method` must be a string") from None
        params = found.get("params", UNSET)
        if "id" not in found:
            return Notification(method, params, line, bulk)
        return Request(bytes(found["id"]), method, params, line, spans["id"], bulk)
    if "id" in found and "result" in found:
        return Response(bytes(found["id"]), found["result"], line, spans["id"], bulk)
    if "id" in found and "error" in found:
        strictness.check_error(found["error"])
        return ErrorResponse(bytes(found["id"]), found["error"], line, spans["id"], bulk)
    raise InvalidMessage("a message needs a `method`, or an `id` with a `result` or an `error`")


def _id_to_answer(found: dict[str, Raw]) -> bytes:
    """The id of a request. An answer's id is not its sender's, who may have asked under the same one."""
    if "id" not in found or ("method" not in found and ("result" in found or "error" in found)):
        return b"null"
    try:
        strictness.check_id(bytes(found["id"]))
    except InvalidMessage:
        return b"null"
    return bytes(found["id"])


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
        line.decode()
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
    return members.spans(line, members.decode(line))["id"]


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


def own_request(raw_id: bytes, method: str, params: Any = None) -> Request:
    """A request of our own, as it would be read."""
    made = parse(request(raw_id, method, params))
    assert isinstance(made, Request), "it was made as one"
    return made


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
        return members.decode(raw)
    except msgspec.DecodeError:
        return {}


def is_object(raw: Raw | UnsetType) -> bool:
    """Whether it is there and an object."""
    return raw is not UNSET and bytes(memoryview(raw)[:1]) == b"{"


def gives(raw: Raw | UnsetType, member: str) -> bool:
    """Whether an object has this member, and not as null, which is the same to Codex as leaving it out."""
    return bytes(members_of(raw).get(member, b"null")) != b"null"


def without(message: Request, member: str) -> Request:
    """A request of Codex without one member of its `params`."""
    params = {name: value for name, value in members_of(message.params).items() if name != member}
    left = parse_codex(with_raw_params(message, params))
    assert isinstance(left, Request), "only its params were changed"
    return left


def with_params(message: Request, params: Raw) -> Request:
    """What a client sent, with other params in the place of its own. It may be a notification, which has no id."""
    line = with_raw_params(message, params)
    if not message.id:
        return Request(b"", message.method, params, line, message.id_at, message.bulk)
    new = _parsed(line, message.bulk)
    assert isinstance(new, Request), "only its params were changed"
    return new


def changed(message: Request, changes: dict[str, Any]) -> Request:
    """A client's request with some members of `params`, which is an object, replaced or added."""
    new = _parsed(rewritten(message, changes), message.bulk)
    assert isinstance(new, Request), "only members of its params were changed"
    return new


def with_method(message: Request, method: str) -> Request:
    """A client's request with another method; everything else is the same to the byte."""
    start, end = members.spans(message.line, members.decode(message.line))["method"]
    new = _parsed(message.line[:start] + encode(method) + message.line[end:], message.bulk)
    assert isinstance(new, Request), "only its method was changed"
    return new


def whole(message: Request) -> Request:
    """A client's request with nothing taken out of it. To read it takes the others' time."""
    if message.bulk is None:
        return message
    line = b"".join(message.bulk.restored(message.line))
    params = members.decode(line).get("params", UNSET)
    if not message.id:
        return Request(b"", message.method, params, line, message.id_at)
    new = _parsed(line, None)
    assert isinstance(new, Request), "it was read as one"
    return new


def rewritten(message: Notification | Request, changes: dict[str, Any]) -> bytes:
    """The message's line with some members of `params`, which is an object, replaced or added."""
    return with_raw_params(message, {**members_of(message.params), **changes})


def with_raw_params(message: Notification | Request, params: Raw | dict[str, Any]) -> bytes:
    """The message's line with other `params` in the place of its own; everything else is the same to the byte."""
    start, end = members.spans(message.line, members.decode(message.line))["params"]
    return message.line[:start] + encode(params) + message.line[end:]
