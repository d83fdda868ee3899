"""What a client's own process would give to a Codex of its own: its working directory and its configuration.

They go where a request leaves them out, because the one Codex behind codexd has a directory and a configuration of its
own, which mean nothing to this client. The directory is the one that a stand-in for Codex says (`capabilities.codexd`),
else that of the process that connected. The configuration is what a stand-in says.

Where no directory can be told, a request that would need one is refused, as Codex refuses `thread/start` in a directory that
was removed (0.163, 0.171). For its lists Codex then takes CODEX_HOME.

Below all that is what codexd itself gives to each thread: the settings that may not stand on Codex's command line.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, Raw, UnsetType

from codexd.protocol import messages
from codexd.protocol.catalogue import (
    CWD_OF_PROCESS,
    CWDS_OF_PROCESS,
    RELATIVE_PATHS,
    TAKES_CONFIG,
    TAKES_INPUT,
)
from codexd.protocol.errors import InvalidMessage
from codexd.protocol.messages import Request, encode

_EMPTY = (b"", b"null")
_NO_DIRECTORY = (
    "failed to load configuration: No such file or directory (os error 2); codexd cannot tell the working directory of "
    "this client (it was removed, is not UTF-8, or belongs to another mount namespace): name one in `cwd`"
)
"""Codex's words, and the way out."""


class Process(NamedTuple):
    """What the process of a client has: `cwd` is None where that cannot be told; `config` has dotted keys."""

    cwd: str | None = None
    config: dict[str, Raw] | None = None


def with_defaults(
    request: Request, process: Process, codex_home: str, thread_config: Mapping[str, Any]
) -> Request:
    """The request as Codex is to get it. One whose params are no object is Codex's to refuse, as it is.

    Args:
        thread_config: what codexd gives to each thread, by dotted keys.

    Raises:
        InvalidMessage: it needs the directory of its client, which cannot be told.
    """
    if request.method not in _CONCERNED or not _is_object(request.params):
        return request
    given = messages.members_of(request.params)
    if request.bulk is not None and _lists_paths(request.method, given):
        request = messages.whole(request)
        given = messages.members_of(request.params)
    changes = (
        _directory(request, given, process.cwd, codex_home)
        | _files(request, given, process.cwd)
        | _config(request.method, given, process, thread_config)
    )
    return messages.changed(request, changes) if changes else request


_CONCERNED = frozenset((*CWD_OF_PROCESS, *CWDS_OF_PROCESS, *RELATIVE_PATHS)) | TAKES_CONFIG | TAKES_INPUT
_FILES = (b'"localImage"', b'"localAudio"')
"""The types of what `input` holds by its path."""
_SCANNED_BYTES = 1 << 20
"""A longer request is not looked through for them: that would take time from others. A path is short."""


def _lists_paths(method: str, given: dict[str, Raw]) -> bool:
    """Whether it holds a list of paths, each of which has to be read."""
    return bytes(given.get(RELATIVE_PATHS.get(method, ""), b"")).startswith(b"[")


def names_no_directory(request: Request) -> bool:
    """Whether it is to begin a thread in the directory of its client, which it does not name."""
    if request.method != "thread/start" or not _is_object(request.params):
        return False
    return bytes(messages.members_of(request.params).get("cwd", b"")) in _EMPTY


def _is_object(params: Raw | UnsetType) -> bool:
    """Codex refuses a request of these methods without params, or with null (0.163, 0.169)."""
    return params is not UNSET and bytes(memoryview(params)[:1]) == b"{"


def _directory(request: Request, given: dict[str, Raw], cwd: str | None, codex_home: str) -> dict[str, Any]:
    method = request.method
    one, several = CWD_OF_PROCESS.get(method), CWDS_OF_PROCESS.get(method)
    if one is not None and bytes(given.get(one, b"")) in _EMPTY:
        return {one: _told(cwd, request)}
    if several is not None and bytes(given.get(several, b"")) in (*_EMPTY, b"[]") and "threadId" not in given:
        return {several: [cwd or codex_home]}
    member = RELATIVE_PATHS.get(method, "")
    if bytes(given.get(member, b"")) in _EMPTY:
        return {}
    try:
        named = msgspec.json.decode(given[member])
    except msgspec.DecodeError:  # a number that nothing here can hold is no path
        return {}
    seen = _seen_from(cwd, named, request)
    return {} if seen == named else {member: seen}


def _files(request: Request, given: dict[str, Raw], cwd: str | None) -> dict[str, Any]:
    """The input with its files as seen from the directory; all else in it stays to the byte."""
    if request.method not in TAKES_INPUT or "input" not in given or request.size > _SCANNED_BYTES:
        return {}
    if not any(kind in request.line for kind in _FILES):
        return {}
    try:
        items = msgspec.json.decode(given["input"], type=list[Raw])
    except msgspec.DecodeError:
        return {}
    seen = [_file(item, cwd, request) for item in items]
    changed = any(new is not old for new, old in zip(seen, items, strict=True))
    return {"input": Raw(encode(seen))} if changed else {}


def _file(item: Raw, cwd: str | None, request: Request) -> Raw:
    members = messages.members_of(item)
    if bytes(members.get("type", b"")) not in _FILES:
        return item
    try:
        path = msgspec.json.decode(members.get("path", b"null"), type=str)
    except msgspec.DecodeError:
        return item
    seen = _seen_from(cwd, path, request)
    return item if seen == path else Raw(encode({**members, "path": seen}))


def _told(cwd: str | None, request: Request) -> str:
    if cwd is None:
        raise InvalidMessage(_NO_DIRECTORY, request.id)
    return cwd


def _seen_from(cwd: str | None, named: Any, request: Request) -> Any:
    """A path, or each path of a list; what is neither is Codex's to refuse."""
    if isinstance(named, list):
        return [_seen_from(cwd, one, request) for one in named]
    if not isinstance(named, str) or named.startswith(("/", "~")):
        return named
    directory = _told(cwd, request)
    return f"{directory}/{named}" if named else directory


def _config(
    method: str, given: dict[str, Raw], process: Process, thread_config: Mapping[str, Any]
) -> dict[str, Any]:
    """The process's overrides below the request's own, and codexd's below both."""
    if not (process.config or thread_config) or method not in TAKES_CONFIG:
        return {}
    own = given.get("config", UNSET)
    if own is not UNSET and bytes(own) != b"null" and not bytes(own).startswith(b"{"):
        return {}
    named = messages.members_of(own)
    both = {**(process.config or {}), **named}
    said = {key: value for key, value in both.items() if key in named or not _is_inside(key, named)}
    below = {key: value for key, value in thread_config.items() if not _is_said(key, said)}
    return {"config": Raw(encode({**below, **said}))}


def _is_inside(key: str, config: Mapping[str, Any]) -> bool:
    """Whether this configuration says it, or something around it: that takes the place of what was said before."""
    parts = key.split(".")
    return any(".".join(parts[:length]) in config for length in range(1, len(parts) + 1))


def _is_said(key: str, config: Mapping[str, Any]) -> bool:
    """Whether this configuration says something of the same place. Codex keeps no order among the members of `config`."""
    return any(f"{key}.".startswith(f"{said}.") or f"{said}.".startswith(f"{key}.") for said in config)
