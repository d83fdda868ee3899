"""A stand-in for codexd: a Unix socket that answers by script. The shapes are those that the real Codex sent."""

import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from codexd.protocol.framing import LineSplitter, TooLong

Params = dict[str, Any]
PATIENCE_S = 90.0

THREAD = "01a1fc06-0d86-7a53-a176-e1e171885d08"
TURN = "01a1fc06-0d98-7f93-8820-17e4de44dd8d"


class Refused(Exception):
    """What a handler raises to answer with an error."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        self.body = {"code": code, "message": message} | ({} if data is None else {"data": data})


class Connection:
    """One client of the stand-in. `received` holds its messages, oldest first. `is_mute`: gives no sign of life."""

    def __init__(self, stream: socket.socket) -> None:
        self.received: list[Params] = []
        self.is_mute = False
        self._stream = stream
        self._following: list[bytes | TooLong] = []
        self._then: dict[int, Callable[[Params], None]] = {}
        self._next_id = 1795229617000000

    def send(self, *messages: Params) -> None:
        self.send_bytes(b"".join(json.dumps(message).encode() + b"\n" for message in messages))

    def send_bytes(self, data: bytes) -> None:
        self._stream.sendall(data, socket.MSG_NOSIGNAL)  # a command line ends on SIGPIPE, the tests must not

    def notify(self, method: str, **params: Any) -> None:
        self.send({"method": method, "params": params})

    def ask(self, method: str, params: Params, then: Callable[[Params], None] = lambda answer: None) -> int:
        """Sends a server request; `then` gets the message that answers it."""
        self._next_id += 1
        self._then[self._next_id] = then
        self.send({"id": self._next_id, "method": method, "params": params})
        return self._next_id

    def buffered(self) -> list[str]:
        """The methods of what came in one piece with the request that is being handled."""
        return [json.loads(bytes(line))["method"] for line in self._following if isinstance(line, bytes)]

    def hang_up(self) -> None:
        self._stream.shutdown(socket.SHUT_RDWR)

    def serve(self, answers: dict[str, Any]) -> None:
        lines = LineSplitter()
        with self._stream:
            while chunk := self._stream.recv(1 << 20):
                self._following = lines.feed(chunk)
                while self._following:
                    line = self._following.pop(0)
                    assert isinstance(line, bytes)
                    try:
                        self._take(json.loads(line), answers)
                    except (BrokenPipeError, ConnectionResetError):
                        continue  # its client has left, and may have said more before

    def _take(self, message: Params, answers: dict[str, Any]) -> None:
        if _is_sign_of_life(message):
            if not self.is_mute:
                self.send({"id": message["id"], "result": {}})
            return
        self.received.append(message)
        if "method" not in message:
            self._then.pop(message["id"], lambda answer: None)(message)
        elif "id" in message:
            self._answer(message, answers)

    def _answer(self, message: Params, answers: dict[str, Any]) -> None:
        answer = answers.get(message["method"], Refused(-32600, f"unknown variant `{message['method']}`"))
        try:
            result = answer(self, message["params"]) if callable(answer) else answer
            if isinstance(result, Refused):
                raise result
        except Refused as refused:
            self.send({"error": refused.body, "id": message["id"]})
            return
        first, *rest = result if isinstance(result, tuple) else (result,)
        if first is not SILENCE:
            self.send({"id": message["id"], "result": first})
        for event in rest:
            event() if callable(event) else self.send(event)


def _is_sign_of_life(message: Params) -> bool:
    """Every connection of a `Client` begins with this request; no test is about it."""
    return message.get("id") == -1


SILENCE = object()
"""The result of a handler whose request is never answered."""


class StandIn:
    """Listens at `path`. `answers`: by method a result, a `Refused`, or a function of connection and params that returns
    one, or a tuple of a result and the messages (or calls) that follow it."""

    def __init__(self, path: Path, codex_home: Path) -> None:
        self.path = path
        self.is_mute = False
        self.connections: list[Connection] = []
        self.answers: dict[str, Any] = {
            "initialize": {
                "userAgent": "codexd/0.163.0 (Debian 12.0.0; x86_64) xterm (codexctl; 0.1.0)",
                "codexHome": str(codex_home),
                "platformFamily": "unix",
                "platformOs": "linux",
            },
            "account/read": {"account": None, "requiresOpenaiAuth": False, "workspaceRouting": None},
            "codexd/codex/start": {},
            "codexd/status": status(path, codex_home),
            "codexd/events/follow": {"last": 0},
            "config/read": {"config": {"sandbox_mode": None, "projects": None}, "origins": {}},
            "thread/start": {"thread": thread()},
            "thread/resume": {"thread": thread()},
            "thread/list": {"data": [thread()], "nextCursor": None},
            "turn/start": {"turn": turn("inProgress")},
        }
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self.connections:
            try:
                connection.hang_up()
            except OSError:  # its client was first
                pass
        for one in self._threads:
            one.join(PATIENCE_S)

    def hear_out(self) -> None:
        """Waits until all that clients have said is read; they have left."""
        for one in self._threads[1:]:
            one.join(PATIENCE_S)

    @property
    def received(self) -> list[Params]:
        """What came on all connections, but the handshake's `initialized`."""
        return [
            message
            for connection in self.connections
            for message in connection.received
            if message.get("method") != "initialized"
        ]

    def requests(self, method: str) -> list[Params]:
        """The params of all requests of a method."""
        return [message["params"] for message in self.received if message.get("method") == method]

    def _accept(self) -> None:
        while True:
            try:
                stream, _ = self._listener.accept()
            except OSError:
                return
            connection = Connection(stream)
            connection.is_mute = self.is_mute
            self.connections.append(connection)
            self._threads.append(
                threading.Thread(target=_serve, args=(connection, self.answers), daemon=True)
            )
            self._threads[-1].start()


