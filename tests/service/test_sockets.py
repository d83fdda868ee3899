"""The socket: private from its first instant, never taken, removed by its owner alone."""

import os
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from codexd.protocol.running import Holder
from codexd.service.locks import AlreadyRunning, holder, socket_lock
from codexd.service.sockets import Occupant, SocketRefused, listening, make_private_directory, occupant
from tests.service.place import Place

ME = Holder(os.getpid(), "/s", "/h")


def mode(path: Path) -> int:
    """The permission bits."""
    return stat.S_IMODE(path.lstat().st_mode)


def leave_stale(path: Path) -> None:
    """What a killed daemon leaves: a socket file that nobody listens on."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))


def test_directory_and_socket_are_private(place: Place) -> None:
    """The directory and its missing parents are made 0700, the socket 0600, whatever the umask; it answers."""
    before = os.umask(0)
    try:
        path = place.root / "new" / "codexd" / "s.sock"
        with listening(path, ME) as own:
            assert (mode(path.parent.parent), mode(path.parent), mode(path)) == (0o700, 0o700, 0o600)
            assert occupant(path) == (Occupant.LIVE, os.getpid())
            assert holder(socket_lock(path)) == ME
            own.listener.accept()[0].close()
        assert not path.exists()
        assert holder(socket_lock(path)) is None
    finally:
        assert os.umask(before) == 0


def test_a_socket_is_never_open_to_others(place: Place) -> None:
    """No instant between bind and a later chmod in which others may connect.

    agm and codex-plugin-cc changed the mode after bind (T23, alpamon#409): on a shared machine any user could connect
    in between. Here a watcher looks at the mode as fast as it can while the socket is made, many times.
    """
    path = place.root / "watched" / "s.sock"
    path.parent.mkdir(0o700)
    modes, done = set(), threading.Event()

    def watch() -> None:
        while not done.is_set():
            try:
                modes.add(mode(path))
            except FileNotFoundError:
                continue

    watcher = threading.Thread(target=watch)
    before = os.umask(0)
    watcher.start()
    try:
        for _ in range(300):
            with listening(path, ME):
                pass
    finally:
        os.umask(before)
        done.set()
        watcher.join()
    assert modes <= {0o600}


_KNOCK = """
import os, socket, sys
os.setuid(65534)
os.set_blocking(0, False)
let_in = refused = 0
while True:
    with socket.socket(socket.AF_UNIX) as knocker:
        knocker.setblocking(False)
        try:
            knocker.connect(sys.argv[1])
            let_in += 1
        except PermissionError:
            if not refused:
                print("refused", flush=True)
            refused += 1
        except OSError:
            pass
    try:
        if os.read(0, 1) == b"":
            break
    except BlockingIOError:
        continue
print(let_in)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user for a test")
def test_another_user_never_gets_in(place: Place) -> None:
    """T23 by trying: another user knocks all the time while the socket is made and removed, in a directory that he may
    enter. The kernel turns him away every time."""
    directory = place.root / "open"
    directory.mkdir(0o755)
    place.root.chmod(0o755)
    path = directory / "s.sock"
    argv = [sys.executable, "-ISc", _KNOCK, str(path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as knocker:
        assert knocker.stdout is not None
        with listening(path, ME):
            assert knocker.stdout.readline() == "refused\n"
        for _ in range(300):
            with listening(path, ME):
                pass
        assert knocker.communicate()[0] == "0\n"


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (
            lambda path, place: path.symlink_to(place.home),
            "is a symbolic link; codexd needs a directory of its own",
        ),
        (lambda path, place: path.write_text(""), "is a file or a broken link; a directory is needed there"),
        (
            lambda path, place: path.symlink_to("/nowhere"),
            "is a file or a broken link; a directory is needed there",
        ),
        (lambda path, place: (path.mkdir(), path.chmod(0o770)), "others may write to the directory"),
        (lambda path, place: (path.mkdir(), path.chmod(0o1777)), "others may write to the directory"),
    ],
)
def test_a_directory_that_is_not_ours_alone_is_refused(place: Place, spoil, complaint: str) -> None:
    """Who can write to the directory can put his own socket there: such a directory is refused, and says why."""
    directory = place.root / "dir"
    spoil(directory, place)
    with pytest.raises(SocketRefused, match=complaint) as refusal, listening(directory / "s", ME):
        raise AssertionError("listened in a directory of others")
    assert refusal.value.exit_code == 3
    assert not os.path.lexists(directory / "s")


def test_a_directory_of_somebody_else_is_refused(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory that another user made, waiting for us, is not used."""
    monkeypatch.setattr(os, "getuid", lambda: 4711)
    with pytest.raises(SocketRefused, match="belongs to another user"):
        make_private_directory(place.home)


def test_a_directory_that_cannot_be_made_is_said(place: Place) -> None:
    """The system's own reason is in the sentence."""
    with pytest.raises(SocketRefused, match="the directory /proc/codexd/run cannot be made: No such file"):
        make_private_directory(Path("/proc/codexd/run"))


def test_a_live_socket_is_never_taken(place: Place) -> None:
    """Somebody who listens keeps his socket, be it no codexd at all, and is named."""
    place.socket.parent.mkdir(0o700)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(place.socket))
        other.listen()
        with (
            pytest.raises(SocketRefused, match=rf"listens on the socket .* already \(pid {os.getpid()}\)"),
            listening(place.socket, ME),
        ):
            raise AssertionError("a live socket was taken")
        assert occupant(place.socket) == (Occupant.LIVE, os.getpid())


def test_a_busy_socket_is_alive(place: Place) -> None:
    """A listener whose queue is full does not answer at once; that makes nobody take it for dead."""
    place.socket.parent.mkdir(0o700)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(place.socket))
        other.listen(0)
        with place.connect(), socket.socket(socket.AF_UNIX) as second:
            second.setblocking(False)
            while second.connect_ex(str(place.socket)) == 0:
                raise AssertionError("the queue takes more than it should")
            assert occupant(place.socket) == (Occupant.LIVE, None)


