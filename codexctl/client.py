"""A client of codexd for Python programs: synchronous, standard library alone.

    with Client.connect(name="my-tool", version="1.0") as client:
        thread = client.request("thread/start", {"cwd": "/tmp"})["thread"]["id"]
        client.request("turn/start", {"threadId": thread, "input": [{"type": "text", "text": "hello"}]})
        for message in client.messages():
            print(message.method, message.params)

Several requests can be under way at once: `send` queues one and returns its id, `wait` waits for its answer. What is
queued leaves in one write at the next `flush`, `wait` or `receive`. Whatever arrives meanwhile is kept, in order, for
`receive`.

What has happened, and everything from a number on, is to be had with `codexctl.timeline`.
"""

import json
import select
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any, NamedTuple, Self

from codexctl.patience import ANSWER_SECONDS, Patience
from codexctl.reach import check_home, reach
from codexctl.unix_socket import NO_SIGPIPE
from codexd.protocol import extension
from codexd.protocol.errors import Code, CodexdError, Unavailable
from codexd.protocol.framing import LineSplitter

RequestId = int | str
READ_BYTES = 256 * 1024
_SIGN_OF_LIFE = -1
"""The id of the request that every connection begins with; its answer is for nobody but `_read`."""


class RpcError(CodexdError):
    """A request was answered with an error: Codex's own, or one of codexd's (`codexd.protocol.errors.Code`)."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


class ConnectionLost(Unavailable):
    """codexd hung up. The message has the reason that it gave, if it gave one."""


class Message(NamedTuple):
    """What codexd sends unasked. `id` is None for a notification; a server request wants a `respond` to its id.

    `line` is the message as it came, without its line feed. `seq`: the number of an event, where numbers were asked for
    (`codexctl.timeline`); `at`: its time in seconds since the epoch, while it is history.
    """

    method: str
    params: dict[str, Any]
    id: RequestId | None
    line: bytes
    seq: int | None = None
    at: float | None = None


class Answer(NamedTuple):
    """The answer to a request that was sent with `send` and that nobody waits for."""

    id: int
    result: Any
    error: RpcError | None


Incoming = Message | Answer


class Client:
    """One connection. Not to be shared by threads, but any thread, or a signal handler, may `send` and `respond`."""

    def __init__(self, connection: socket.socket, path: str, *, named: bool = False) -> None:
        """`named`: the user chose this very socket, so any CODEX_HOME behind it is right."""
        self.path = path
        self._socket = connection
        self._named = named
        self._ids = count(1)
        self._lines = LineSplitter(sys.maxsize)
        self._poll = select.poll()
        self._poll.register(connection, select.POLLIN)
        self._inbox: deque[Incoming] = deque()
        self._outgoing: deque[bytes] = deque()
        self._writing = threading.Lock()
        self._farewell: str | None = None
        self._is_refused = False
        self._patience: Patience | None = None
        self._is_unheard = False

    # Connecting

    @classmethod
    def connect(
        cls,
        path: str | None = None,
        *,
        name: str,
        version: str,
        start: bool = True,
        experimental: bool = True,
        capabilities: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> Self:
        """Connects and does the handshake; starts codexd where none listens, unless `start` is false.

        `path`: the socket, by default where codexd puts it. `capabilities` are added to those of `initialize`.

        Raises:
            Unavailable: there is no codexd, it has no Codex, or it serves another CODEX_HOME.
        """
        client = cls.open(path, start=start)
        try:
            handshake = client.send_initialize(
                name=name, version=version, experimental=experimental, capabilities=capabilities
            )
            client.finish_initialize(handshake, timeout)
        except BaseException:
            client.close()
            raise
        return client

    @classmethod
    def open(cls, path: str | None = None, *, start: bool = True) -> Self:
        """Connects without a handshake, which is all that the `codexd/*` methods need. Raises as `connect` does."""
        connection, where, named = reach(path, start=start)
        client = cls(connection, where, named=named)
        client._expect_sign_of_life()
        return client

    def _expect_sign_of_life(self) -> None:
        """Asks for one. Once that is sent, it is an error when codexd says nothing at all for some seconds."""
        self._is_unheard = True
        self._queue({"id": _SIGN_OF_LIFE, "method": extension.STATUS, "params": {}})

    def send_initialize(
        self,
        *,
        name: str,
        version: str,
        experimental: bool = True,
        capabilities: Mapping[str, Any] | None = None,
    ) -> int:
        """Queues `initialize`; other requests may be queued right behind it."""
        wanted = {"experimentalApi": experimental, "codexd": {}, **(capabilities or {})}
        return self.send(
            "initialize", {"clientInfo": {"name": name, "version": version}, "capabilities": wanted}
        )

    def finish_initialize(self, handshake: int, timeout: float | None = None) -> dict[str, Any]:
        """Waits for the answer to `initialize` and returns it; raises `Unavailable` for a foreign CODEX_HOME."""
        answer: dict[str, Any] = self.wait(handshake, timeout)
        self.check_home(answer.get("codexHome"))
        self._queue({"method": "initialized", "params": {}})
        return answer

    def check_home(self, served: str | None) -> None:
        """Raises `Unavailable` when the codexd at hand serves another CODEX_HOME than the one that is meant."""
        check_home(self.path, served, named=self._named)

    def close(self) -> None:
        """Hangs up. Turns and questions go on without this client."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Sending

    def send(self, method: str, params: Mapping[str, Any] | None = None) -> int:
        """Queues a request and returns its id. Its answer comes out of `wait`, else out of `receive`."""
        request_id = next(self._ids)
        self._queue({"id": request_id, "method": method, "params": params or {}})
        return request_id

    def respond(self, request_id: RequestId, result: Any) -> None:
        """Answers a server request, and sends what is queued."""
        self._queue({"id": request_id, "result": result})
        self.flush()

    def abstain(self, request_id: RequestId, message: str) -> None:
        """Leaves a server request to whoever else was asked; if that is nobody, Codex gets this as an error."""
        self._queue({"id": request_id, "error": {"code": int(Code.METHOD_NOT_FOUND), "message": message}})
        self.flush()

    def flush(self) -> None:
        """Sends what is queued. Called while another `flush` is under way, it leaves the work to that one.

        It never fails for a connection that is gone: reading tells, and has codexd's reason. The first one raises
        `Unavailable` when codexd takes nothing and says nothing.
        """
        if self._is_unheard and self._patience is None:
            self._patience = Patience(self.path)
            self._socket.settimeout(ANSWER_SECONDS)
        while self._outgoing and self._writing.acquire(blocking=False):
            try:
                waiting = len(self._outgoing)
                self._write(b"".join(self._outgoing.popleft() for _ in range(waiting)))
            except ConnectionError:
                self._outgoing.clear()
            finally:
                self._writing.release()

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            try:
                left = left[self._socket.send(left, NO_SIGPIPE) :]
            except TimeoutError:
                if self._patience is not None and not self._poll.poll(0):
                    self._patience.check()

    def _queue(self, message: dict[str, Any]) -> None:
        self._outgoing.append(json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode() + b"\n")

    # Receiving

    def request(
        self, method: str, params: Mapping[str, Any] | None = None, timeout: float | None = None
    ) -> Any:
        """Sends a request and waits for its result; raises `RpcError`, `ConnectionLost` or `TimeoutError`."""
        return self.wait(self.send(method, params), timeout)

    def wait(self, request_id: int, timeout: float | None = None) -> Any:
        """Waits for the result of a request; raises `RpcError`, `ConnectionLost` or `TimeoutError`."""
        self.flush()
        deadline = None if timeout is None else time.monotonic() + timeout
        seen = 0
        while True:
            for at in range(seen, len(self._inbox)):
                found = self._inbox[at]
                if isinstance(found, Answer) and found.id == request_id:
                    del self._inbox[at]
                    return _result_of(found)
            seen = len(self._inbox)
            if not self._read(deadline):
                raise TimeoutError("codexd has not answered in time")

    def receive(self, timeout: float | None = None) -> Incoming | None:
        """The next message or unclaimed answer; None when none comes in `timeout` seconds (0: none is there)."""
        self.flush()
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._inbox:
            if not self._read(deadline):
                return None
        return self._inbox.popleft()

    def messages(self) -> Iterator[Message]:
        """What codexd sends unasked, for ever; ends with `ConnectionLost`."""
        while True:
            if isinstance(incoming := self.receive(), Message):
                yield incoming

    def fileno(self) -> int:
        """For `select`. It tells of bytes to read; call `receive(0)` until it returns None before waiting for it."""
        return self._socket.fileno()

    def _read(self, deadline: float | None) -> bool:
        """Takes in what is there, waiting for it until `deadline`; False if nothing came."""
        while not self._poll.poll(self._wait_ms(deadline)):
            if self._patience is not None and not self._patience.left():
                self._patience.check()
            elif deadline is not None and time.monotonic() >= deadline:
                return False
        try:
            chunk = self._socket.recv(READ_BYTES)
        except OSError as error:
            raise self._lost(error) from error
        if not chunk:
            raise self._lost(None)
        if self._is_unheard:
            self._is_unheard, self._patience = False, None
            self._socket.settimeout(None)
        for line in self._lines.feed(chunk):
            assert isinstance(line, bytes), "there is no limit"
            self._take(line)
        return True

    def _wait_ms(self, deadline: float | None) -> float | None:
        """How long to wait for what comes next."""
        waits = [] if deadline is None else [max(0.0, deadline - time.monotonic())]
        if self._patience is not None:
            waits.append(self._patience.left())
        return min(waits) * 1000 if waits else None

    def _take(self, line: bytes) -> None:
        message = json.loads(line)
        request_id = message.get("id")
        if request_id == _SIGN_OF_LIFE and "method" not in message:
            return
        if "method" in message:
            params, seq, at = message.get("params") or {}, message.get("seq"), message.get("at")
            self._inbox.append(Message(message["method"], params, request_id, line, seq, at))
        elif "error" in message:
            error = message["error"]
            if request_id is None:
                self._farewell = error["message"]
                self._is_refused = error["code"] == Code.NOT_PERMITTED
            else:
                failure = RpcError(error["code"], error["message"], error.get("data"))
                self._inbox.append(Answer(request_id, None, failure))
        else:
            self._inbox.append(Answer(request_id, message["result"], None))

    def _lost(self, error: OSError | None) -> ConnectionLost:
        if self._is_refused and self._farewell:
            return ConnectionLost(self._farewell)
        reason = self._farewell or (error.strerror if error else None)
        return ConnectionLost("codexd closed the connection" + (f": {reason}" if reason else ""))


def _result_of(answer: Answer) -> Any:
    if answer.error is not None:
        raise answer.error
    return answer.result
