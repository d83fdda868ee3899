"""The shell that happened to start codexd decides nothing for those that come later."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from codexd.service import inherited
from codexd.service.inherited import umask_of_user
from tests.service.place import ROOT, Place

_SHOW = """
import os, resource, signal, sys
from codexd.service.inherited import put_right
print(put_right())
print(oct(os.umask(0)), [*signal.pthread_sigmask(signal.SIG_BLOCK, ())], signal.getsignal(signal.SIGINT))
print([resource.getrlimit(n)[0] == resource.getrlimit(n)[1] for n in (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE)])
print(os.getpriority(os.PRIO_PROCESS, 0) if os.getuid() == 0 else 0)
"""


def shown(prepare: str) -> list[str]:
    """What is left of what a starter had, which is a line of Python."""
    starter = f"import os, resource, signal, sys; {prepare}; os.execv(sys.executable, [sys.executable, '-c', sys.argv[1]])"
    done = subprocess.run(
        [sys.executable, "-c", starter, _SHOW],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_umask_signals_and_limits_are_not_those_of_the_starter() -> None:
    """Files of codexd are its user's alone; a blocked SIGTERM does not make it deaf, nor an ignored SIGINT its commands."""
    said = shown(
        "os.umask(0); signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCHLD});"
        "signal.signal(signal.SIGINT, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (100, resource.getrlimit(resource.RLIMIT_NOFILE)[1]));"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10**9, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))"
    )
    assert said[1] == "0o77 [] 0"
    assert said[2] == "[True, True]"


def test_a_niceness_is_taken_back_or_said() -> None:
    """Only root may; everybody else is told."""
    said = shown("os.nice(5)")
    assert said[3] == "0"
    assert ("nice (5)" in said[0]) == (os.getuid() != 0)


def test_a_hard_limit_is_said() -> None:
    """`ulimit -f` of bash sets both, and only root could raise it again."""
    said = shown("resource.setrlimit(resource.RLIMIT_FSIZE, (10**9, 10**9))")
    assert "has limited the size of a file (ulimit -f) to 1000000000" in said[0]


@pytest.mark.parametrize(
    ("text", "umask"),
    [
        ("# UMASK 077\nUMASK\t\t027\n", 0o027),
        ("", 0o022),
        ("UMASK what\n", 0o022),
        ("UMASK\n", 0o022),
        (None, 0o022),
    ],
)
def test_commands_have_the_umask_of_a_login(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, umask: int
) -> None:
    """As login.defs says; 022 where it says nothing."""
    file = tmp_path / "login.defs"
    if text is not None:
        file.write_text(text)
    monkeypatch.setattr(inherited, "_LOGIN_DEFS", str(file))
    assert umask_of_user() == umask


def test_codex_is_not_started_as_the_first_shell_was(place: Place) -> None:
    """Its umask is that of a login, not codexd's own and not the starter's; a blocked SIGTERM does not break `stop`."""
    seen = place.home / "seen"
    place.codex()
    look = f'case "$*" in *app-server) (umask; ulimit -Sn; ulimit -Hn) >{seen};; esac'
    script = (place.bin / "codex").read_text().replace("exec ", f"{look}\nexec ", 1)
    (place.bin / "codex").write_text(script)

    def like_a_strange_shell() -> None:
        os.umask(0o777 & ~0o700)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

    process = place.start("run", preexec_fn=like_a_strange_shell)
    place.wait_until_listening(process)
    assert place.ask("codexd/status")["result"]["codex"]["state"]
    place.run("start")
    umask, soft, hard = seen.read_text().split()
    assert int(umask, 8) == umask_of_user()
    assert soft == hard
    assert place.end(process) == 0
