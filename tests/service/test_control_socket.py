"""Codex's control socket: taken when nobody has it, never from who answers, and given back."""

import fcntl
import os
import socket
from pathlib import Path

import pytest

from codexd.service import control_socket
from codexd.service.control_socket import listening, occupant, path_in
from codexd.service.errors import CannotServe
from codexd.service.sockets import Occupant, SocketRefused
from tests.service.place import Place


@pytest.fixture
def path(place: Place) -> Path:
    """Where the control socket belongs; its directory is there, as Codex makes it."""
    made = path_in(place.codex_home)
    made.parent.mkdir(0o700)
    return made


def leave_stale(path: Path) -> None:
    """What a killed server leaves."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))


def refused(place: Place) -> str:
    """Why the socket cannot be had."""
    with pytest.raises(SocketRefused) as refusal, listening(place.codex_home):
        raise AssertionError("listened all the same")
    return str(refusal.value)


def test_it_is_where_codex_looks_and_private(place: Place) -> None:
    """A plain socket, 0600 in a directory 0700, as long as it is wanted and no longer."""
    path = path_in(place.codex_home)
    assert path == place.codex_home / "app-server-control" / "app-server-control.sock"
    with listening(place.codex_home) as own:
        assert path.is_socket()
        assert (path.parent.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o700, 0o600)
        with place.connect(path):
            own.listener.accept()[0].close()
    assert not os.path.lexists(path)


def test_a_server_that_answers_keeps_it(place: Place, path: Path) -> None:
    """Plain or through Codex's link: refused in one sentence that names the holder and the ways out."""
    elsewhere = place.root / "daemon"
    for bound in (path, elsewhere):
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(bound))
            server.listen()
            if bound == elsewhere:
                path.symlink_to(elsewhere)
            assert refused(place) == (
                f"another server (pid {os.getpid()}) listens at Codex's control socket {path}; end it with: "
                f"codex app-server daemon stop (or: kill {os.getpid()}), or leave out --control-socket "
                "(setting control_socket)"
            )
            assert os.path.lexists(path)
        path.unlink()


def test_a_server_that_is_not_known_is_named_without_a_pid() -> None:
    """The system does not always tell who listens."""
    assert control_socket.refusal(Path("/s"), Occupant.LIVE, None) == (
        "another server listens at Codex's control socket /s; end it with: codex app-server daemon stop, "
        "or leave out --control-socket (setting control_socket)"
    )


def test_what_a_dead_server_left_is_replaced(place: Place, path: Path) -> None:
    """A stale socket, Codex's link to one, and its link to nowhere; what the link led to stays Codex's."""
    elsewhere = place.root / "daemon"
    leave_stale(path)
    with listening(place.codex_home), place.connect(path):
        assert occupant(path) == (Occupant.LIVE, os.getpid())
    path.symlink_to(elsewhere)
    with listening(place.codex_home), place.connect(path):
        assert not path.is_symlink()
    leave_stale(elsewhere)
    path.symlink_to(elsewhere)
    assert occupant(path) == (Occupant.STALE, None)
    with listening(place.codex_home), place.connect(path):
        assert not path.is_symlink()
    assert elsewhere.is_socket()


def test_what_is_no_socket_is_left_alone(place: Place, path: Path) -> None:
    """A file, a link to one, a link to itself: somebody else's, and said so."""
    file = place.root / "file"
    file.touch()
    for make, what in (
        (path.touch, "something that is no socket"),
        (lambda: path.symlink_to(file), "something that is no socket"),
        (lambda: path.symlink_to(path), "a symbolic link"),
    ):
        make()
        assert refused(place) == (
            f"Codex's control socket {path} is {what}; remove it, "
            "or leave out --control-socket (setting control_socket)"
        )
        path.unlink()


def test_only_the_own_socket_is_removed(place: Place, path: Path) -> None:
    """A server that took the path meanwhile keeps it."""
    with listening(place.codex_home):
        path.unlink()
        leave_stale(path)
    assert path.is_socket()


def test_a_server_that_is_just_starting_is_waited_for(
    place: Place, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Codex's own lock keeps two from finding the path free at the same time; it is not held while codexd listens."""
    monkeypatch.setattr(control_socket, "STARTUP_SECONDS", 0.1)
    lock = path.with_name("app-server-startup.lock")
    with lock.open("w") as starting:
        fcntl.flock(starting, fcntl.LOCK_EX)
        with (
            pytest.raises(
                CannotServe, match="a server of Codex that is just starting is still at work: it holds"
            ),
            listening(place.codex_home),
        ):
            raise AssertionError("two servers found the path free")
    with listening(place.codex_home), lock.open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_path_that_is_too_long_is_refused(place: Place) -> None:
    """The sentence has the length, the limit and the ways out."""
    home = place.root / ("x" * 70)
    length = len(str(path_in(home)))
    with pytest.raises(SocketRefused, match=f"of {length} bytes, .* choose a CODEX_HOME with a shorter path"):
        control_socket.check_length(path_in(home))
    with pytest.raises(SocketRefused), listening(home):
        raise AssertionError("listened at a path that nobody can connect to")
    assert not home.exists()
