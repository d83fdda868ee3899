"""What a client must have asked for with `experimentalApi` before it may use it: learnt from the Codex at hand.

Codex writes its schema in two editions, with and without what is experimental; the difference is the gate. codexd has
asked for everything, once and for all clients, so the gate stands in codexd, for each client, with Codex's own words.

What no schema says stands in the catalogue (`GRANULAR`, `GATED_LOGINS`): which values of a stable member are
experimental.
"""

from typing import Any

from msgspec import UNSET, Raw, Struct, UnsetType

from codexd.protocol import messages
from codexd.protocol.catalogue import APPROVAL_POLICY, GATED_LOGINS, GRANULAR, LOGIN
from codexd.protocol.schema import UNREADABLE, Schema, not_understood

_POLICY_REF = "AskForApproval"


class Gate(Struct, frozen=True):
    """One experimental member: its path in the params, and what its value must be to count (measured on 0.169).

    `when`: `set` counts when it is there and not null, `true` when it is true, `filled` when it is not empty.
    """

    path: tuple[str, ...]
    when: str


class Gates(Struct, frozen=True):
    """The experimental methods, and the experimental members of the others' params, by method.

    `policies` are the methods whose `approvalPolicy` may be a granular one.
    """

    methods: frozenset[str]
    members: dict[str, tuple[Gate, ...]]
    policies: frozenset[str]

    def reason(self, method: str, params: Raw | UnsetType) -> str | None:
        """What in this request needs `experimentalApi`, as Codex names it; `None` when nothing does.

        Of several members the first by name is given; Codex gives the first in an order that no schema tells.
        """
        if method in self.methods:
            return method
        if method not in self.members and method not in self.policies and method != LOGIN:
            return None
        given = messages.members_of(params)
        if method in self.policies and GRANULAR in messages.members_of(given.get(APPROVAL_POLICY, UNSET)):
            return f"askForApproval.{GRANULAR}"
        if method == LOGIN and (kind := bytes(given.get("type", b"")).decode().strip('"')) in GATED_LOGINS:
            return f"{method}.{kind}"
        found = (
            ".".join((method, *gate.path)) for gate in self.members.get(method, ()) if _counts(given, gate)
        )
        return next(found, None)


def read_gates(narrow: Schema, wide: Schema) -> Gates:
    """The gates, from the stable and the experimental edition of `ClientRequest.json`.

    Raises:
        NoSchema: that is not what they are.
    """
    try:
        members = {
            method: found
            for method in narrow.params
            if (found := tuple(_difference(narrow, wide, narrow.params[method], wide.params[method], ())))
        }
        policies = frozenset(
            method
            for method, params in wide.params.items()
            if _POLICY_REF in str(wide.properties(params).get(APPROVAL_POLICY))
        )
    except UNREADABLE as error:
        raise not_understood(error) from None
    return Gates(frozenset(wide.params) - frozenset(narrow.params), members, policies)


def _difference(
    narrow: Schema, wide: Schema, stable: Any, experimental: Any, path: tuple[str, ...]
) -> list[Gate]:
    """What the wide edition has beyond the narrow one, at this place and below it."""
    have = narrow.properties(stable)
    gates = []
    for name, member in sorted(wide.properties(experimental).items()):
        if name not in have:
            gates.append(Gate((*path, name), _when(member)))
        elif len(path) < 2:
            gates += _difference(narrow, wide, have[name], member, (*path, name))
    return gates


def _when(member: Any) -> str:
    """A member that may not be null says nothing when it is false, or an empty list."""
    kind = "" if member is True else str(member.get("type"))
    return {"boolean": "true", "array": "filled", "object": "filled"}.get(kind, "set")


def _counts(given: dict[str, Raw], gate: Gate) -> bool:
    for name in gate.path[:-1]:
        given = messages.members_of(given.get(name, UNSET))
    value = bytes(given.get(gate.path[-1], b"null"))
    if gate.when == "true":
        return value == b"true"
    return value != b"null" and not (gate.when == "filled" and len(value.strip(b"[]{} \t")) == 0)