def _serve(connection: Connection, answers: dict[str, Any]) -> None:
    try:
        connection.serve(answers)
    except OSError:  # the client hung up while it was being written to
        pass


# Shapes


def status(path: Path, codex_home: Path) -> Params:
    return {
        "codexd": {
            "pid": 11,
            "version": "0.1.0",
            "startedAt": 1795229000.0,
            "socket": str(path),
            "codexHome": str(codex_home),
        },
        "codex": {
            "pid": 12,
            "version": "0.163.0",
            "state": "ready",
            "restarts": 0,
            "startedAt": 1795229001.0,
            "reason": None,
            "schemaProblem": None,
            "loginIsStale": False,
            "environment": ["HOME", "PATH"],
        },
        "clients": 1,
        "threads": 2,
        "pendingApprovals": 0,
        "inFlight": 0,
        "queued": 0,
        "timeline": {
            "lastSeq": 1795229617000123,
            "bytes": 3_407_872,
            "events": 123,
            "memoryBytes": 2_560,
            "state": "on",
            "problem": None,
        },
    }


def thread(**changes: Any) -> Params:
    return {
        "id": THREAD,
        "preview": "hello you",
        "name": None,
        "cwd": "/project",
        "createdAt": 1795229617,
        "updatedAt": 1795229617,
        "modelProvider": "scripted",
        "model": "gpt-5.1-codex",
        "status": {"type": "idle"},
        "forkedFromId": None,
        "ephemeral": False,
        "turns": [],
    } | changes


def turn(state: str, turn_id: str = TURN, **changes: Any) -> Params:
    return {"id": turn_id, "items": [], "itemsView": "notLoaded", "status": state, "error": None} | changes


def event(method: str, **params: Any) -> Params:
    """A notification of the thread and the turn."""
    return {"method": method, "params": {"threadId": THREAD, "turnId": TURN} | params}


def numbered(seq: int, method: str, at: float | None = None, **params: Any) -> Params:
    """A notification of the thread with its number; `at`: its time, where it is history."""
    message = {"method": method, "params": {"threadId": THREAD} | params, "seq": seq}
    return message if at is None else message | {"at": at}


