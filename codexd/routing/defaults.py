"""What a client's own process would give to a Codex of its own: its working directory and its configuration.

A stand-in for Codex says them once (`capabilities.codexd`). They go where a request leaves them out, because the one
Codex behind codexd has a directory and a configuration of its own, which mean nothing to this client.
"""

from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from codexd.protocol import messages
from codexd.protocol.catalogue import CWD_OF_PROCESS, CWDS_OF_PROCESS, RELATIVE_CWD, TAKES_CONFIG
from codexd.protocol.messages import Request, encode
from codexd.routing.introduction import Codexd

_EMPTY = (b"", b"null")


def with_defaults(request: Request, said: Codexd | None) -> Request:
    """The request as Codex is to get it. One whose params are no object is Codex's to refuse, as it is."""
    if said is None:
        return request
    given = messages.members_of(request.params)
    changes = _directory(request.method, given, said) | _config(request.method, given, said)
    if not changes or not _is_object(request.params):
        return request
    return messages.changed(request, changes)


def _is_object(params: Raw | UnsetType) -> bool:
    """Codex refuses a request of these methods without params, or with null (0.163, 0.169)."""
    return params is not UNSET and bytes(params)[:1] == b"{"


def _directory(method: str, given: dict[str, Raw], said: Codexd) -> dict[str, Any]:
    if said.cwd is None:
        return {}
    one, several = CWD_OF_PROCESS.get(method), CWDS_OF_PROCESS.get(method)
    if one is not None and bytes(given.get(one, b"")) in _EMPTY:
        return {one: said.cwd}
    if several is not None and bytes(given.get(several, b"")) in (*_EMPTY, b"[]") and "threadId" not in given:
        return {several: [said.cwd]}
    if method in RELATIVE_CWD and bytes(given.get("cwd", b"")) not in _EMPTY:
        try:
            named = msgspec.json.decode(given["cwd"])
        except msgspec.DecodeError:  # a number that nothing here can hold is no path
            return {}
        seen = _seen_from(said.cwd, named)
        return {} if seen == named else {"cwd": seen}
    return {}


def _seen_from(directory: str, named: Any) -> Any:
    """A path, or each path of a list; what is neither is Codex's to refuse."""
    if isinstance(named, list):
        return [_seen_from(directory, one) for one in named]
    if not isinstance(named, str) or named.startswith(("/", "~")):
        return named
    return f"{directory}/{named}" if named else directory


def _config(method: str, given: dict[str, Raw], said: Codexd) -> dict[str, Any]:
    """The process's overrides below the request's own."""
    if not said.config or method not in TAKES_CONFIG:
        return {}
    own = given.get("config", UNSET)
    if own is not UNSET and bytes(own) != b"null" and not bytes(own).startswith(b"{"):
        return {}
    return {"config": Raw(encode({**said.config, **messages.members_of(own)}))}
