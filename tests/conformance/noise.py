"""Somebody else who works at the same time: a second client of the codexd under test.

It looks as like the first as it can: the same request ids, the same handles; its own threads and turns, and bursts of
requests. Nothing of it may be seen by the first client, except what Codex itself tells to everybody.

Bare Codex on stdio has one connection only, so there the noise shares that of the script: under ids and handles of
its own, and left out of the transcript. That is how bare Codex is put under the same load.
"""

import itertools
import json
import threading
from collections.abc import Iterator
from typing import Any

from tests.e2e.harness import World
from tests.e2e.harness_client import JsonLinesClient, Message

BURST = 100
PACE_S = (
    0.02  # between two pieces of work: noise that never rests leaves nothing of the machine to the script
)
COMMAND = "item/commandExecution/requestApproval"
MARK = "noise"
"""What ids and handles on a shared connection begin with."""


class Noise:
    """Runs from ``__enter__`` to ``__exit__``, which raises what went wrong in it."""

    def __init__(self, world: World, client: JsonLinesClient, *, shared: bool = False) -> None:
        self.threads: set[str] = set()
        self.shared = shared
        self._client = client
        self._place = world.root
        self._project = str(world.root / "noise")
        self._ids = itertools.count(2)  # 1 was the handshake
        self._over = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="noise")

    def __enter__(self) -> "Noise":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def is_noise(self, message: Message) -> bool:
        """Whether a message on a shared connection is the noise's."""
        if not self.shared:
            return False
        mine = f'"{MARK}'
        if "method" not in message:
            return json.dumps(message["id"]).startswith(mine)
        params = message.get("params", {})
        thread = params.get("threadId") or (params.get("thread") or {}).get("id")
        handle = params.get("watchId") or params.get("processId")
        return thread in self.threads or json.dumps(handle).startswith(mine)

    def _run(self) -> None:
        try:
            self._client.wait_notification("remoteControl/status/changed")  # the handshake is over
            while not self._over.is_set():
                for _ in self._round():
                    if self._over.wait(PACE_S):
                        break
        except (AssertionError, TimeoutError, ConnectionError) as failure:
            self._failure = failure

    def _round(self) -> Iterator[None]:
        """One piece of work after the other; between two of them it can end."""
        client = self._client
        thread = self._call("thread/start", {"cwd": self._project})["thread"]["id"]
        self.threads.add(thread)
        yield
        turn = self._turn(thread, "stream 20")
        yield
        burst = [self._start("thread/loaded/list", {}) for _ in range(BURST)]
        for id in burst:
            assert "result" in client.wait_response(id)
        yield
        client.wait_turn(turn)
        watch, process = {"watchId": self._own("w1")}, {"processId": self._own("p1")}
        self._call("fs/watch", {**watch, "path": str(self._place)})
        ran = self._start("command/exec", {"command": ["sh", "-c", "echo noise"], **process})
        self._call("fs/unwatch", watch)
        assert client.wait_response(ran)["result"]["exitCode"] == 0
        yield
        mark = client.mark()
        turn = self._turn(thread, "run true")
        asked = client.wait_server_request(COMMAND, since=mark, threadId=thread)
        client.answer(asked, {"decision": "decline"})
        client.wait_turn(turn)
        yield

    def _turn(self, thread: str, prompt: str) -> str:
        turn = {"threadId": thread, "input": [{"type": "text", "text": prompt}]}
        started: str = self._call("turn/start", turn)["turn"]["id"]
        return started

    def _call(self, method: str, params: Message) -> Any:
        answer = self._client.wait_response(self._start(method, params))
        assert "result" in answer, f"{method} was answered {answer}"
        return answer["result"]

    def _start(self, method: str, params: Message) -> Any:
        number = next(self._ids)
        return self._client.start(method, params, id=f"{MARK} {number}" if self.shared else number)

    def _own(self, handle: str) -> str:
        return f"{MARK} {handle}" if self.shared else handle
