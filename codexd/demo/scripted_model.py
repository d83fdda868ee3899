"""A model without a model: the Responses API on loopback, answering by script.

A real Codex needs neither account nor network when its model provider is this server, so the demo, the
end-to-end tests and the benchmark run the real binary. ``codexd.demo.script`` has the language of prompts.

    with ScriptedModel() as model:
        model.write_config(codex_home)      # then start Codex with CODEX_HOME=codex_home
        ...
        model.release("NAME")               # lets a ``hold NAME`` go on

The server runs in threads of its own, so it serves synchronous tests, trio tests and programs alike. Or alone:

    python -m codexd.demo.scripted_model --port 8765 --codex-home DIR

where ``POST /release/NAME`` releases a hold.

Seen with Codex 0.163 and 0.169: it POSTs ``/v1/responses``, uncompressed for a provider without sign-in, and
reads ``text/event-stream``. It asks for nothing else: no ``GET /v1/models``. Without ``output_item.added``
first, deltas are dropped.
"""

import argparse
import http.server
import itertools
import json
import secrets
import signal
import socket
import socketserver
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from codexd.demo.codex_config import write_config
from codexd.demo.holds import Holds
from codexd.demo.script import Call, Cut, Fail, Hold, Message, Now, Pause, prompt_in, reply_to

REQUESTS_KEPT = 500
_USAGE = {
    "input_tokens": 10,
    "input_tokens_details": None,
    "output_tokens": 5,
    "output_tokens_details": None,
    "total_tokens": 15,
}


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """One request that Codex made of the model."""

    thread_id: str
    parent_thread_id: str  # "" unless a sub-agent asks
    kind: str  # "turn", "compaction", and what else Codex asks a model for
    prompt: str  # the last that the user said; "" without one
    body: dict[str, Any] = field(repr=False)
    headers: dict[str, str] = field(repr=False)  # by their names in small letters


class ScriptedModel:
    """The server; ``port`` 0 takes a free one. Bound from the start, serving inside ``with``."""

    def __init__(self, port: int = 0) -> None:
        self.holds = Holds()
        self._seen: deque[SeenRequest] = deque(maxlen=REQUESTS_KEPT)
        self._life = secrets.token_hex(4)
        self._numbers = itertools.count(1)
        self._server = _Server(("127.0.0.1", port), self)
        self.port: int = self._server.server_address[1]
        self.base_url = f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> "ScriptedModel":
        threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="scripted model", daemon=True
        ).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.holds.close()
        self._server.shutdown()
        self._server.server_close()

    @property
    def requests(self) -> list[SeenRequest]:
        """The last 500 requests, oldest first."""
        return list(self._seen)

    def release(self, name: str) -> None:
        """Lets every ``hold NAME`` go on, those to come included."""
        self.holds.release(name)

    def wait_held(self, name: str, timeout: float = 30.0) -> None:
        """Returns when a ``hold NAME`` waits; TimeoutError when none does within ``timeout`` seconds."""
        self.holds.wait_held(name, timeout)

    def write_config(self, codex_home: Path, *, mcp: bool = False) -> None:
        """Makes ``codex_home`` a Codex home that uses this model; ``mcp`` adds the server that ``elicit`` needs."""
        write_config(codex_home, self.base_url, mcp=mcp)

    def answer(self, seen: SeenRequest) -> Fail | Iterator[bytes | Pause | Hold | Cut]:
        """The stream of an answer with the places where it waits or ends."""
        self._seen.append(seen)
        reply = reply_to(seen.body.get("input", []))
        return reply if isinstance(reply, Fail) else self._stream(reply)

    def _stream(self, steps: tuple[Message | Call, ...]) -> Iterator[bytes | Pause | Hold | Cut]:
        response = f"resp_{self._name()}"
        yield _event("response.created", response={"id": response})
        for step in steps:
            name = self._name()
            yield from _message(step, name) if isinstance(step, Message) else _call(step, name)
        yield _event("response.completed", response={"id": response, "usage": _USAGE})

    def _name(self) -> str:
        """Never the same twice, in another model's life neither: a thread outlives the model."""
        return f"{self._life}_{next(self._numbers)}"


