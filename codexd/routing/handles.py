"""Ids that a client chooses for what it opens: processes, watches, streams, searches.

For Codex they are all of one connection, so that two clients' `p1` would collide, and one could write to the other's
process. A handle goes to Codex as `CLIENT:HANDLE` and comes back without it: in notifications, which thereby name
their recipient, and in error texts.

What a client has opened ends with it, as it ends with a connection of Codex's own. `command/exec` lives as long as
its request does; one without a `processId` is given one, because it could not be ended otherwise (the result is the
same, measured).
"""

import re
from typing import Any

import msgspec
from msgspec import Raw, Struct

from codexd.protocol import messages
from codexd.protocol.catalogue import HANDLE_OF_NOTIFICATION, HANDLE_OF_REQUEST, NEEDS_HANDLE, NEVER_EMPTY
from codexd.protocol.messages import ErrorResponse, Notification, Request
from codexd.routing.effects import ClientId
from codexd.routing.requests import Call

CLOSED_BY = {
    "process/spawn": "process/kill",
    "fs/watch": "fs/unwatch",
    "mcpServer/event/stream/start": "mcpServer/event/stream/stop",
    "fuzzyFileSearch/sessionStart": "fuzzyFileSearch/sessionStop",
    "command/exec": "command/exec/terminate",
}
"""What opens something, and what ends it."""
LASTING = frozenset(CLOSED_BY) - {"command/exec"}
"""What is open after its request was answered. A command lives as long as its request does."""
_CLOSES = {CLOSED_BY[opener]: opener for opener in LASTING - {"process/spawn"}}
"""What ends something by its own answer; a process ends with `process/exited`."""

_ENDS = frozenset(CLOSED_BY.values()) | {"turn/interrupt"}

_string = msgspec.json.Decoder(str)
_PLAIN = re.compile(r"[A-Za-z0-9_.-]*")
"""The beginning of a handle that looks the same however an error text quotes and escapes it."""


Notice = tuple[ClientId, str, dict[str, Any]]
"""Method and params of a notification for one client."""


class Open(Struct, frozen=True, eq=False):
    """Something that a client has opened: by which request, under which handle (the client's own word)."""

    client: ClientId
    opener: str
    handle: str
    request: Request


