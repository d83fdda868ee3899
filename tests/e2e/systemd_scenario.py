"""What a user sees of codexd under his own systemd: run by `test_service_systemd.py`, as a user of its own.

    python systemd_scenario.py ROOT CODEX

ROOT is the source tree, CODEX a real Codex. Prints each step; the first that does not hold ends it with a traceback.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from codexd.demo.scripted_model import ScriptedModel

ROOT, CODEX = Path(sys.argv[1]), Path(sys.argv[2])
HOME = Path(os.environ["HOME"])
SOCKET = Path(os.environ["XDG_RUNTIME_DIR"]) / "codexd" / "codexd.sock"
UNITS = HOME / ".config" / "systemd" / "user"
PATIENCE_SECONDS = 60.0


def run(*argv: str) -> subprocess.CompletedProcess[str]:
    """A command to its end."""
    return subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)


def codexd(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of codexd."""
    return run(sys.executable, "-P", "-m", "codexd", *arguments)


def systemctl(*arguments: str) -> str:
    """systemctl, which has to succeed."""
    done = run("systemctl", "--user", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def state(unit: str) -> str:
    """Whether a unit is active."""
    return run("systemctl", "--user", "is-active", unit).stdout.strip()


def main_pid() -> int:
    """The process of the service."""
    return int(systemctl("show", "codexd.service", "--property=MainPID", "--value"))


def ask(method: str = "codexd/status") -> dict[str, Any]:
    """The answer to a request on a connection of its own."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PATIENCE_SECONDS)
        connection.connect(str(SOCKET))
        with connection.makefile("rwb") as stream:
            stream.write(json.dumps({"id": 1, "method": method, "params": {}}).encode() + b"\n")
            stream.flush()
            answer: dict[str, Any] = json.loads(stream.readline())
            return answer


def until(condition: Any, what: str) -> None:
    """Waits for something that systemd does in its own time."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def drop_in(text: str) -> None:
    """Changes the service as an administrator would; an empty text changes nothing any more."""
    path = UNITS / "codexd.service.d" / "test.conf"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    systemctl("daemon-reload")


def step(text: str) -> None:
    """Says what comes."""
    print(f"- {text}", flush=True)


def installed() -> None:
    step("install puts the units in place; nothing runs yet, and a look does not change that")
    done = codexd("install")
    assert done.returncode == 0, done
    assert (state("codexd.socket"), state("codexd.service")) == ("active", "inactive")
    assert (SOCKET.stat().st_mode & 0o777, SOCKET.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert codexd("status").returncode == 3
    assert codexd("stop").stdout == "codexd is not running\n"
    assert codexd("doctor").returncode == 0
    assert state("codexd.service") == "inactive"


def activated() -> None:
    step("the first client starts it and is served")
    status = ask()["result"]
    assert status["codexd"]["pid"] == main_pid()
    assert status["codexd"]["socket"] == str(SOCKET)
    assert codexd("start").stdout.startswith("codexd already runs (pid ")
    until(lambda: state("codexd.service") == "active", "systemd has not taken note that codexd is ready")
    status = ask()["result"]
    assert status["codex"]["state"] == "ready"

    step("to install again is to update: the next client is served by what is then installed")
    assert codexd("install").returncode == 0
    assert codexd("start").returncode == 0
    status = ask()["result"]
    assert status["codexd"]["pid"] == main_pid()

    step("Codex may do what it could do in a terminal")
    facts = Path(f"/proc/{status['codex']['pid']}/status").read_text()
    assert "NoNewPrivs:\t0\n" in facts
    assert "Seccomp:\t0\n" in facts
    assert "Umask:\t0022\n" in facts
    environ = Path(f"/proc/{status['codex']['pid']}/environ").read_bytes()
    assert not [
        name for name in (b"NOTIFY_SOCKET", b"LISTEN_FDS", b"WATCHDOG_USEC") if name + b"=" in environ
    ]


def stopped_and_started() -> None:
    step("stop ends it, the socket stays, the next client starts it again")
    stopped = codexd("stop")
    assert stopped.stdout.endswith("the next client starts it again, until: codexd uninstall\n"), stopped
    assert (state("codexd.socket"), state("codexd.service")) == ("active", "inactive")
    assert SOCKET.is_socket()
    sent = run(sys.executable, "-P", "-m", "codexctl.main", "send", "hello")
    assert (sent.returncode, sent.stdout) == (0, "You said: hello\n"), sent
    assert state("codexd.service") == "active"

    step("restart is another process, reload the same")
    before = main_pid()
    assert codexd("restart").stdout.startswith("codexd restarted (pid ")
    after = main_pid()
    assert before != after == ask()["result"]["codexd"]["pid"]
    systemctl("reload", "codexd.service")
    assert ask()["result"]["codexd"]["pid"] == after


def killed() -> None:
    step("after kill -9 the next client is served by a new one")
    before = main_pid()
    os.kill(before, signal.SIGKILL)
    until(lambda: main_pid() not in (0, before), "systemd starts it again")
    assert ask()["result"]["codexd"]["pid"] == main_pid()
    assert codexd("doctor").returncode == 0


def watched() -> None:
    step("the watchdog is fed")
    drop_in("[Service]\nWatchdogSec=1\n")
    assert codexd("restart").returncode == 0
    heard = set()

    def fed() -> bool:
        heard.add(systemctl("show", "codexd.service", "--property=WatchdogTimestampMonotonic", "--value"))
        return len(heard) > 4

    pid = main_pid()
    until(fed, "WATCHDOG=1 is heard again and again")
    assert main_pid() == pid
    drop_in("")


def without_codex() -> None:
    step("without a Codex each client is told why, the socket stays, and all is well when there is one again")
    assert codexd("stop").returncode == 0
    drop_in("[Service]\nEnvironment=CODEX_PATH=/nowhere/codex\n")
    sentence = "no Codex found: there is no file /nowhere/codex (from CODEX_PATH)"
    for _ in range(8):
        answer = ask("initialize")
        assert answer["id"] is None
        assert answer["error"]["message"].startswith(sentence), answer
    failed = codexd("start")
    assert failed.returncode == 3, failed
    assert failed.stderr.startswith(f"codexd: {sentence}"), failed
    sent = run(sys.executable, "-P", "-m", "codexctl.main", "send", "hello")
    assert sent.returncode == 3, sent
    assert sentence in sent.stderr, sent
    assert state("codexd.socket") == "active"
    drop_in("")
    assert ask()["result"]["codexd"]["pid"] == main_pid()


def uninstalled() -> None:
    step("uninstall leaves nothing of it; codexd still works on its own")
    (UNITS / "codexd.service.d" / "test.conf").unlink()
    (UNITS / "codexd.service.d").rmdir()
    done = codexd("uninstall")
    assert done.returncode == 0, done
    assert list(UNITS.rglob("codexd*")) == []
    assert (state("codexd.socket"), state("codexd.service")) == ("inactive", "inactive")
    assert not SOCKET.exists()
    assert codexd("status").returncode == 3
    started = codexd("start")
    assert started.returncode == 0, started
    refused = codexd("install")
    assert refused.returncode == 3
    assert "codexd runs outside of systemd" in refused.stderr
    assert codexd("stop").returncode == 0


def main() -> None:
    """All of it, in the order in which a user would do it."""
    os.environ |= {"CODEX_PATH": str(CODEX)}
    systemctl("set-environment", f"PYTHONPATH={os.environ['PYTHONPATH']}")
    with ScriptedModel() as model:
        (HOME / ".codex").mkdir()
        model.write_config(HOME / ".codex")
        for part in (installed, activated, stopped_and_started, killed, watched, without_codex, uninstalled):
            part()


if __name__ == "__main__":
    main()
