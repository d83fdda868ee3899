"""The schema that Codex writes of its messages: one file of it, in one of its two editions.

`codex app-server generate-json-schema` writes a file for each kind of message (`ClientRequest.json`,
`ServerNotification.json`, ...), with `--experimental` in the edition that has everything. Such a file is one `oneOf`
with an entry for each method, and the `definitions` that those refer to. The same in 0.163 and 0.171.
"""

from typing import Any

import msgspec

from codexd.protocol.errors import CodexdError


class NoSchema(CodexdError):
    """Codex's schema can't be had, or what Codex wrote is none."""


UNREADABLE = (msgspec.DecodeError, AttributeError, KeyError, IndexError, TypeError)
"""What is raised while a file is read that is something else."""


def not_understood(error: Exception) -> NoSchema:
    """What to say of such a file."""
    return NoSchema(f"what Codex wrote as its schema is not understood: {error!r}")


class Schema:
    """One file. `params` is the schema of each method's params, `{}` where a method takes none."""

    def __init__(self, text: bytes) -> None:
        """Raises `NoSchema` for anything else."""
        try:
            decoded: dict[str, Any] = msgspec.json.decode(text)
            self._definitions: dict[str, Any] = decoded.get("definitions", {})
            messages = [message["properties"] for message in decoded["oneOf"]]
            self.params: dict[str, Any] = {m["method"]["enum"][0]: m.get("params", {}) for m in messages}
        except UNREADABLE as error:
            raise not_understood(error) from None

    def definition(self, reference: str) -> Any:
        """What `#/definitions/NAME` refers to."""
        return self._definitions[reference.rpartition("/")[2]]

    def properties(self, schema: Any) -> dict[str, Any]:
        """The members of an object, looked up where it refers to a definition or may be null; `true` has none."""
        if schema is True:
            return {}
        for choice in schema.get("anyOf", ()):
            if "$ref" in choice:
                schema = choice
        if "$ref" in schema:
            schema = self.definition(schema["$ref"])
        found: dict[str, Any] = schema.get("properties", {})
        return found
