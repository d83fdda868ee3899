"""Asking the codexd that runs."""

import json
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from codexd.protocol.errors import Unavailable
from codexd.service.ask import Asker, Refused
from tests.service.place import Place

Serve = Callable[[Callable[[socket.socket], None]], None]


@pytest.fixture
def serve(place: Place) -> Iterator[Serve]:
    """Serves one connection on the socket with a function, in a thread."""
    place.socket.parent.mkdir()
    threads = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place.socket))
        listener.listen()

        def with_function(answer: Callable[[socket.socket], None]) -> None:
            def run() -> None:
                with listener.accept()[0] as connection:
                    answer(connection)

            threads.append(threading.Thread(target=run))
            threads[-1].start()

        yield with_function
        for thread in threads:
            thread.join(10)


def test_questions_and_answers(place: Place, serve: Serve) -> None:
    """Each question gets its own answer; notifications and requests for others in between are skipped, in any chunks."""

    def answer(connection: socket.socket) -> None:
        stream = connection.makefile("r")
        first = json.loads(stream.readline())
        assert first == {"id": 1, "method": "one", "params": {}}
        connection.sendall(b'{"method":"note","params":{}}\n{"id":1,"method":"ask","params":{}}\n{"id":')
        connection.sendall(b'1,"result":{"a":1}}\n')
        second = json.loads(stream.readline())
        assert second == {"id": 2, "method": "two", "params": {"x": "y"}}
        connection.sendall(b'{"id":2,"result":7}\n')

    serve(answer)
    with Asker(place.socket, 10) as asker:
        assert asker.ask("one") == {"a": 1}
        assert asker.ask("two", {"x": "y"}) == 7


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"id":1,"error":{"code":-32050,"message":"no","data":{"reason":"codexDown"}}}', "codexDown"),
        (b'{"id":null,"error":{"code":-32050,"message":"no","data":null}}', None),
        (b'{"error":{"code":-32600,"message":"no"},"id":1}', None),
    ],
)
def test_refusals(place: Place, serve: Serve, line: bytes, reason: str | None) -> None:
    """An error is raised with its words, also one that is for nobody in particular: it ends the conversation."""

    def answer(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(line + b"\n")

    serve(answer)
    with Asker(place.socket, 10) as asker, pytest.raises(Refused, match=r"^no$") as refusal:
        asker.ask("x")
    assert refusal.value.reason == reason


def test_nobody_there(place: Place) -> None:
    """A socket that is not there, or that nobody listens on, is said with its path."""
    with pytest.raises(Unavailable, match=f"nobody answers on the socket {place.socket}: No such file"):
        Asker(place.socket, 1)


@pytest.mark.parametrize("read", [0, 1000])
def test_a_connection_that_ends(place: Place, serve: Serve, read: int) -> None:
    """A codexd that dies while it is asked is said to have, whether it has read the question or not."""

    def leave(connection: socket.socket) -> None:
        if read:
            connection.recv(read)

    serve(leave)
    with Asker(place.socket, 10) as asker, pytest.raises(Unavailable, match=r"the connection to .* ended"):
        asker.ask("x")


def test_silence(place: Place, serve: Serve) -> None:
    """Whoever does not answer in time is not waited for, however he dawdles."""
    over = threading.Event()

    def dawdle(connection: socket.socket) -> None:
        connection.sendall(b"{")
        over.wait(10)

    serve(dawdle)
    with (
        Asker(place.socket, 0.05) as asker,
        pytest.raises(Unavailable, match=r"no answer on the socket .* to x"),
    ):
        asker.ask("x")
    over.set()


def test_no_time_left(place: Place, serve: Serve) -> None:
    """The time is for all questions together: one that comes too late is not waited for at all."""
    over = threading.Event()
    serve(lambda connection: print(over.wait(10)))
    with Asker(place.socket, 10) as asker:
        asker._deadline = 0
        with pytest.raises(Unavailable, match="no answer"):
            asker.ask("x")
    over.set()
