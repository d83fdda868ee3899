"""A flood of connections takes no descriptor that codexd itself needs."""

import json
import os
import resource
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.service.place import PATIENCE_SECONDS, Place

LIMIT = 64
CONNECTIONS = 400


@pytest.fixture(autouse=True)
def _enough_descriptors() -> Iterator[None]:
    """For the other ends of the connections, which are in this process."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = CONNECTIONS + 200
    if before[1] != resource.RLIM_INFINITY and before[1] < needed:
        pytest.skip(f"this system allows a process {before[1]} descriptors, and {needed} are needed")
    if before[0] != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], needed), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


class Client:
    """One connection of JSON lines."""

    def __init__(self, place: Place, stack: ExitStack) -> None:
        connection = stack.enter_context(place.connect())
        self._stream = stack.enter_context(connection.makefile("rwb"))
        self._last = 0

    def call(self, method: str, params: object) -> dict[str, Any]:
        """The result of a request; what else comes before it is passed over."""
        self._last += 1
        self._stream.write(
            json.dumps({"id": self._last, "method": method, "params": params}).encode() + b"\n"
        )
        self._stream.flush()
        while True:
            message: dict[str, Any] = self._read()
            if message.get("id") == self._last:
                result: dict[str, Any] = message["result"]
                return result

    def wait_notification(self, method: str) -> None:
        """Returns when it has come."""
        while self._read().get("method") != method:
            continue

    def _read(self) -> dict[str, Any]:
        line = self._stream.readline()
        assert line, "codexd has closed the connection"
        message: dict[str, Any] = json.loads(line)
        return message


def limited() -> None:
    """As `ulimit -n 64` does: the hard limit, too, so that codexd cannot raise it."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))


def flood(place: Place, stack: ExitStack) -> None:
    """Connects without waiting to be accepted."""
    for _ in range(CONNECTIONS):
        connection = stack.enter_context(socket.socket(socket.AF_UNIX))
        connection.setblocking(False)
        try:
            connection.connect(str(place.socket))
        except BlockingIOError:  # the backlog is full, where the system allows no longer one
            return


def test_codex_killed_beside_400_connections_comes_back(place: Place) -> None:
    """Regression: at `ulimit -n 64` the connections took every descriptor, and the sweep's failure ended codexd.

    Who is connected is answered all the time, and when the flood is over everybody can connect again.
    """
    place.codex()
    codexd = place.start("run", preexec_fn=limited)
    place.wait_until_listening(codexd)
    with ExitStack() as stack:
        client = Client(place, stack)
        client.call(
            "initialize", {"clientInfo": {"name": "t", "version": "1"}, "capabilities": {"codexd": {}}}
        )
        old = client.call("codexd/status", {})["codex"]["pid"]
        with ExitStack() as strangers:
            flood(place, strangers)
            place.wait_for_line(codexd.stderr, "codexd keeps the last 16 of its 64 descriptors")
            os.kill(old, signal.SIGKILL)
            client.wait_notification("codexd/codex/ready")
            codex = client.call("codexd/status", {})["codex"]
            assert codex["state"] == "ready"
            assert codex["pid"] != old
            assert client.call("fake/received", {})["methods"][0] == "initialize"
        assert place.ask("codexd/status")["result"]["codex"]["pid"] == codex["pid"]
    codexd.send_signal(signal.SIGTERM)
    _, said = codexd.communicate(timeout=PATIENCE_SECONDS)
    assert codexd.returncode == 0
    assert "Too many open files" not in said, "nothing of codexd's own went without"
