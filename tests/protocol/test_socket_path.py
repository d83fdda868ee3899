"""Where the socket is: one answer for everybody, whatever the environment."""

import os
import runpy
import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from codexd.protocol import socket_path as module
from codexd.protocol.socket_path import (
    MAX_SOCKET_PATH_BYTES,
    SocketPathTooLong,
    codex_home,
    default_codex_home,
    home_hash,
    ignored,
    runtime_dir,
    socket_path,
    state_dir,
    without_ignored,
)

NOBODY = 2**31 - 7
"""A user id whose /run/user directory is nowhere."""


@pytest.fixture
def on_system(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes the system be called something else."""

    def pretend(name: str) -> None:
        monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(sysname=name))

    return pretend


def test_home_is_where_the_environment_says(tmp_path: Path) -> None:
    """CODEX_HOME, else `~/.codex`; the option before both."""
    environ = {"HOME": str(tmp_path)}
    assert codex_home(environ) == default_codex_home(environ) == f"{tmp_path.resolve()}/.codex"
    assert codex_home(environ | {"CODEX_HOME": f"{tmp_path}/other"}) == f"{tmp_path.resolve()}/other"
    assert codex_home(environ | {"CODEX_HOME": "/x"}, f"{tmp_path}/mine") == f"{tmp_path.resolve()}/mine"


def test_an_empty_variable_is_as_good_as_none(tmp_path: Path) -> None:
    """`CODEX_HOME=` in a script must not make `/` or the working directory the home."""
    environ = {"HOME": str(tmp_path), "CODEX_HOME": "", "XDG_STATE_HOME": "", "XDG_RUNTIME_DIR": ""}
    assert codex_home(environ) == f"{tmp_path.resolve()}/.codex"
    assert runtime_dir(environ, NOBODY) == state_dir(environ) + "/run"


def test_two_names_of_one_home_are_one_home(tmp_path: Path) -> None:
    """A link to the directory, a relative name and `~` lead to the same daemon."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    real = codex_home({}, f"{tmp_path}/real")
    assert codex_home({}, f"{tmp_path}/link") == real
    assert codex_home({}, os.path.relpath(tmp_path / "real")) == real
    assert codex_home({}, "~/.codex") == default_codex_home({})


def test_without_home_the_users_own_is_taken() -> None:
    """systemd starts services without HOME; the user still has one."""
    assert default_codex_home({}) == os.path.realpath(os.path.expanduser("~/.codex"))


def test_the_hash_of_a_home_is_fixed() -> None:
    """Sockets and directories of running daemons are named after it."""
    assert home_hash("/home/u/.codex") == "9ba27509"
    assert home_hash("/home/u/.codex2") != home_hash("/home/u/.codex")


def test_state_is_where_xdg_says(tmp_path: Path) -> None:
    """`$XDG_STATE_HOME/codexd`, on every system; it need not exist yet."""
    assert state_dir({"HOME": "/home/u", "XDG_STATE_HOME": f"{tmp_path}/a/s"}) == f"{tmp_path}/a/s/codexd"


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        ("Linux", "/home/u/.local/state/codexd"),
        ("FreeBSD", "/home/u/.local/state/codexd"),
        ("Darwin", "/home/u/Library/Application Support/codexd"),
    ],
)
def test_state_is_where_the_system_keeps_it(
    on_system: Callable[[str], None], system: str, expected: str
) -> None:
    """Without XDG_STATE_HOME, macOS has its own place."""
    on_system(system)
    assert state_dir({"HOME": "/home/u"}) == expected


def test_the_runtime_directory_is_xdgs(tmp_path: Path) -> None:
    """The first choice, where it is one."""
    assert runtime_dir({"XDG_RUNTIME_DIR": str(tmp_path)}, os.getuid()) == f"{tmp_path}/codexd"


ELSEWHERE = {"HOME": "/home/u"}