def _event(kind: str, **members: object) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **members})}\n\n".encode()


def _message(message: Message, name: str) -> Iterator[bytes | Pause | Hold | Cut]:
    item = {"type": "message", "role": "assistant", "id": f"msg_{name}"}
    yield _event("response.output_item.added", item={**item, "content": []})
    said = ""
    for part in message.parts:
        delta = f"{time.monotonic_ns()} " if isinstance(part, Now) else part
        if isinstance(delta, str):
            said += delta
            where = {"item_id": item["id"], "output_index": 0, "content_index": 0}
            yield _event("response.output_text.delta", delta=delta, **where)
        else:
            yield delta
    content = [{"type": "output_text", "text": said}]
    yield _event("response.output_item.done", item={**item, "content": content})


def _call(call: Call, name: str) -> Iterator[bytes]:
    item = {"type": "function_call", "call_id": f"call_{name}", "name": call.name}
    if call.namespace is not None:
        item["namespace"] = call.namespace
    yield _event("response.output_item.done", item={**item, "arguments": json.dumps(call.arguments)})


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 256  # twenty prompts at the same instant are twenty connections

    def __init__(self, address: tuple[str, int], model: ScriptedModel) -> None:
        self.model = model
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that breaks is an interrupted turn or a killed Codex; all else is a bug to be seen."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 64 * 1024  # deltas leave together unless the script waits between them

    @property
    def _model(self) -> ScriptedModel:
        assert isinstance(self.server, _Server)
        return self.server.model

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.close_connection = True
        elsewhere, _, name = self.path.partition("/release/")
        if self.path == "/v1/responses":
            self._respond(body)
        elif name and not elsewhere:
            self._model.release(name)
            self._send(HTTPStatus.OK, {"released": name})
        else:
            self._send(HTTPStatus.NOT_FOUND, {"error": {"message": f"There is no {self.path} here."}})

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: stderr is the caller's."""

    def _respond(self, body: bytes) -> None:
        try:
            seen = self._seen(json.loads(body))
        except json.JSONDecodeError as error:
            self._send(HTTPStatus.BAD_REQUEST, {"error": {"message": f"This is not JSON: {error}"}})
            return
        answer = self._model.answer(seen)
        if isinstance(answer, Fail):
            self._send(answer.status, {"error": {"message": answer.message, "type": "scripted"}})
            return
        self.send_response(HTTPStatus.OK)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        for step in answer:
            if isinstance(step, bytes):
                self.wfile.write(step)
            elif not self._go_on_after(step):
                return

    def _seen(self, body: dict[str, Any]) -> SeenRequest:
        about = json.loads(self.headers.get("x-codex-turn-metadata", "{}"))
        prompts = [prompt for prompt in map(prompt_in, body.get("input", [])) if prompt is not None]
        return SeenRequest(
            thread_id=about.get("thread_id", ""),
            parent_thread_id=about.get("parent_thread_id", ""),
            kind=about.get("request_kind", ""),
            prompt=prompts[-1] if prompts else "",
            body=body,
            headers={name.lower(): value for name, value in self.headers.items()},
        )

    def _go_on_after(self, step: Pause | Hold | Cut) -> bool:
        self.wfile.flush()
        match step:
            case Pause(seconds):
                time.sleep(seconds)
                return True
            case Hold(name):
                return self._model.holds.wait(name, self.connection)
            case Cut():
                # A reset, not an orderly end: what a server that crashed looks like.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
                return False

    def _send(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m codexd.demo.scripted_model", description="A model by script."
    )
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--codex-home", type=Path, help="the Codex home to write a config.toml to")
    parser.add_argument("--mcp", action="store_true", help="configure the MCP server that `elicit` needs")
    options = parser.parse_args()
    stop = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, stop)
    with ScriptedModel(options.port) as model:
        if options.codex_home:
            model.write_config(options.codex_home, mcp=options.mcp)
        print(model.base_url, flush=True)
        signal.sigwait(stop)


if __name__ == "__main__":
    main()
