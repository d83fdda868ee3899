"""Long messages as a client may send them, in miniature: what counts as long is as long as the test says."""

import json
from typing import Any

from hypothesis import strategies as st

from codexd.protocol.bulk import LongLine
from codexd.protocol.framing import TooLong
from codexd.protocol.reducer import Reducer
from tests.protocol.strategies import ids, spelled, text

_PIECES = ("a", '"', "\\", "[", "]", "{", "}", ",", ":", "é", "😀", "\x01", "$", "x" * 20, "y" * 90)
long_text = st.lists(st.sampled_from(_PIECES), max_size=12).map("".join)
_scalars = st.none() | st.booleans() | st.integers() | text | long_text
long_values: st.SearchStrategy[Any] = st.recursive(
    _scalars,
    lambda inner: (
        st.lists(inner, max_size=8) | st.dictionaries(text | long_text, inner, max_size=6) | st.just([1] * 70)
    ),
    max_leaves=16,
)
_BLANKS = ("", "", "", " ", "\t\r", " " * 50)


@st.composite
def _put(draw: st.DrawFn, value: Any) -> str:
    """A value as text, with white space anywhere."""
    blank = draw(st.sampled_from(_BLANKS))
    match value:
        case list():
            parts = [draw(_put(each)) for each in value]
            return f"{blank}[{f'{blank},'.join(parts)}{blank}]"
        case dict():
            parts = [
                f"{blank}{draw(spelled(name))}{blank}:{draw(_put(each))}" for name, each in value.items()
            ]
            return f"{blank}{{{f'{blank},'.join(parts)}{blank}}}"
        case _:
            return f"{blank}{draw(spelled(value))}"


@st.composite
def long_requests(draw: st.DrawFn) -> bytes:
    """A good request, most often a long one."""
    members = {"id": draw(ids), "method": draw(text), "params": draw(long_values), "new": draw(long_values)}
    ordered = {name: members[name] for name in draw(st.permutations(sorted(members)))}
    return draw(_put(ordered)).encode()


def reduced(line: bytes, slice_bytes: int = 16, piece_bytes: int = 10) -> bytes | LongLine:
    """The line, as it is when it has come in pieces of this size."""
    reducer = Reducer(slice_bytes)
    last = len(line) - len(line) % piece_bytes
    for at in range(0, last, piece_bytes):
        reducer.feed(line[at : at + piece_bytes])
    return reducer.finish(line[last:])


def reduced_line(line: bytes, slice_bytes: int = 16) -> LongLine:
    """The same of a line that can be reduced."""
    found = reduced(line, slice_bytes)
    assert isinstance(found, LongLine)
    return found


def whole(line: bytes | TooLong | LongLine) -> bytes | TooLong:
    """The line as it came."""
    return b"".join(line.bulk.restored(line.short)) if isinstance(line, LongLine) else line


def message(params: bytes, *, raw_id: bytes = b"1", method: bytes = b"x") -> bytes:
    """A request with these params, as JSON text."""
    return b'{"id":%b,"method":"%b","params":%b}' % (raw_id, method, params)


def many(unit: Any, count: int = 100) -> bytes:
    """A list of the same thing, as JSON text."""
    return json.dumps([unit] * count, separators=(",", ":")).encode()
