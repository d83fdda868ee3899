"""Where a scripted answer waits until somebody lets it go on."""

import selectors
import socket
import threading
from collections import Counter


class Holds:
    """Named gates. A name once released stays open, so nobody has to release after the hold, only some time."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._held: Counter[str] = Counter()
        self._released: set[str] = set()
        self._wakers: set[socket.socket] = set()
        self._closed = False

    def release(self, name: str) -> None:
        with self._changed:
            self._released.add(name)
            self._wake_all()

    def close(self) -> None:
        """Ends every wait, those to come included."""
        with self._changed:
            self._closed = True
            self._wake_all()

    def wait_held(self, name: str, timeout: float) -> None:
        """Returns when somebody waits for ``name``; TimeoutError after ``timeout`` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._held[name] > 0, timeout):
                raise TimeoutError(f"nobody holds {name}")

    def wait_left(self, name: str, timeout: float) -> None:
        """Returns when nobody waits for ``name`` (any more); TimeoutError after ``timeout`` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._held[name] == 0, timeout):
                raise TimeoutError(f"{name} is still held")

    def wait(self, name: str, peer: socket.socket) -> bool:
        """Waits for ``name``; False when ``peer`` hangs up first or everything is closed."""
        woken, waker = socket.socketpair()
        with woken, waker, selectors.DefaultSelector() as selector:
            selector.register(woken, selectors.EVENT_READ)
            selector.register(peer, selectors.EVENT_READ)
            with self._changed:
                self._wakers.add(waker)
                self._held[name] += 1
                self._changed.notify_all()
            try:
                return self._wait_in(selector, name, woken, peer)
            finally:
                with self._changed:
                    self._wakers.discard(waker)
                    self._held[name] -= 1
                    self._changed.notify_all()

    def _wait_in(
        self, selector: selectors.BaseSelector, name: str, woken: socket.socket, peer: socket.socket
    ) -> bool:
        while True:
            with self._changed:
                if self._closed or name in self._released:
                    return not self._closed
            ready = [key.fileobj for key, _ in selector.select()]
            if peer in ready:
                return False
            woken.recv(1)

    def _wake_all(self) -> None:
        for waker in self._wakers:
            waker.send(b".")