class Handles:
    """What every client has open."""

    def __init__(self) -> None:
        self._open: dict[tuple[ClientId, str, str], Open] = {}
        self._closing: dict[tuple[ClientId, str, str], Call] = {}
        self._unnamed = 0

    def rewrite(self, client: ClientId, request: Request) -> tuple[Request, str | None]:
        """The request as Codex gets it, and the handle in it, if there is one."""
        member = HANDLE_OF_REQUEST.get(request.method)
        if member is None:
            return request, None
        params = messages.members_of(request.params)
        raw = params.get(member)
        if raw is None or bytes(raw) == b"null":
            if request.method != "command/exec" or not params or _needs_handle(params):
                return request, None
            self._unnamed += 1
            handle = f"unnamed-{self._unnamed}"
        else:
            try:
                handle = _string.decode(raw)
            except msgspec.DecodeError:
                return request, None
            if not handle and member in NEVER_EMPTY:
                return request, None
        return messages.changed(request, {member: _tagged(client, handle)}), handle

    def asked(self, call: Call) -> None:
        """Codex is asked to close something: from now on codexd must not open it again, unless its owner does."""
        if call.owner is None or call.handle is None:
            return
        if call.method in _CLOSES:
            self._closing[call.owner, _CLOSES[call.method], call.handle] = call
        else:
            self._closing.pop((call.owner, call.method, call.handle), None)

    def answered(self, call: Call) -> None:
        """Codex did what the call asked: something is open, or no longer."""
        if call.owner is None or call.handle is None:
            return
        if call.method in LASTING:
            key = call.owner, call.method, call.handle
            self._open[key] = Open(*key, call.request)
        elif call.method in _CLOSES:
            key = call.owner, _CLOSES[call.method], call.handle
            self._open.pop(key, None)
            if self._closing.get(key) is call:
                del self._closing[key]

    def failed(self, call: Call) -> None:
        """Codex did not do it: what it was to close is open as it was, unless it was asked for that again."""
        if call.owner is None or call.handle is None or call.method not in _CLOSES:
            return
        key = call.owner, _CLOSES[call.method], call.handle
        if self._closing.get(key) is call:
            del self._closing[key]

    def address(self, notification: Notification) -> tuple[ClientId, bytes] | None:
        """Whose handle a notification is about, and its line with the client's own word for it.

        `None` when it names none of ours.
        """
        member = HANDLE_OF_NOTIFICATION[notification.method]
        raw = bytes(messages.members_of(notification.params).get(member, b""))
        client, separator, handle = (_string.decode(raw) if raw.startswith(b'"') else "").partition(":")
        if not separator or not client.isdecimal():
            return None
        if notification.method == "process/exited":
            self._open.pop((int(client), "process/spawn", handle), None)
        return int(client), messages.rewritten(notification, {member: handle})

    def untagged_error(self, call: Call, answer: ErrorResponse) -> bytes:
        """The error's line for the client: its own id, and its own word for the handle in the text."""
        if call.handle is None or call.owner is None:
            return messages.with_id(answer, call.request.id)
        beginning = _PLAIN.match(call.handle)
        assert beginning is not None, "it may be empty"
        plain = beginning[0].encode()
        start, end = answer.id_at
        before, after = (
            part.replace(b"%d:%b" % (call.owner, plain), plain)
            for part in (answer.line[:start], answer.line[end:])
        )
        return before + call.request.id + after

    def leave(self, client: ClientId) -> list[Open]:
        """What the client has open, which is to be closed; it is open no longer."""
        mine = [opened for opened in self._open.values() if opened.client == client]
        for opened in mine:
            del self._open[opened.client, opened.opener, opened.handle]
        self._closing = {key: call for key, call in self._closing.items() if key[0] != client}
        return mine

    def codex_died(self) -> list[Notice]:
        """Everything ended with Codex: what tells the owners, as its natural end would.

        Watches stay open; they are to be made again in the next process.
        """
        ends = [end for opened in self._open.values() if (end := _natural_end(opened)) is not None]
        self._open = {(o.client, o.opener, o.handle): o for o in self.watches()}
        self._closing.clear()
        return ends

    def runs_processes(self) -> bool:
        """Whether there is a process that would end with Codex. A command is a request under way."""
        return any(opened.opener == "process/spawn" for opened in self._open.values())

    def watches(self) -> list[Open]:
        """The file watches that are open and are to stay so."""
        return [
            opened
            for key, opened in self._open.items()
            if opened.opener == "fs/watch" and key not in self._closing
        ]


def ends_something(method: str) -> bool:
    """Whether this is how a client stops what it has asked for: it must not wait for what it is to stop."""
    return method in _ENDS or method.endswith("/cancel")


def closing(client: ClientId, opener: str, handle: str) -> tuple[str, dict[str, Any]]:
    """The method and params that end what `opener` has opened."""
    method = CLOSED_BY[opener]
    return method, {HANDLE_OF_REQUEST[method]: _tagged(client, handle)}


def _natural_end(opened: Open) -> Notice | None:
    if opened.opener == "process/spawn":
        ended: dict[str, Any] = {"processHandle": opened.handle, "exitCode": -1}
        empty = {"stdout": "", "stdoutCapReached": False, "stderr": "", "stderrCapReached": False}
        return opened.client, "process/exited", ended | empty
    if opened.opener == "fuzzyFileSearch/sessionStart":
        return opened.client, "fuzzyFileSearch/sessionCompleted", {"sessionId": opened.handle}
    return None


def _needs_handle(params: dict[str, Raw]) -> bool:
    """Whether Codex refuses such a command without a handle, which is then for Codex to say."""
    return any(bytes(params.get(member, b"")) == b"true" for member in NEEDS_HANDLE)


def _tagged(client: ClientId, handle: str) -> str:
    return f"{client}:{handle}"