@pytest.mark.parametrize("name", ["XDG_RUNTIME_DIR", "XDG_STATE_HOME"])
def test_a_value_that_cannot_be_meant_counts_for_nothing(
    tmp_path: Path, run_user: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A relative one, a file, and what `su` and `sudo -E` leave of another user: the default counts, and it can be said."""
    (tmp_path / "file").touch()
    (tmp_path / "dir").mkdir()
    for value, uid, reason in (
        ("run/x", os.getuid(), "is no absolute path"),
        (f"{tmp_path}/file", os.getuid(), "is no directory"),
        (f"{tmp_path}/file/x", os.getuid(), "cannot be used (Not a directory)"),
        (f"{tmp_path}/dir", 4711, "belongs to another user"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(os, "getuid", lambda uid=uid: uid)
            patch.setattr(os, "access", lambda *_: False)
            environ = ELSEWHERE | {name: value}
            assert ignored(environ, uid) == {name: reason}
            assert runtime_dir(environ, uid) == runtime_dir(ELSEWHERE, uid)
            assert state_dir(environ) == state_dir(ELSEWHERE)


def test_a_runtime_directory_that_is_gone_counts_for_nothing(tmp_path: Path, run_user: Path) -> None:
    """The session has ended, and `/run/user/UID` with it; a shell that outlives it still names it."""
    environ = ELSEWHERE | {"XDG_RUNTIME_DIR": f"{tmp_path}/gone"}
    assert ignored(environ, os.getuid()) == {"XDG_RUNTIME_DIR": "cannot be used (No such file or directory)"}
    assert runtime_dir(environ, os.getuid()) == runtime_dir(ELSEWHERE, os.getuid())


def test_a_state_directory_in_a_place_for_all_is_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`/tmp` is root's, and whoever may write there can have a directory of his own in it."""
    status = SimpleNamespace(st_uid=0, st_mode=tmp_path.stat().st_mode)
    monkeypatch.setattr(os, "stat", lambda path: status)
    monkeypatch.setattr(os, "access", lambda path, mode: True)
    assert ignored({"XDG_STATE_HOME": "/shared/x"}, 4711) == {}


def test_what_is_ignored_is_taken_out_and_said_in_one_line(tmp_path: Path) -> None:
    """So that it is said once, and no program that is started says it again."""
    environ = {"XDG_RUNTIME_DIR": "a", "XDG_STATE_HOME": "b", "HOME": "/home/u"}
    assert without_ignored(environ, os.getuid()) == (
        "XDG_RUNTIME_DIR=a is no absolute path, and is ignored; XDG_STATE_HOME=b is no absolute path, and is ignored"
    )
    assert environ == {"HOME": "/home/u"}
    assert without_ignored({"XDG_RUNTIME_DIR": str(tmp_path)}, os.getuid()) is None


@pytest.fixture
def run_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Puts `/run/user` into the test's own directory."""
    monkeypatch.setattr(module, "_RUN_USER", str(tmp_path))
    return tmp_path


def test_without_xdg_it_is_the_users_own_in_run(run_user: Path) -> None:
    """A login by ssh or a cron job has no XDG_RUNTIME_DIR, and must find the same daemon."""
    uid = os.getuid()
    (run_user / str(uid)).mkdir()
    assert runtime_dir({"HOME": "/home/u"}, uid) == f"{run_user}/{uid}/codexd"


def test_somebody_elses_directory_in_run_is_not_taken(run_user: Path) -> None:
    """A name alone is no proof: the directory must belong to the user."""
    (run_user / "4711").mkdir()
    state = str(run_user / "s")
    assert runtime_dir({"XDG_STATE_HOME": state}, 4711) == f"{state}/codexd/run"


def test_a_file_in_its_place_is_not_taken(run_user: Path) -> None:
    """Only a directory can hold a socket."""
    uid = os.getuid()
    (run_user / str(uid)).touch()
    state = str(run_user / "s")
    assert runtime_dir({"XDG_STATE_HOME": state}, uid) == f"{state}/codexd/run"


def test_a_link_in_its_place_is_not_taken(run_user: Path) -> None:
    """Whoever can change where the link leads could put another socket there."""
    uid = os.getuid()
    (run_user / "elsewhere").mkdir()
    (run_user / str(uid)).symlink_to(run_user / "elsewhere")
    state = str(run_user / "s")
    assert runtime_dir({"XDG_STATE_HOME": state}, uid) == f"{state}/codexd/run"


def test_without_any_of_them_it_is_in_the_state_directory(tmp_path: Path) -> None:
    """A container, or macOS."""
    environ = {"HOME": "/home/u", "XDG_STATE_HOME": str(tmp_path)}
    assert runtime_dir(environ, NOBODY) == f"{tmp_path}/codexd/run"


def test_the_default_home_has_the_plain_name(tmp_path: Path) -> None:
    """`codexd.sock` serves the CODEX_HOME that Codex itself would take."""
    environ = {"HOME": "/home/u", "XDG_RUNTIME_DIR": str(tmp_path)}
    uid = os.getuid()
    assert socket_path(environ, uid) == f"{tmp_path}/codexd/codexd.sock"
    assert socket_path(environ | {"CODEX_HOME": "/home/u/.codex"}, uid) == f"{tmp_path}/codexd/codexd.sock"


def test_another_home_has_a_socket_of_its_own(tmp_path: Path) -> None:
    """Two daemons for two homes never meet."""
    environ = {"HOME": "/home/u", "XDG_RUNTIME_DIR": str(tmp_path)}
    expected = f"{tmp_path}/codexd/codexd-{home_hash('/projects/codex')}.sock"
    assert socket_path(environ | {"CODEX_HOME": "/projects/codex"}, os.getuid()) == expected
    assert socket_path(environ, os.getuid(), home="/projects/codex") == expected


def test_who_names_the_socket_is_believed(tmp_path: Path) -> None:
    """The option before CODEXD_SOCKET before everything else, made absolute, whichever home is meant."""
    environ = {"CODEXD_SOCKET": "/a/b.sock", "CODEX_HOME": "/work/codex", "XDG_RUNTIME_DIR": "/run/x"}
    assert socket_path(environ, 1000) == "/a/b.sock"
    assert socket_path(environ, 1000, "/c/d.sock") == "/c/d.sock"
    assert socket_path({}, 1000, "d.sock") == f"{os.getcwd()}/d.sock"
    assert socket_path({}, 1000, "~/d.sock") == os.path.expanduser("~/d.sock")


def test_a_socket_is_not_looked_up_through_its_links(tmp_path: Path) -> None:
    """A socket that is a link is refused later, so its own name must reach whoever checks."""
    (tmp_path / "link.sock").symlink_to("real.sock")
    assert socket_path({}, 1000, f"{tmp_path}/link.sock") == f"{tmp_path}/link.sock"


@pytest.mark.parametrize(("system", "length"), [("Linux", 107), ("Darwin", 103), ("FreeBSD", 103)])
def test_each_system_has_its_longest_path(on_system: Callable[[str], None], system: str, length: int) -> None:
    """`sun_path` holds 108 bytes on Linux and 104 elsewhere, a NUL included."""
    on_system(system)
    assert runpy.run_path(module.__file__)["MAX_SOCKET_PATH_BYTES"] == length


def test_the_longest_path_fits() -> None:
    """Not one byte is given away; the kernel takes it too."""
    longest = "/tmp/" + "x" * (MAX_SOCKET_PATH_BYTES - 5)
    assert socket_path({}, 1000, longest) == longest
    with socket.socket(socket.AF_UNIX) as one, pytest.raises(FileNotFoundError):
        one.connect(longest)


@pytest.mark.parametrize(
    "path", ["/" + "x" * MAX_SOCKET_PATH_BYTES, "/" + "é" * (MAX_SOCKET_PATH_BYTES // 2 + 1)]
)
def test_a_path_that_is_too_long_is_said_to_be(path: str) -> None:
    """bind() says `AF_UNIX path too long`, or cuts it; here the error names the path, its length and the way out."""
    with pytest.raises(SocketPathTooLong) as caught:
        socket_path({}, 1000, path)
    length = len(path.encode())
    assert str(caught.value) == (
        f"the socket path {path} is {length} bytes long, and a socket's address holds {MAX_SOCKET_PATH_BYTES}; "
        "give a shorter one with --socket PATH or CODEXD_SOCKET"
    )