def test_a_second_codexd_is_refused_and_the_first_keeps_its_socket(place: Place) -> None:
    """agm's second daemon unlinked a live socket and took its place, and the first one's stop then removed the second's
    (T9): clients of both ended up with nobody. Here the second is refused, and says who has the place."""
    with listening(place.socket, ME) as own:
        with pytest.raises(AlreadyRunning, match=f"pid {os.getpid()}"), listening(place.socket, ME):
            raise AssertionError("two codexds listen on one path")
        with place.connect():
            own.listener.accept()[0].close()


def test_a_stale_socket_is_replaced(place: Place) -> None:
    """What a killed codexd left does not keep the next one from starting."""
    place.socket.parent.mkdir(0o700)
    leave_stale(place.socket)
    assert occupant(place.socket) == (Occupant.STALE, None)
    with listening(place.socket, ME), place.connect():
        assert occupant(place.socket)[0] is Occupant.LIVE


def test_only_the_own_socket_is_removed(place: Place) -> None:
    """T6 and T9: agm's daemon removed whatever stood at its path when it ended, and so the socket of its successor."""
    with listening(place.socket, ME):
        place.socket.unlink()
        with socket.socket(socket.AF_UNIX) as successor:
            successor.bind(str(place.socket))
    assert place.socket.is_socket()


def test_a_socket_that_is_gone_already_is_no_error(place: Place) -> None:
    """Somebody cleaned up the directory while codexd ran: its end is a good end all the same."""
    with listening(place.socket, ME):
        place.socket.unlink()
    assert not place.socket.exists()


@pytest.mark.parametrize(
    ("make", "found", "complaint"),
    [
        (
            lambda path: path.symlink_to("/tmp/elsewhere"),
            Occupant.LINK,
            "is a symbolic link, and codexd makes no socket",
        ),
        (
            lambda path: path.write_text("text"),
            Occupant.NO_SOCKET,
            "exists and is no socket; remove it or choose",
        ),
        (lambda path: path.mkdir(), Occupant.NO_SOCKET, "exists and is no socket; remove it or choose"),
    ],
)
def test_what_is_no_socket_is_left_alone(place: Place, make, found: Occupant, complaint: str) -> None:
    """A link or a file at the socket's path is never removed or followed: it is refused, and stays."""
    place.socket.parent.mkdir(0o700)
    make(place.socket)
    assert occupant(place.socket) == (found, None)
    with pytest.raises(SocketRefused, match=complaint), listening(place.socket, ME):
        raise AssertionError("listened through something foreign")
    assert os.path.lexists(place.socket)


def test_a_link_to_a_live_socket_is_refused(place: Place) -> None:
    """A link would let somebody else choose where prompts go."""
    with listening(place.root / "real" / "s", ME):
        place.socket.parent.mkdir(0o700)
        place.socket.symlink_to(place.root / "real" / "s")
        with pytest.raises(SocketRefused, match="is a symbolic link"), listening(place.socket, ME):
            raise AssertionError("listened through a link")


def test_a_socket_of_somebody_else_is_refused(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another user's socket, dead or alive, is neither taken nor talked to."""
    place.socket.parent.mkdir(0o700)
    leave_stale(place.socket)
    monkeypatch.setattr(os, "getuid", lambda: 4711)
    assert occupant(place.socket) == (Occupant.FOREIGN, None)


def test_nothing_is_nothing(place: Place) -> None:
    """A path that does not exist, or cannot, is free."""
    assert occupant(place.socket) == (Occupant.NOTHING, None)
    assert occupant(place.program("x", "") / "s") == (Occupant.NOTHING, None)


def test_a_path_that_cannot_be_bound_is_said(place: Place) -> None:
    """The system's own reason is in the sentence; the umask is what it was."""
    directory = place.root / ("x" * 60)
    before = os.umask(0o27)
    try:
        with (
            pytest.raises(SocketRefused, match=r"the socket .* cannot be made: .+"),
            listening(directory / ("y" * 60), ME),
        ):
            raise AssertionError("a path beyond the limit was bound")
        assert os.umask(0o27) == 0o27
    finally:
        os.umask(before)
