"""Asking the codexd that runs: a few requests over its socket with the standard library alone.

`status` is typed often, so this costs a socket and json and nothing else.
"""

import json
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from codexd.protocol.errors import CodexdError, Unavailable


class Refused(CodexdError):
    """The answer was an error; the message is the error's. `reason` is the word in its data, where there is one."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error["message"])
        data = error.get("data")
        self.reason = data.get("reason") if isinstance(data, dict) else None


class Mute(Unavailable):
    """codexd is there, and there was no answer in time."""


class Asker:
    """A connection that asks one thing after the other. What else arrives meanwhile is for others and is skipped."""

    def __init__(self, path: Path, seconds: float) -> None:
        """Connects.

        Args:
            seconds: how long all questions may take together.

        Raises:
            Unavailable: nobody listens.
        """
        self._path = path
        self._deadline = time.monotonic() + seconds
        self._buffer = b""
        self._next_id = 0
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(seconds)
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            raise Unavailable(f"nobody answers on the socket {path}: {error.strerror or error}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def ask(self, method: str, params: dict[str, Any] | None = None, seconds: float | None = None) -> Any:
        """The result of a request.

        Args:
            seconds: how long this one may take at most.

        Raises:
            Refused: the answer is an error.
            Mute: no answer in time.
            Unavailable: the connection ended.
        """
        deadline = self._deadline if seconds is None else min(self._deadline, time.monotonic() + seconds)
        self._next_id += 1
        request = {"id": self._next_id, "method": method, "params": params or {}}
        try:
            self._socket.sendall(json.dumps(request).encode() + b"\n")
            while True:
                answer = json.loads(self._line(deadline))
                if answer.get("id", 0) in (self._next_id, None) and "method" not in answer:
                    break
        except TimeoutError:
            raise Mute(f"no answer on the socket {self._path} to {method}") from None
        except OSError as error:
            raise Unavailable(f"the connection to {self._path} ended: {error.strerror}") from None
        if "error" in answer:
            raise Refused(answer["error"])
        return answer["result"]

    def _line(self, deadline: float) -> bytes:
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._socket.settimeout(left)
            chunk = self._socket.recv(65536)
            if not chunk:
                raise ConnectionResetError(0, "closed by the other side")
            self._buffer += chunk
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line
