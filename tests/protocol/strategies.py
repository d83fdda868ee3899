"""JSON as clients may write it: any values, any spelling of them, any whitespace."""

import json
from typing import Any

from hypothesis import strategies as st

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text
)
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
int64 = st.integers(-(2**63), 2**63 - 1)
ids = int64 | text
blanks = st.text(" \t\r", max_size=2)


@st.composite
def spelled(draw: st.DrawFn, value: Any) -> str:
    """One of the ways to write a value: escaped or not."""
    return json.dumps(value, ensure_ascii=draw(st.booleans()))


@st.composite
def written(draw: st.DrawFn, members: dict[str, Any]) -> bytes:
    """One of the ways to write an object: its members in any order, with any whitespace between them."""
    parts = [
        f"{draw(blanks)}{draw(spelled(name))}{draw(blanks)}:{draw(blanks)}{draw(spelled(members[name]))}{draw(blanks)}"
        for name in draw(st.permutations(sorted(members)))
    ]
    return f"{draw(blanks)}{{{','.join(parts) or draw(blanks)}}}{draw(blanks)}".encode()
