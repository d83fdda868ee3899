"""Clients that wait on a socket of the service manager when codexd cannot serve: they are told why."""

import logging
import socket
from http import HTTPStatus

from codexd.protocol.errors import Code
from codexd.runtime.turning_away import FIRST_BYTES, refusal

logger = logging.getLogger(__name__)


def turn_away(listener: socket.socket, sentence: str) -> None:
    """Tells every client that waits on a socket of the service manager why nobody serves it.

    Unanswered they would make systemd start codexd again at once, until it gives up on the socket for good.
    """
    listener.setblocking(False)
    while True:
        try:
            client, _ = listener.accept()
        except BlockingIOError:
            return
        with client:
            client.setblocking(False)
            try:
                client.send(_refusal(_first_bytes(client), sentence))
            except (BrokenPipeError, ConnectionResetError):
                logger.debug("a client disconnected before it got the error")


def _first_bytes(client: socket.socket) -> bytes:
    """What it has said so far; left unread, it would reset the connection under the answer."""
    try:
        return client.recv(FIRST_BYTES)
    except BlockingIOError:
        return b""


def _refusal(first_bytes: bytes, sentence: str) -> bytes:
    reason = {"reason": "codexdUnavailable"}
    return refusal(first_bytes, Code.CODEX_UNAVAILABLE, HTTPStatus.SERVICE_UNAVAILABLE, sentence, reason)
