"""Ids of requests inside params: where they stand, learnt from the schema of the Codex at hand.

A client may name its own request under way by the id that it gave it, to cancel it for instance; and Codex may say of a
notification to which request it belongs. Codex knows requests by codexd's numbers, so each such id is translated. All
members of type `RequestId` in params are such ids, of clients' requests and notifications and of Codex's notifications:
`thread/search/partial` was the first of the latter, in 0.171.

Not `serverRequest/...`: what those name is a request of Codex's own, which is translated where its answer is decided.
"""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from msgspec import Raw, Struct

from codexd.protocol.schema import UNREADABLE, Schema, not_understood

Path = tuple[str, ...]
"""Where a member stands in params: the names of the members that lead there; `EACH` for any of a list."""
EACH = "[]"

_TYPE = "RequestId"
_OF_CODEX = "serverRequest/"
_CANCEL = "/cancel"
_MEMBER: Path = ("requestId",)


class RequestIds(Struct, frozen=True):
    """Where params name requests of clients, by method.

    `asked`: in requests and notifications of clients. `told`: in notifications of Codex. `cancels`: the methods that end
    a request, each with the methods of what it ends, whose id is its `requestId`.
    """

    asked: dict[str, tuple[Path, ...]]
    told: dict[str, tuple[Path, ...]]
    cancels: dict[str, frozenset[str]]

    def cancel_of(self, method: str) -> str | None:
        """The method that ends a request of this one before it is answered."""
        return next((cancel for cancel, ended in self.cancels.items() if method in ended), None)


WITHOUT_SCHEMA = RequestIds(
    asked={
        "thread/sample/cancel": (_MEMBER,),
        "thread/search/cancel": (_MEMBER,),
        "thread/search/stream/cancel": (_MEMBER,),
        "userVerification/cancel": (_MEMBER,),
    },
    told={"thread/search/partial": (_MEMBER,)},
    cancels={
        "thread/sample/cancel": frozenset({"thread/sample"}),
        "thread/search/cancel": frozenset({"thread/search"}),
        "thread/search/stream/cancel": frozenset({"thread/search/stream"}),
        "userVerification/cancel": frozenset(
            {
                "userVerification/delete",
                "userVerification/enroll",
                "userVerification/status",
                "userVerification/verify",
            }
        ),
    },
)
"""What 0.171 has, for a Codex whose schema can't be had: codexd serves on then, and without this a client could end
another's request, and everybody would be told what one has searched for."""


def read_request_ids(requests: Schema, notifications: Schema, told: Schema) -> RequestIds:
    """Where ids of requests stand, from the experimental edition of `ClientRequest.json`, `ClientNotification.json` and
    `ServerNotification.json`.

    Raises:
        NoSchema: that is not what they are.
    """
    try:
        asked = _paths(requests) | _paths(notifications)
        told_of = {m: paths for m, paths in _paths(told).items() if not m.startswith(_OF_CODEX)}
    except UNREADABLE as error:
        raise not_understood(error) from None
    cancels = {
        method: _ended_by(method, frozenset(requests.params))
        for method, paths in asked.items()
        if method.endswith(_CANCEL) and _MEMBER in paths and method in requests.params
    }
    return RequestIds(asked, told_of, cancels)


def _paths(schema: Schema) -> dict[str, tuple[Path, ...]]:
    found = ((method, tuple(dict.fromkeys(_ids(schema, p, (), ())))) for method, p in schema.params.items())
    return {method: paths for method, paths in found if paths}


def _ids(schema: Schema, part: Any, path: Path, within: tuple[str, ...]) -> Iterator[Path]:
    """Where ids stand in this part and below it. `within`: the definitions that lead here; one may hold itself."""
    if not isinstance(part, dict):
        return
    reference = part.get("$ref")
    if reference is not None and reference not in within:
        if reference.rpartition("/")[2] == _TYPE:
            yield path
        else:
            yield from _ids(schema, schema.definition(reference), path, (*within, reference))
    for keyword in ("allOf", "anyOf", "oneOf"):
        for choice in part.get(keyword, ()):
            yield from _ids(schema, choice, path, within)
    for name, member in part.get("properties", {}).items():
        yield from _ids(schema, member, (*path, name), within)
    yield from _ids(schema, part.get("items"), (*path, EACH), within)


def _ended_by(cancel: str, methods: frozenset[str]) -> frozenset[str]:
    """`A/cancel` ends `A` where there is such a method, and else all that begin with `A/`.

    So it is with `thread/search/cancel`, which does not end a `thread/search/stream` (measured, 0.171), and with
    `userVerification/cancel`.
    """
    ended = cancel.removesuffix(_CANCEL)
    if ended in methods:
        return frozenset({ended})
    return frozenset(m for m in methods if m.startswith(f"{ended}/") and not m.endswith(_CANCEL))


_members = msgspec.json.Decoder(dict[str, Raw])
_elements = msgspec.json.Decoder(list[Raw])


def translated(params: Raw, paths: tuple[Path, ...], translate: Callable[[Raw], Raw]) -> Raw:
    """The params with each id at these paths put through `translate`; what is something else there stays as it is."""
    for path in paths:
        params = _changed(params, path, translate)
    return params


def _changed(value: Raw, path: Path, translate: Callable[[Raw], Raw]) -> Raw:
    if not path:
        return translate(value)
    name, rest = path[0], path[1:]
    try:
        if name == EACH:
            return Raw(msgspec.json.encode([_changed(e, rest, translate) for e in _elements.decode(value)]))
        members = _members.decode(value)
    except msgspec.DecodeError:
        return value
    if name not in members:
        return value
    return Raw(msgspec.json.encode({**members, name: _changed(members[name], rest, translate)}))
