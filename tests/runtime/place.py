"""A broker that runs with a fake Codex, and its clients on real connections."""

import json
import os
import socket
from collections.abc import Sequence

from codexd.routing.effects import Observed
from codexd.routing.router import Identity
from codexd.runtime.archive import NoArchive
from codexd.runtime.broker import Broker
from codexd.runtime.machine import ThisMachine
from codexd.runtime.timeline import Timeline
from tests.fakes import FarEnd

INTRODUCTION = {"clientInfo": {"name": "test", "version": "1"}}


class Place:
    """A broker that runs, and its clients."""

    def __init__(self, path, find, limits, codex_silence=30.0):
        identity = Identity(
            pid=os.getpid(),
            version="0.1.0",
            socket=str(path),
            codex_home="/home",
            started_at=1e9,
            codex_silence=codex_silence,
            is_observed=True,
        )
        self.observed: list[Sequence[Observed]] = []
        self.timeline = Timeline(NoArchive())
        self.broker = Broker(identity, ThisMachine(find), self.timeline, limits, observe=self.observed.append)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(str(path))
        self.listener.listen()
        self._path = path
        self._ends = [self.listener]

    async def run(self, task_status):
        """Runs the broker to its end."""
        await self.broker.run([self.listener], task_status=task_status)

    def connect(self):
        """A new client that has said nothing yet."""
        end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._ends.append(end)
        end.connect(str(self._path))
        return FarEnd(end)

    async def client(self, **capabilities):
        """A new client that has introduced itself."""
        far = self.connect()
        answer = await far.request(0, "initialize", INTRODUCTION | {"capabilities": capabilities})
        assert "result" in answer
        return far

    async def status(self):
        """What codexd says of itself."""
        far = self.connect()
        answer = await far.request(0, "codexd/status")
        await far.close()
        return answer["result"]

    def close(self):
        """Closes every end that is still open."""
        for end in self._ends:
            end.close()


def request(number, method, params=None):
    """The line of a request."""
    return json.dumps({"id": number, "method": method, "params": params or {}}).encode() + b"\n"


def notification(method, **params):
    """A line of Codex's, as hexadecimal with its line feed."""
    return (json.dumps({"method": method, "params": params}).encode() + b"\n").hex()
