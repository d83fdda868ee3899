"""The few members of params and results that the core has to read."""

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType


class _ThreadOf(Struct, rename="camel"):
    thread_id: str | None = None
    conversation_id: str | None = None
    turn_id: str | None = None


class Turn(Struct):
    """A turn, as far as its state goes."""

    id: str
    status: str | None = None


class Thread(Struct, rename="camel"):
    """A thread as Codex describes it in an answer. `turns` only where the asker wanted them."""

    id: str
    ephemeral: bool = False
    parent_thread_id: str | None = None
    turns: list[Turn] = []


class _ThreadResult(Struct):
    thread: Thread


class _StatusResult(Struct):
    status: str


class _TurnResult(Struct):
    turn: Turn


class _Status(Struct):
    type: str


class _StatusParams(Struct, rename="camel"):
    thread_id: str
    status: _Status


class _TurnsResult(Struct):
    data: list[Raw]


class _TurnParams(Struct, rename="camel"):
    thread_id: str
    turn: Turn


class Resolved(Struct, rename="camel"):
    """The params of `serverRequest/resolved`; `request_id` is Codex's own id for the request."""

    thread_id: str
    request_id: Raw


class _Item(Struct, frozen=True):
    id: str | None = None


class _ItemParams(Struct, frozen=True, rename="camel"):
    item: _Item = _Item()
    item_id: str | None = None


class _ItemEvent(Struct):
    params: _ItemParams = _ItemParams()


class _Started(Struct):
    thread: Thread


class _ErrorBody(Struct):
    code: int
    message: str


_thread_of = msgspec.json.Decoder(_ThreadOf)
_thread_result = msgspec.json.Decoder(_ThreadResult)
_status_result = msgspec.json.Decoder(_StatusResult)
_turn_result = msgspec.json.Decoder(_TurnResult)
_turn_params = msgspec.json.Decoder(_TurnParams)
_turn = msgspec.json.Decoder(Turn)
_turns_result = msgspec.json.Decoder(_TurnsResult)
_status_params = msgspec.json.Decoder(_StatusParams)
_resolved = msgspec.json.Decoder(Resolved)
_item_event = msgspec.json.Decoder(_ItemEvent)
_item_params = msgspec.json.Decoder(_ItemParams)
_started = msgspec.json.Decoder(_Started)
_error_body = msgspec.json.Decoder(_ErrorBody)


def thread_id(params: Raw | UnsetType) -> str | None:
    """The thread that params name; `None` where there is none or it is no string, which Codex will complain of."""
    return thread_and_turn(params)[0]


def thread_and_turn(params: Raw | UnsetType) -> tuple[str | None, str | None]:
    """The thread and the turn that params name; v1 approvals say `conversationId`."""
    if params is UNSET:
        return None, None
    try:
        found = _thread_of.decode(params)
    except msgspec.DecodeError:
        return None, None
    return found.thread_id or found.conversation_id or None, found.turn_id


def thread_of_result(result: Raw) -> Thread | None:
    """`result.thread` of the answer to `thread/start`, `resume`, `fork` or `read`."""
    try:
        return _thread_result.decode(result).thread
    except msgspec.DecodeError:
        return None


def status_of_result(result: Raw) -> str | None:
    """`result.status` of the answer to `thread/unsubscribe`."""
    try:
        return _status_result.decode(result).status
    except msgspec.DecodeError:
        return None


def turn_of_result(result: Raw) -> Turn | None:
    """`result.turn` of the answer to `turn/start` and its like."""
    try:
        return _turn_result.decode(result).turn
    except msgspec.DecodeError:
        return None


def turn_of(params: Raw | UnsetType) -> tuple[str, Turn] | None:
    """The thread and the turn of `turn/started` and `turn/completed`."""
    try:
        found = _turn_params.decode(params if not isinstance(params, UnsetType) else b"null")
    except msgspec.DecodeError:
        return None
    return found.thread_id, found.turn


def turns_of_result(result: Raw) -> list[tuple[Turn, Raw]]:
    """The turns of the answer to `thread/turns/list`, each with what Codex says of it; none if it can't be read."""
    try:
        return [(_turn.decode(described), described) for described in _turns_result.decode(result).data]
    except msgspec.DecodeError:
        return []


def status_of(params: Raw | UnsetType) -> tuple[str, str] | None:
    """The thread and its status, as `thread/status/changed` says it."""
    try:
        found = _status_params.decode(params if not isinstance(params, UnsetType) else b"null")
    except msgspec.DecodeError:
        return None
    return found.thread_id, found.status.type


def resolved(params: Raw | UnsetType) -> Resolved | None:
    """What `serverRequest/resolved` says."""
    try:
        return _resolved.decode(params if not isinstance(params, UnsetType) else b"null")
    except msgspec.DecodeError:
        return None


def item(params: Raw | UnsetType) -> str | None:
    """The item that params are about, described or named."""
    try:
        found = _item_params.decode(params if not isinstance(params, UnsetType) else b"null")
    except msgspec.DecodeError:
        return None
    return found.item.id or found.item_id


def item_of(line: bytes) -> str | None:
    """The item that a notification is about."""
    try:
        found = _item_event.decode(line).params
    except msgspec.DecodeError:
        return None
    return found.item.id or found.item_id


def started(params: Raw | UnsetType) -> Thread | None:
    """The thread of `thread/started`, which names it in no other way."""
    try:
        return _started.decode(params if not isinstance(params, UnsetType) else b"null").thread
    except msgspec.DecodeError:
        return None


def error_body(error: Raw) -> tuple[int, str]:
    """Code and message of an error; `(0, "")` for one without."""
    try:
        body = _error_body.decode(error)
    except msgspec.DecodeError:
        return 0, ""
    return body.code, body.message
