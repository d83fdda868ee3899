"""The few members of params and results that the core has to read.

Thread ids come out in their canonical form, however the sender spelled them.
"""

import re

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from codexd.protocol.members import decode as decode_members
from codexd.protocol.thread_ids import canonical


class _ThreadOf(Struct, rename="camel"):
    thread_id: str | None = None
    conversation_id: str | None = None
    turn_id: str | None = None

    @property
    def thread(self) -> str | None:
        named = self.thread_id or self.conversation_id
        return canonical(named) if named else None


class _Rollout(Struct):
    path: str | None = None


class Turn(Struct, rename="camel"):
    """A turn, as far as its state goes."""

    id: str
    status: str | None = None
    root_turn_id: str | None = None


class Thread(Struct, rename="camel"):
    """A thread as Codex describes it in an answer. `turns` only where the asker wanted them."""

    id: str
    ephemeral: bool = False
    parent_thread_id: str | None = None
    turns: list[Turn] = []

    def __post_init__(self) -> None:
        self.id = canonical(self.id)
        if self.parent_thread_id is not None:
            self.parent_thread_id = canonical(self.parent_thread_id)


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


class _ThreadStatus(Struct):
    status: _Status


class _ThreadStatusResult(Struct):
    thread: _ThreadStatus


class _TurnsResult(Struct):
    data: list[Raw]


class _TurnParams(Struct, rename="camel"):
    thread_id: str
    turn: Turn


class Resolved(Struct, rename="camel"):
    """The params of `serverRequest/resolved`; `request_id` is Codex's own id for the request."""

    thread_id: str
    request_id: Raw

    def __post_init__(self) -> None:
        self.thread_id = canonical(self.thread_id)


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


_ROLLOUT_NAME = re.compile(
    r"(?:.*/)?rollout-.*-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.jsonl(?:\.zst)?", re.DOTALL
)
"""The name of the file in which Codex keeps a thread ends with the thread's id."""

_text = msgspec.json.Decoder(str)
_thread_of = msgspec.json.Decoder(_ThreadOf)
_rollout = msgspec.json.Decoder(_Rollout)
_thread_status_result = msgspec.json.Decoder(_ThreadStatusResult)
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
    except msgspec.ValidationError:
        found = _one_by_one(params)
    return found.thread, found.turn_id


def _one_by_one(params: Raw) -> _ThreadOf:
    """The members that can be read, where another can't.

    Codex leaves aside what it does not know: `{"threadId":"T","turnId":5}` is a good `thread/unsubscribe` (0.163, 0.171).
    """
    try:
        given = decode_members(params)
    except msgspec.DecodeError:
        return _ThreadOf()
    return _ThreadOf(*(_text_of(given.get(name)) for name in _ThreadOf.__struct_encode_fields__))


def _text_of(raw: Raw | None) -> str | None:
    try:
        return _text.decode(raw if raw is not None else b"null")
    except msgspec.DecodeError:
        return None


def thread_of_rollout(params: Raw | UnsetType) -> str | None:
    """The thread whose rollout `path` names. It counts for a resume or fork, and not their `threadId` (0.163, 0.171)."""
    try:
        path = _rollout.decode(params if not isinstance(params, UnsetType) else b"null").path
    except msgspec.DecodeError:
        return None
    found = _ROLLOUT_NAME.fullmatch(path or "")
    return found[1] if found is not None else None


def thread_of_result(result: Raw) -> Thread | None:
    """`result.thread` of the answer to `thread/start`, `resume`, `fork` or `read`."""
    try:
        return _thread_result.decode(result).thread
    except msgspec.DecodeError:
        return None


def thread_status_of_result(result: Raw) -> str | None:
    """`result.thread.status.type` of the answer to `thread/read`."""
    try:
        return _thread_status_result.decode(result).thread.status.type
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
    return canonical(found.thread_id), found.turn


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
    return canonical(found.thread_id), found.status.type


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
