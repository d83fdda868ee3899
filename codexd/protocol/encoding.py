"""Values of codexd's own as JSON: whatever is in them, encoding them does not fail."""

from typing import Any

import msgspec
from msgspec.structs import fields

from codexd.protocol.names import as_text

_encode = msgspec.json.Encoder().encode


def encode(value: Any) -> bytes:
    """The value as JSON. A text that is not UTF-8, as a path may be, is shown with escapes (`as_text`)."""
    try:
        return _encode(value)
    except UnicodeEncodeError:
        return _encode(_with_visible_texts(value))


def _with_visible_texts(value: Any) -> Any:
    match value:
        case str():
            return as_text(value)
        case dict():
            return {as_text(name): _with_visible_texts(each) for name, each in value.items()}
        case list() | tuple():
            return [_with_visible_texts(each) for each in value]
        case msgspec.Struct():
            return _with_visible_texts(_members(value))
        case _:
            return value


def _members(struct: msgspec.Struct) -> dict[str, Any]:
    """What the encoder writes of a struct."""
    found = {field.encode_name: (getattr(struct, field.name), field.default) for field in fields(struct)}
    omits = struct.__struct_config__.omit_defaults
    return {name: value for name, (value, default) in found.items() if not (omits and value == default)}
