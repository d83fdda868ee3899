import os
import socket
import threading

import pytest

from codexctl import unix_socket
from codexd.protocol.errors import Unavailable


def test_a_stale_socket_is_like_none(place):
    """A socket file that nobody listens on any more is no reason to give up."""
    path = str(place / "stale.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
    assert unix_socket.connected(path) is None
    assert unix_socket.connected(str(place / "none.sock")) is None


def test_what_cannot_be_used_is_said(place):
    """A path that goes through a file is an error, not a reason to start codexd there."""
    (place / "file").write_text("")
    with pytest.raises(Unavailable, match=r"cannot connect to .*: Not a directory"):
        unix_socket.connected(str(place / "file" / "codexd.sock"))


def test_somebody_elses_socket_is_refused(codexd, monkeypatch):
    """A prompt never goes to another user's program."""
    monkeypatch.setattr(unix_socket, "_uid_of_listener", lambda connection: os.getuid() + 1)
    with pytest.raises(Unavailable, match="belongs to another user"):
        unix_socket.connected(str(codexd.path))


def test_ones_own_socket_is_used(codexd, monkeypatch):
    """The usual case; root may listen for everybody."""
    real = unix_socket._uid_of_listener
    for uid in (real, lambda connection: 0):
        monkeypatch.setattr(unix_socket, "_uid_of_listener", uid)
        connection = unix_socket.connected(str(codexd.path))
        assert connection is not None
        connection.close()


def test_where_the_system_cannot_tell_who_listens_the_directory_has_to_do(codexd, monkeypatch):
    """macOS has no SO_PEERCRED, and an option instead of the flag against SIGPIPE."""
    monkeypatch.delattr(socket, "SO_PEERCRED")
    monkeypatch.setattr(unix_socket, "NO_SIGPIPE", 0)
    monkeypatch.setattr(unix_socket, "_SO_NOSIGPIPE", socket.SO_KEEPALIVE)
    connection = unix_socket.connected(str(codexd.path))
    assert connection is not None
    connection.close()


def test_a_listener_whose_queue_is_full_is_waited_for_and_given_up(place, monkeypatch):
    """A codexd that is stopped takes connections until the kernel's queue is full, and then none."""
    monkeypatch.setattr("codexctl.patience.ANSWER_SECONDS", 0.1)
    monkeypatch.setattr("codexctl.patience.START_SECONDS", 0.2)
    path = str(place / "run" / "full.sock")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(path)
        listener.listen(0)
        first.connect(path)
        with pytest.raises(Unavailable, match="has not answered within"):
            unix_socket.connected(path)
        monkeypatch.undo()
        threading.Timer(0.01, lambda: listener.accept()[0].close()).start()
        connection = unix_socket.connected(path)
        assert connection is not None
        assert connection.gettimeout() is None
        connection.close()
