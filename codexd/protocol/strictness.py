"""What Codex would drop without a word: refused with a reason, so that every request has an answer.

Tried on 0.163 and 0.169. Codex says nothing to an id that is neither a string nor an int64, to a `trace` whose
members are no strings, to an error without an int64 `code` and a `message` or with one of them twice, to more than
127 levels of nesting, and to a member with one of the names by which its JSON library talks to itself.
"""

import re
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from codexd.protocol.errors import InvalidMessage
from codexd.protocol.members import INTEGER, decode, spans

MAX_DEPTH = 127
"""Levels of brackets in a whole line: Codex takes 127, and drops a line with 128 (0.163 and 0.171)."""

_Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


class _Trace(Struct):
    traceparent: str | None = None
    tracestate: str | None = None


class _Error(Struct):
    code: _Int64
    message: str
    data: Raw | UnsetType = UNSET


_trace = msgspec.json.Decoder(_Trace)
_error = msgspec.json.Decoder(_Error)
_string = msgspec.json.Decoder(str)


def _spelled(name: bytes) -> bytes:
    """A pattern for a name as JSON may write it: each character may be an escape."""
    return b"".join(rb"(?:%b|\\u00(?i:%02x))" % (re.escape(b"%c" % byte), byte) for byte in name)


_NOT_STRUCTURE = bytes(set(range(256)) - set(b'"[]{}'))
_STRINGS = re.compile(rb'"[^"]*+"')
_ALIKE = bytes.maketrans(b"{}", b"[]")
_PRIVATE_NAME = re.compile(
    rb'"%b(?:%b|%b)"[ \t\r\n]*:'
    % (_spelled(b"$serde_json::private::"), _spelled(b"Number"), _spelled(b"RawValue"))
)


def check_text(line: bytes) -> None:
    """Raises `InvalidMessage` for valid JSON that Codex can't read; `line` is a whole message."""
    if line.count(b"{") + line.count(b"[") > MAX_DEPTH and is_too_deep(line):
        raise InvalidMessage(f"the message is nested more than {MAX_DEPTH} levels deep")
    if has_private_name(line):
        raise InvalidMessage("Codex can't read a member named `$serde_json::private::…`")


def has_private_name(text: bytes) -> bool:
    """Whether a member has a name that Codex's JSON library keeps for itself."""
    may_have = b"$" in text or rb"\u0024" in text
    return may_have and _PRIVATE_NAME.search(text) is not None


def is_id(raw_id: bytes) -> bool:
    """Whether it is an id to Codex: a string, or an integer of 64 bits."""
    is_integer = INTEGER.fullmatch(raw_id) is not None and -(2**63) <= int(raw_id) < 2**63
    return is_integer or raw_id[:1] == b'"'


def is_same_id(one: bytes, other: bytes) -> bool:
    """Whether two ids are the same to Codex: a string may be written in several ways."""
    if one[:1] == b'"' == other[:1] and b"\\" in one + other:
        return _string.decode(one) == _string.decode(other)
    return one == other


def check_id(raw_id: bytes) -> None:
    """Raises `InvalidMessage` for an id that is none to Codex."""
    if not is_id(raw_id):
        raise InvalidMessage("`id` must be a string or a 64-bit integer")


def check_trace(trace: Raw) -> None:
    """Raises `InvalidMessage` for a `trace` with which Codex does not take the message for a request."""
    text = bytes(trace)
    try:
        if text != b"null":
            _trace.decode(text)
            spans(text, decode(text))
    except (msgspec.DecodeError, InvalidMessage):
        raise InvalidMessage(
            "`trace` must be an object with `traceparent` and `tracestate` as strings"
        ) from None


def check_error(error: Raw) -> None:
    """Raises `InvalidMessage` for an `error` that Codex does not take for one: it would go on waiting."""
    text = bytes(error)
    try:
        _error.decode(text)
        spans(text, decode(text))
    except (msgspec.DecodeError, InvalidMessage):
        raise InvalidMessage(
            "`error` must be an object with a 64-bit `code` and a `message`, once each"
        ) from None


def is_too_deep(line: bytes) -> bool:
    """Whether more than `MAX_DEPTH` brackets are open at once.

    Takes away the innermost brackets until none is left. A step of Python for each bracket took 16 s of 126 MiB.

    Of strings without brackets the quotes alone are left, and two side by side go without a change to what is inside.
    """
    if b"\\" in line:
        line = line.replace(b"\\\\", b"").replace(b'\\"', b"")
    brackets = line.translate(_ALIKE, _NOT_STRUCTURE).replace(b'""', b"")
    if b'"' in brackets:
        brackets = _STRINGS.sub(b"", brackets)
    for _ in range(MAX_DEPTH):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)
