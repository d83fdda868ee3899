"""A way to codexd that can be cut while codexd lives on."""

import socket
import threading
from collections.abc import Callable
from pathlib import Path

from tests.e2e.harness_client import PATIENCE_S


class Relay:
    """Listens at `path` and passes bytes to and from `target`. Who connects while it is cut waits for `mend`."""

    def __init__(self, path: Path, target: Path) -> None:
        self._target = str(target)
        self._connections: list[socket.socket] = []
        self._is_whole = threading.Event()
        self._is_whole.set()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._threads: list[threading.Thread] = []
        self._run(self._accept)

    def cut(self) -> None:
        """Ends all connections, and lets no new one through."""
        self._is_whole.clear()
        for connection in self._connections:
            _end(connection)

    def mend(self) -> None:
        """From now on connections go through."""
        self._is_whole.set()

    def close(self) -> None:
        """To be called when it is whole and nobody waits any more."""
        _end(self._listener)
        self.cut()
        for thread in self._threads:
            thread.join(PATIENCE_S)
        for connection in (self._listener, *self._connections):
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if not self._is_whole.wait(PATIENCE_S):
                near.close()
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect(self._target)
            self._connections += [near, far]
            for source, sink in ((near, far), (far, near)):
                self._run(_pass, source, sink)

    def _run(self, target: Callable[..., None], *args: object) -> None:
        self._threads.append(threading.Thread(target=target, args=args, name="test relay", daemon=True))
        self._threads[-1].start()


def _pass(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:  # cut
        pass
    _end(sink)


def _end(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # it has ended already
        pass
