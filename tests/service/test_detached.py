"""Starting a codexd on its own: when it is ready, and why it is not."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from codexd.service import detached
from codexd.service.detached import StartFailed, launch
from codexd.service.errors import CannotServe
from tests.service.place import PATIENCE_SECONDS, Place

_SEND = "python3 -ISc 'import os, sys; os.write(int(os.environ[\"CODEXD_NOTIFY_DESCRIPTOR\"]), sys.argv[1].encode())'"


Script = Callable[[str], None]


@pytest.fixture
def codexd(place: Place, monkeypatch: pytest.MonkeyPatch) -> Script:
    """Makes a shell script stand for codexd; it can `say` things to its starter."""
    path = place.bin / "codexd"
    monkeypatch.setattr(detached, "own_command", lambda: ["/bin/sh", str(path)])

    def write(script: str) -> None:
        path.write_text(f'say() {{ {_SEND} "$1"; }}\n{script}\n')

    return write


def start(place: Place, *arguments: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Launches with this place's log and environment."""
    launch(arguments, place.log, place.environ, seconds)


def test_it_is_ready_when_it_says_so(place: Place, codexd: Script) -> None:
    """`launch` returns at READY, and not at anything that is said before; the child lives on, in a session of its own."""
    codexd(
        'say STATUS=starting; say READY=0; echo "$@" >$HOME/called; ps -o sid= -p $$ >$HOME/session; pwd >$HOME/cwd;'
        "echo to the log; say READY=1; exec sleep 1000",
    )
    start(place, "--demo", "--cwd=/x y")
    assert (place.home / "called").read_text() == "run --detached --demo --cwd=/x y\n"
    assert (place.home / "cwd").read_text() == f"{place.home}\n"
    assert place.log.read_text() == "to the log\n"
    assert place.log.stat().st_mode & 0o777 == 0o600
    session = int((place.home / "session").read_text())
    assert session in [survivor.pid for survivor in place.strays()]
    assert os.getsid(session) == session != os.getsid(0)


def test_it_is_not_told_of_another_supervisor(place: Place, codexd: Script) -> None:
    """Started from within a service, codexd takes neither that one's sockets nor its watchdog for its own."""
    codexd("env | grep -E '^(LISTEN|WATCHDOG|NOTIFY)' >$HOME/env; say READY=1")
    place.environ |= {
        "LISTEN_FDS": "1",
        "LISTEN_PID": "1",
        "WATCHDOG_USEC": "1",
        "NOTIFY_SOCKET": "/somebody",
    }
    start(place)
    assert (place.home / "env").read_text() == ""


@pytest.mark.parametrize(
    ("script", "message", "code"),
    [
        ("say STATUS=first; say 'STATUS=no Codex found'; exit 3", "no Codex found", 3),
        (
            "echo Traceback; echo 'ImportError: trio' >&2; exit 1",
            "codexd ended with status 1 and said ImportError: trio",
            1,
        ),
        ("exit 2", "codexd ended with status 2 and said nothing", 2),
        ("kill -9 $$", "codexd ended with status -9 and said nothing", 3),
        ("exit 0", "codexd ended with status 0 and said nothing", 3),
    ],
)
def test_an_end_before_ready(place: Place, codexd: Script, script: str, message: str, code: int) -> None:
    """The reason is the last that it said, else what it wrote, else its status; its exit code is passed on."""
    place.log.parent.mkdir(parents=True)
    place.log.write_text("old lines\n")
    codexd(script)
    with pytest.raises(StartFailed) as failure:
        start(place)
    assert (str(failure.value), failure.value.exit_code) == (message, code)


def test_a_start_that_takes_too_long(place: Place, codexd: Script) -> None:
    """It is not waited for for ever, and it is left alone: it may be slow and not dead."""
    codexd("exec sleep 1000")
    with pytest.raises(
        CannotServe, match=r"codexd \(pid \d+\) was started and is not ready after a long wait"
    ):
        start(place, seconds=0)
    assert len(place.strays()) == 1


def test_a_log_that_cannot_be_written(place: Place, codexd: Script) -> None:
    """Nothing is started whose words would be lost."""
    codexd("touch $HOME/started")
    with pytest.raises(CannotServe, match="the log file /proc/x/log cannot be written"):
        launch((), Path("/proc/x/log"), place.environ, 1)
    assert not (place.home / "started").exists()
