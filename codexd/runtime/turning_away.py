"""Clients that are not served: told why in what they speak, and hung up on."""

import socket
from http import HTTPStatus

import trio

from codexd.protocol import messages
from codexd.protocol.errors import Code
from codexd.protocol.names import as_text
from codexd.runtime.transport import WEBSOCKET_BEGINNING, is_undecided

FIRST_BYTES = 64 * 1024
PATIENCE_SECONDS = 5.0
"""How long a client may take to say what it speaks, and then to hang up when it has been told."""
MAX_AT_ONCE = 64
"""So many are told at once. Further ones are hung up on without a word: their descriptors are everybody's."""


def refusal(first_bytes: bytes, code: Code, status: HTTPStatus, sentence: str, data: object = None) -> bytes:
    """The sentence in what a client speaks: an error that belongs to no request, or an HTTP response."""
    if not first_bytes.startswith(WEBSOCKET_BEGINNING):
        return messages.error(b"null", code, sentence, data) + b"\n"
    body = as_text(sentence).encode() + b"\n"
    return (
        b"HTTP/1.1 %d %b\r\nConnection: close\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n\r\n%b"
        % (status, status.phrase.encode(), len(body), body)
    )


async def turn_away(connection: socket.socket, sentence: str) -> None:
    """Tells a client that it is not permitted to connect. Closes the connection.

    What it sends is read up to where it is known what it speaks; the rest is thrown away, because who is in the middle
    of sending would meet a broken pipe before it reads the sentence.
    """
    with connection:
        try:
            beginning = await _beginning(connection)
            connection.send(refusal(beginning, Code.NOT_PERMITTED, HTTPStatus.FORBIDDEN, sentence))
            connection.shutdown(socket.SHUT_WR)
            with trio.move_on_after(PATIENCE_SECONDS):
                while await _received(connection):
                    pass
        except (OSError, MemoryError):
            return  # it is gone, or there is no memory for what it says


async def _beginning(connection: socket.socket) -> bytes:
    beginning = b""
    with trio.move_on_after(PATIENCE_SECONDS):
        while is_undecided(beginning):
            chunk = await _received(connection)
            if not chunk:
                break
            beginning += chunk
    return beginning


async def _received(connection: socket.socket) -> bytes:
    while True:
        await trio.lowlevel.wait_readable(connection)
        try:
            return connection.recv(FIRST_BYTES)
        except BlockingIOError:
            continue