def started(turn_id: str = TURN) -> Params:
    return {"method": "turn/started", "params": {"threadId": THREAD, "turn": turn("inProgress", turn_id)}}


def completed(state: str = "completed", turn_id: str = TURN, **changes: Any) -> Params:
    return {
        "method": "turn/completed",
        "params": {"threadId": THREAD, "turn": turn(state, turn_id, **changes)},
    }


def message(text: str, item_id: str = "msg_1", phase: str | None = None) -> Params:
    return {"type": "agentMessage", "id": item_id, "text": text, "phase": phase}


def saying(*deltas: str, item_id: str = "msg_1", phase: str | None = None) -> list[Params]:
    """A message of the model as it streams: begin, deltas, end."""
    return [
        event("item/started", item=message("", item_id, phase)),
        *(event("item/agentMessage/delta", itemId=item_id, delta=delta) for delta in deltas),
        event("item/completed", item=message("".join(deltas), item_id, phase)),
    ]


def user_message(text: str, item_id: str = "user_1", client_id: str | None = None) -> Params:
    content = [{"type": "text", "text": text, "text_elements": []}]
    return {"type": "userMessage", "id": item_id, "clientId": client_id, "content": content}


def command(state: str = "inProgress", item_id: str = "call_1", **changes: Any) -> Params:
    return {
        "type": "commandExecution",
        "id": item_id,
        "command": "/bin/bash -c 'echo hi'",
        "cwd": "/project",
        "status": state,
        "commandActions": [{"type": "unknown", "command": "echo hi"}],
        "aggregatedOutput": None,
        "exitCode": None,
    } | changes


def file_change(state: str = "inProgress", item_id: str = "call_1") -> Params:
    changes = [{"path": "/project/new.txt", "kind": {"type": "add"}, "diff": "some text\n"}]
    return {"type": "fileChange", "id": item_id, "changes": changes, "status": state}


COMMAND_APPROVAL: Params = {
    "kind": "command",
    "threadId": THREAD,
    "turnId": TURN,
    "itemId": "call_1",
    "startedAtMs": 1795229664247,
    "reason": "The prompt asks for it.",
    "command": "/bin/bash -c 'echo hi'",
    "cwd": "/project",
    "commandActions": [{"type": "unknown", "command": "echo hi"}],
    "proposedExecpolicyAmendment": ["echo", "hi"],
    "availableDecisions": [
        "accept",
        {"acceptWithExecpolicyAmendment": {"execpolicy_amendment": ["echo", "hi there"]}},
        "cancel",
    ],
}
FILE_APPROVAL: Params = {
    "threadId": THREAD,
    "turnId": TURN,
    "itemId": "call_1",
    "startedAtMs": 1795229665081,
    "reason": None,
    "grantRoot": None,
}
PERMISSIONS_APPROVAL: Params = {
    "threadId": THREAD,
    "turnId": TURN,
    "itemId": "call_2",
    "cwd": "/project",
    "reason": "The prompt asks for it.",
    "permissions": {
        "network": None,
        "fileSystem": {
            "read": None,
            "write": ["/tmp/there"],
            "entries": [{"path": {"type": "path", "path": "/tmp/there"}, "access": "write"}],
        },
    },
}
USER_INPUT: Params = {
    "threadId": THREAD,
    "turnId": TURN,
    "itemId": "call_3",
    "isBlocking": False,
    "questions": [
        {
            "id": "answer",
            "header": "Question",
            "question": "shall I",
            "isOther": True,
            "isSecret": False,
            "options": [
                {"label": "Yes", "description": "Go ahead."},
                {"label": "No", "description": "Leave it."},
            ],
        }
    ],
}
ELICITATION: Params = {
    "threadId": THREAD,
    "turnId": TURN,
    "serverName": "scripted",
    "mode": "form",
    "message": "shall I",
    "requestedSchema": {
        "type": "object",
        "properties": {"answer": {"type": "string", "title": "Answer"}},
        "required": ["answer"],
    },
}
