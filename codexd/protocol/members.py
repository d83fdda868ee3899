"""Where the members of a JSON object stand in its text: so that one can be exchanged and the rest stay as it is."""

import re

import msgspec
from msgspec import Raw

from codexd.protocol.errors import InvalidMessage

MAX_MEMBERS = 1000
"""No message has a tenth of it, and each member costs time."""

INTEGER = re.compile(rb"-?(?:0|[1-9][0-9]{0,18})")

decode = msgspec.json.Decoder(dict[str, Raw]).decode
"""Reads an object whose values stay raw. Checks all of the text, the values too. Of a member that stands twice the
last one counts."""

# The quantifiers are possessive: `re` takes a hundred times a string's size to be able to go back in it.
_IN_STRING = rb'[^"\\]*+(?:\\.[^"\\]*+)*+'
_KEY = re.compile(rb'[ \t\r\n]*"(%b)"[ \t\r\n]*:[ \t\r\n]*' % _IN_STRING)
_SEPARATOR = re.compile(rb"[ \t\r\n]*([,}])")
_SCALAR_MEMBER = re.compile(
    rb'[ \t\r\n]*"(%b)"[ \t\r\n]*:[ \t\r\n]*("%b"|[-+.0-9eE]++|true|false|null)[ \t\r\n]*,'
    % (_IN_STRING, _IN_STRING)
)
_string = msgspec.json.Decoder(str)


def spans(text: bytes, members: dict[str, Raw]) -> dict[str, tuple[int, int]]:
    """Where each member's value stands in the text of one object; raises `InvalidMessage` for one that stands twice.

    `members` is the same object as `decode` read it, so each value's length is known and nothing is parsed again. Of
    a member that stands twice it holds the last value, so the first either differs or its name comes again.
    """
    if len(members) > MAX_MEMBERS:
        raise InvalidMessage(f"a message has at most {MAX_MEMBERS} members")
    compact = _spans_without_spaces(text, members)
    if compact is not None:
        return compact
    found: dict[str, tuple[int, int]] = {}
    at = text.index(b"{") + 1
    while members:
        key = _KEY.match(text, at)
        assert key is not None, "msgspec has read this object"
        name = _string.decode(b'"%b"' % key[1])
        value = bytes(members[name])
        start, at = key.end(), key.end() + len(value)
        separator = _SEPARATOR.match(text, at)
        if name in found or text[start:at] != value or separator is None:
            raise InvalidMessage(f"the member {name!r} stands twice in the message")
        found[name] = (start, at)
        if separator[1] == b"}":
            break
        at = separator.end()
    return found


def _spans_without_spaces(text: bytes, members: dict[str, Raw]) -> dict[str, tuple[int, int]] | None:
    """The same by counting, for an object written without spaces and escapes in its names; `None` for any other.

    Spaces, escapes, and a member that stands twice all make the text longer than what is counted here, and nothing
    makes it shorter: so equal lengths mean that there is none of them. Most messages are like that, and this is a
    fifth of the time.
    """
    found: dict[str, tuple[int, int]] = {}
    at = 1
    for name, value in members.items():
        start = at + len(name) + len('"":')
        at = start + len(value)
        found[name] = (start, at)
        at += 1
    return found if at == len(text) else None


def leading_id(head: bytes) -> bytes:
    """The id of a request of which only the beginning is to be had.

    `null` if it does not stand there, and for an answer, whose id is not one of the sender's own.
    """
    raw_id = b"null"
    at = head.find(b"{") + 1
    while at and (member := _SCALAR_MEMBER.match(head, at)):
        if member[1] == b"id" and _is_id(member[2]):
            raw_id = member[2]
        at = member.end()
    key = _KEY.match(head, at)
    return b"null" if key is not None and key[1] in (b"result", b"error") else raw_id


def _is_id(text: bytes) -> bool:
    return text[:1] == b'"' or INTEGER.fullmatch(text) is not None
