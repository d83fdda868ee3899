"""A client that speaks JSON lines, for tests that wait for messages and never for time."""

import itertools
import json
import threading
import time
from collections.abc import Callable
from typing import IO, Any

Message = dict[str, Any]

PATIENCE_S = 60.0  # how long a test waits before it is a failure: generous, no test depends on it


class JsonLinesClient:
    """One client on a pair of byte streams: a socket's, or the stdin and stdout of a process.

    ``hang_up`` is called by ``close`` after the outgoing stream is closed, for what that alone does not end.

    A thread reads from the first instant on, so nothing is lost between two calls; ``messages`` holds all that
    came, oldest first. Every waiting method looks from ``since`` on (a number from ``mark()``; by default the
    beginning) and raises TimeoutError with the last messages when nothing fits in time, and ConnectionError as
    soon as the far side has hung up without sending it.
    """

    def __init__(
        self, incoming: IO[bytes], outgoing: IO[bytes], hang_up: Callable[[], None] | None = None
    ) -> None:
        self.messages: list[Message] = []
        self.closed = False
        self._incoming = incoming
        self._outgoing = outgoing
        self._hang_up = hang_up
        self._end: Exception | None = None
        self._changed = threading.Condition()
        self._ids = itertools.count(1)
        self._reader = threading.Thread(target=self._read, name="test client", daemon=True)
        self._reader.start()

    def close(self) -> None:
        """Hangs up; returns when everything that was under way has been read."""
        try:
            self._outgoing.close()
        except OSError:  # what could not be sent before the far side hung up
            pass
        if self._hang_up:
            self._hang_up()
        self._reader.join(PATIENCE_S)
        self._incoming.close()

    # Sending

    def send(self, message: Message) -> None:
        self.send_bytes(json.dumps(message).encode() + b"\n")

    def send_bytes(self, data: bytes) -> None:
        self._outgoing.write(data)
        self._outgoing.flush()

    def notify(self, method: str, params: object = None) -> None:
        self.send({"method": method} if params is None else {"method": method, "params": params})

    def start(self, method: str, params: object = None, *, id: object = None) -> Any:
        """Sends a request and does not wait; returns its id."""
        chosen = next(self._ids) if id is None else id
        self.send({"id": chosen, "method": method, "params": {} if params is None else params})
        return chosen

    def answer(self, request: Message, result: object) -> None:
        self.send({"id": request["id"], "result": result})

    # Receiving

    def mark(self) -> int:
        """Where the messages that come from now on will begin."""
        with self._changed:
            return len(self.messages)

    def wait(
        self, fits: Callable[[Message], bool], *, since: int = 0, timeout: float = PATIENCE_S, what: str = ""
    ) -> Message:
        """The first message from ``since`` on that ``fits``."""
        deadline = time.monotonic() + timeout
        position = since
        with self._changed:
            while True:
                for message in self.messages[position:]:
                    if fits(message):
                        return message
                position = len(self.messages)
                if self.closed:
                    raise ConnectionError(self._report(f"hung up before {what or 'a message that fits'}"))
                if not self._wait_for_news(position, deadline):
                    raise TimeoutError(self._report(f"no {what or 'message that fits'} in {timeout} s"))

    def wait_response(self, id: object, *, timeout: float = PATIENCE_S) -> Message:
        """The answer to the request ``id``, error or not. Types count: 1 is not "1", True is not 1."""
        return self.wait(lambda message: _answers(message, id), timeout=timeout, what=f"answer to {id!r}")

    def wait_notification(
        self, method: str, *, since: int = 0, timeout: float = PATIENCE_S, **params: object
    ) -> Message:
        """The first notification ``method`` whose params have these members."""
        return self.wait(
            lambda message: "id" not in message and _is(message, method, params),
            since=since,
            timeout=timeout,
            what=f"{method} {params or ''}",
        )

    def wait_server_request(
        self, method: str, *, since: int = 0, timeout: float = PATIENCE_S, **params: object
    ) -> Message:
        """The first request from the far side with this ``method`` whose params have these members."""
        return self.wait(
            lambda message: "id" in message and _is(message, method, params),
            since=since,
            timeout=timeout,
            what=f"request {method} {params or ''}",
        )

    def wait_closed(self, timeout: float = PATIENCE_S) -> None:
        """Returns when the far side has hung up."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.closed, timeout):
                raise TimeoutError(self._report(f"still connected after {timeout} s"))

    # Conversations

    def call(
        self, method: str, params: object = None, *, id: object = None, timeout: float = PATIENCE_S
    ) -> Any:
        """Sends a request, waits, and returns its result; an error fails the test."""
        response = self.wait_response(self.start(method, params, id=id), timeout=timeout)
        assert "result" in response, f"{method} was answered {response}"
        return response["result"]

    def call_error(self, method: str, params: object = None, *, id: object = None) -> Any:
        """Sends a request that must fail, and returns its error."""
        response = self.wait_response(self.start(method, params, id=id))
        assert "error" in response, f"{method} was answered {response}"
        return response["error"]

    def initialize(self, name: str = "test", **capabilities: object) -> Any:
        """The handshake, experimental methods allowed unless ``capabilities`` says otherwise."""
        params = {
            "clientInfo": {"name": name, "version": "1"},
            "capabilities": {"experimentalApi": True, **capabilities},
        }
        result = self.call("initialize", params)
        self.notify("initialized")
        return result

    def start_thread(self, **params: object) -> str:
        thread_id = self.call("thread/start", params)["thread"]["id"]
        assert isinstance(thread_id, str)
        return thread_id

    def start_turn(self, thread_id: str, prompt: str, **params: object) -> str:
        turn = {"threadId": thread_id, "input": [{"type": "text", "text": prompt}], **params}
        turn_id = self.call("turn/start", turn)["turn"]["id"]
        assert isinstance(turn_id, str)
        return turn_id

    def wait_turn(self, turn_id: str, *, timeout: float = PATIENCE_S) -> Any:
        """The turn as its ``turn/completed`` has it."""
        done = self.wait(
            lambda message: (
                message.get("method") == "turn/completed" and message["params"]["turn"]["id"] == turn_id
            ),
            timeout=timeout,
            what=f"end of turn {turn_id}",
        )
        return done["params"]["turn"]

    def said_in(self, turn_id: str) -> str:
        """The whole text of the messages that a turn has completed, as far as this client was told."""
        items = [
            message["params"]["item"]
            for message in self.messages
            if message.get("method") == "item/completed" and message["params"]["turnId"] == turn_id
        ]
        return "\n".join(item["text"] for item in items if item["type"] == "agentMessage")

    # The reading thread

    def take(self, line: bytes) -> None:
        """One line that came. Whoever keeps less than everything keeps it here."""
        message = json.loads(line)
        with self._changed:
            self.messages.append(message)
            self._changed.notify_all()

    def _read(self) -> None:
        try:
            for line in self._incoming:
                self.take(line)
        except (OSError, ValueError) as error:  # reset by the far side, or closed here under the reader
            self._end = error
        with self._changed:
            self.closed = True
            self._changed.notify_all()

    def _wait_for_news(self, seen: int, deadline: float) -> bool:
        return self._changed.wait_for(
            lambda: len(self.messages) > seen or self.closed, deadline - time.monotonic()
        )

    def _report(self, what: str) -> str:
        what += f" ({self._end!r})" if self._end else ""
        last = "\n".join(f"  {json.dumps(message)[:300]}" for message in self.messages[-20:])
        return f"{what}; the last of {len(self.messages)} messages:\n{last}"


def _answers(message: Message, id: object) -> bool:
    return "method" not in message and type(message.get("id")) is type(id) and message["id"] == id


def _is(message: Message, method: str, params: Message) -> bool:
    given = message.get("params") or {}
    return message.get("method") == method and all(given.get(name) == value for name, value in params.items())
