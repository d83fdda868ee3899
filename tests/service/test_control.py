"""start, stop, restart."""

import json
import os
import pwd
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from codexd.protocol.errors import Unavailable
from codexd.protocol.running import Holder
from codexd.protocol.sandbox import MARK_VARIABLE, mark_of
from codexd.service import control, detached, locks, reaching
from codexd.service.detached import StartFailed
from codexd.service.errors import CannotServe, ServiceError
from codexd.service.instance import Instance
from codexd.service.kept_options import kept
from tests.service.place import Place


def pid_of(place: Place) -> int:
    """The codexd that serves the socket."""
    pid: int = place.ask("codexd/status")["result"]["codexd"]["pid"]
    return pid


def test_a_life(place: Place) -> None:
    """start, again, status, restart, stop, again: each says what it did, and exits 0."""
    place.codex()
    started = place.run("start")
    pid = pid_of(place)
    assert (started.returncode, started.stderr) == (0, "")
    assert started.stdout.startswith(f"codexd started (pid {pid}); Codex 0.0.1 is ready (pid ")
    again = place.run("start")
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout.startswith(f"codexd already runs (pid {pid}); Codex 0.0.1 is ready (pid ")
    restarted = place.run("restart")
    assert (restarted.returncode, restarted.stderr) == (0, "")
    new = pid_of(place)
    assert new != pid
    assert restarted.stdout.startswith(f"codexd stopped (pid {pid})\ncodexd started (pid {new}); ")
    assert place.run("stop").stdout == f"codexd stopped (pid {new})\n"
    assert place.strays() == []
    assert not place.socket.exists()
    last = place.run("stop")
    assert (last.returncode, last.stdout) == (0, "codexd is not running\n")
    assert " is serving; socket " in place.log.read_text()


def test_twenty_starts_at_once_are_one_codexd(place: Place) -> None:
    """T19: of twenty clients that each started a broker, codex-plugin-cc kept up to twenty, and with codex-collab 7 of
    18 failed. Here one starts codexd, the others wait for it, and all are told that it is ready."""
    place.codex()
    place.program("codex", f'echo "$*" >>$HOME/asked; {place.bin / "codex-itself"} "$@"')
    place.codex(name="codex-itself")
    starts = [place.start("start") for _ in range(20)]
    said = [process.communicate() for process in starts]
    assert [process.returncode for process in starts] == [0] * 20
    assert {err for _, err in said} == {""}
    pid = pid_of(place)
    words = [out.partition(" (")[0] for out, _ in said]
    assert sorted(words) == ["codexd already runs"] * 19 + ["codexd started"]
    assert {out.partition("(pid ")[2].partition(")")[0] for out, _ in said} == {str(pid)}
    words = (place.home / "asked").read_text().split()
    asked = Counter(word for word in words if word in ("--version", "app-server", "generate-json-schema"))
    assert asked == {"--version": 1, "app-server": 3, "generate-json-schema": 2}, "asked once, spawned once"
    assert "already runs" not in place.log.read_text(), "nobody started one in vain"


def test_a_codexd_in_a_terminal_is_waited_for(place: Place) -> None:
    """Who starts codexd by hand at the same moment is not disturbed: `start` waits until that one is ready."""
    os.mkfifo(place.home / "gate")
    place.program("codex", "touch $HOME/asked; cat $HOME/gate >/dev/null; echo codex-cli 0.163.0")
    byhand = place.start("run")
    while not (place.home / "asked").exists():
        assert byhand.poll() is None
    start = place.start("start")
    place.codex()
    (place.home / "gate").write_text("")
    out, err = start.communicate(timeout=90)
    assert (start.returncode, err) == (0, "")
    assert out.startswith(f"codexd already runs (pid {byhand.pid}); ")


def test_a_codexd_in_a_terminal_that_was_quicker(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that `start` started finds the place taken and ends; that is no failure, the other one is waited for."""
    place.codex()

    def launch_too_late(*_: object) -> None:
        place.wait_until_listening(place.start("run"))
        raise StartFailed("codexd already runs", 3)

    monkeypatch.setattr(detached, "launch", launch_too_late)
    assert control.start(place.instance()) == 0


def test_a_codexd_that_is_stopping_is_none(place: Place) -> None:
    """One that answers that it is on its way out is not the one to wait for."""
    place.socket.parent.mkdir()
    refusal = {"code": -32050, "message": "codexd is stopping", "data": {"reason": "stopping"}}

    def answer() -> None:
        with listener.accept()[0] as client:
            client.recv(1000)
            client.sendall(json.dumps({"error": refusal, "id": 1}).encode() + b"\n")

    with place.listener() as listener:
        server = threading.Thread(target=answer)
        server.start()
        assert control._ready_status(place.instance(), time.monotonic() + 30) is None
        server.join()


def test_options_reach_codexd_and_survive_a_restart(place: Place, tmp_path: Path) -> None:
    """A restart keeps what codexd was started with, unless it is told otherwise; a start changes nothing that runs."""
    place.codex()
    other = place.codex("0.164.0", "other")
    assert place.run("start", "--codex", str(other), "--cwd", str(place.root)).returncode == 0
    assert codex_of(place).cwd() == str(place.root)
    again = place.run("start", "--cwd", "/")
    assert again.stderr == "codexd: its options stay as they are; new ones take effect with: codexd restart\n"
    assert codex_of(place).cwd() == str(place.root)
    place.run("restart")
    assert codex_of(place).cwd() == str(place.root)
    place.run("restart", "--cwd", "/")
    assert codex_of(place).cwd() == "/"
    state = place.instance().home_lock().parent
    assert kept(state) == ("--cwd=/",)
    place.run("stop")
    assert kept(state) == ()


def test_no_lock_holds_a_setting(place: Place) -> None:
    """What is handed to Codex may be a secret: it stands in no lock, and is kept for a restart where only its user reads.

    No command line has it either, of the codexd that was started and the one that was restarted, and of their Codex.
    """
    place.codex()
    place.run("start", "--codex-config", "mcp_servers.x.env.KEY=s3cret", "--codex-config", "model=x")
    before = pid_of(place)
    place.run("restart")
    assert pid_of(place) != before
    lines = [part for process in place.strays() for part in process.cmdline()]
    assert "model=x" in lines
    assert "s3cret" not in "".join(lines)
    settings = place.instance().settings
    state = place.instance().home_lock().parent
    for lock in (
        place.instance().home_lock(),
        place.instance().name_file(),
        locks.socket_lock(settings.socket),
    ):
        assert str(pid_of(place)) in lock.read_text()
        assert "s3cret" not in lock.read_text()
    assert (state / "options.json").stat().st_mode & 0o777 == 0o600


def test_a_restart_from_another_environment_keeps_the_options(place: Place) -> None:
    """The codexd that runs says where it keeps them: the state directory of the asking shell may be another one."""
    place.codex()
    place.run("start", "--cwd", str(place.root))
    restarted = place.run("restart", env={"XDG_STATE_HOME": str(place.root / "elsewhere")})
    assert (restarted.returncode, restarted.stderr) == (0, "")
    assert codex_of(place).cwd() == str(place.root)


def codex_of(place: Place) -> psutil.Process:
    """The Codex of the codexd that runs."""
    return psutil.Process(place.ask("codexd/status")["result"]["codex"]["pid"])


def test_a_start_that_fails_says_why(place: Place) -> None:
    """The sentence of codexd itself comes out where `start` was typed, with its exit code."""
    done = place.run("start", "--codex", "/nowhere")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("codexd: no Codex found: there is no file")
    assert place.run("start", "--cwd", "/nowhere").returncode == 2
    assert place.strays() == []


def test_a_command_of_codex_starts_no_codexd_but_may_restart_one(place: Place) -> None:
    """It is refused by the mark in its environment. A restart goes on without it: the new one is not its Codex's."""
    place.codex()
    marked = {MARK_VARIABLE: mark_of(place.environ, str(place.codex_home))}
    for command in ("start", "run"):
        refused = place.run(command, env=marked)
        assert (refused.returncode, refused.stdout) == (3, "")
        assert "a command of the Codex that codexd runs (CODEXD_MARK says so)" in refused.stderr
    assert place.run("start").returncode == 0
    before = pid_of(place)
    restarted = place.run("restart", env=marked)
    assert (restarted.returncode, restarted.stderr) == (0, "")
    assert pid_of(place) != before
    assert MARK_VARIABLE not in psutil.Process(pid_of(place)).environ()


@pytest.mark.skipif(
    os.path.basename(pwd.getpwuid(os.getuid()).pw_shell) not in ("bash", "dash", "sh"),
    reason="the user's shell reads other start-up files",
)
def test_a_start_up_file_that_starts_codexd(place: Place) -> None:
    """codexd asks the login shell, whose start-up files may run `codexd start`: that waits for nothing."""
    place.codex()
    note = place.root / "note"
    words = " ".join(place.command("start"))
    (place.home / ".profile").write_text(
        f"export PYTHONPATH={place.environ['PYTHONPATH']}; {words} >{note} 2>&1\n"
    )
    assert place.run("start").returncode == 0
    assert note.read_text() == "codexd is starting, and runs this shell to read its environment\n"


def test_a_codex_that_does_not_stay_alive_is_said(place: Place) -> None:
    """codexd runs, its Codex does not: `start` says so with exit code 3, and a later one tries again."""
    place.codex(start=[["die", {"status": 1}]])
    done = place.run("start")
    assert done.returncode == 3
    assert done.stderr.startswith("codexd: Codex died 5 times within a minute and is left down (")
    pid = pid_of(place)
    place.codex()
    assert place.run("start").stdout.startswith(f"codexd already runs (pid {pid}); Codex 0.0.1 is ready")


def test_another_codexd_in_the_way_is_named(place: Place) -> None:
    """One that has this CODEX_HOME on another socket, or this socket for another home, is not what was asked for."""
    place.codex()
    place.run("start")
    pid = pid_of(place)
    complaint = f"codexd already runs for {place.codex_home}: pid {pid}, socket {place.socket}"
    elsewhere = place.run("start", "--socket", str(place.root / "other.sock"))
    assert (elsewhere.returncode, elsewhere.stderr) == (3, f"codexd: {complaint}\n")
    other = place.home / "other"
    other.mkdir()
    home = place.run("start", "--codex-home", str(other), "--socket", str(place.socket))
    assert home.returncode == 3
    assert home.stderr == f"codexd: {complaint}; wanted was {other} on {place.socket}\n"


def test_it_outlives_whoever_started_it(place: Place) -> None:
    """A detached codexd is not in the session of its terminal, and its Codex has not the caller's environment."""
    place.codex()
    started = place.run("start", env={"MY_KEY": "mine", "RUST_LOG": "warn"}, start_new_session=True)
    assert started.returncode == 0
    codexd = psutil.Process(pid_of(place))
    assert os.getsid(codexd.pid) == codexd.pid
    assert codexd.cwd() == str(place.home)
    assert codexd.terminal() is None
    environ = codex_of(place).environ()
    assert environ["RUST_LOG"] == "warn"
    assert environ.keys().isdisjoint({"MY_KEY", "NOTIFY_SOCKET"})


def test_a_stop_that_arrives_while_it_is_ending(place: Place) -> None:
    """A start that finds a codexd on its way out waits for its end and starts another."""
    place.codex(ignore=["SIGTERM", "EOF"])
    place.run("start")
    first = pid_of(place)
    os.kill(first, signal.SIGTERM)
    assert place.run("start").returncode == 0
    assert pid_of(place) != first


def test_the_demo(place: Place) -> None:
    """`start --demo` says how to talk to it, and `stop --demo` ends it and nothing else."""
    place.codex()
    place.run("start")
    home = place.root / "state" / "codexd" / "demo-codex-home"
    started = place.run("start", "--demo").stdout
    path = place.instance(codex_home=str(home)).settings.socket
    assert started.splitlines()[1:] == [
        f"talk to it with: CODEX_HOME={home} CODEXD_SOCKET={path} codexctl send hello",
        "and end it with: codexd stop --demo",
    ]
    assert place.ask("codexd/status", path)["result"]["codexd"]["codexHome"] == str(home)
    assert place.run("stop", "--demo").returncode == 0
    assert not path.exists()
    assert pid_of(place)


class Sleeper:
    """A process that holds the locks of a codexd and does as it likes with signals."""

    SCRIPT = """
import signal, sys, time
from collections import Counter
from pathlib import Path
from codexd.protocol.running import Holder
from codexd.service.locks import held
import os
for line in sys.argv[2].split(): signal.signal(getattr(signal, line), signal.SIG_IGN)
with held(Path(sys.argv[1]), Holder(os.getpid(), sys.argv[3], "/h")):
    print("held", flush=True)
    time.sleep(1000)
"""


def hold_lock(place: Place, ignored: str = "") -> subprocess.Popen[str]:
    """Starts one for the default CODEX_HOME."""
    lock = place.instance().home_lock()
    lock.parent.mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, "-c", Sleeper.SCRIPT, str(lock), ignored, str(place.socket)]
    process = place.start(args=argv)
    place.wait_for_line(process.stdout, "held")
    return process


def test_a_codexd_that_does_not_end_is_said(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """`stop` waits for the end, but not for ever, and says what else there is to do."""
    monkeypatch.setattr(control, "STOP_SECONDS", 0.05)
    monkeypatch.setattr(control, "DRAIN_SECONDS", 0.0)
    stuck = hold_lock(place, ignored="SIGTERM")
    with pytest.raises(
        ServiceError, match=f"still there 0 seconds after .*; end it with: kill -9 {stuck.pid}"
    ):
        control.stop(place.instance(), 0.0)


def test_a_codexd_that_nobody_reaps_has_ended(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """In a container without an init the dead stay in the process table; they are dead all the same."""
    process = hold_lock(place)
    assert control.stop(place.instance(), 0.0) == 0
    assert capsys.readouterr().out == f"codexd stopped (pid {process.pid})\n"
    assert psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE


def test_a_place_behind_a_link(place: Place) -> None:
    """The directories may have other names for the kernel than for the user: /home is a link on many machines."""
    (place.root / "alias").symlink_to(place.root)
    for name in ("XDG_STATE_HOME", "XDG_RUNTIME_DIR"):
        place.environ[name] = place.environ[name].replace(str(place.root), f"{place.root}/alias")
    place.codex()
    assert place.run("start").returncode == 0
    stopped = place.run("stop")
    assert (stopped.returncode, stopped.stderr) == (0, "")


def test_a_name_in_a_lock_is_not_believed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock may be held by one and still bear the name of another: nobody is ended who does not hold it."""
    monkeypatch.setattr(control, "STOP_SECONDS", 0.05)
    innocent = place.start(args=["sleep", "1000"])
    named = Holder(innocent.pid, str(place.socket), str(place.codex_home))
    monkeypatch.setattr(Instance, "runner", lambda self: named)
    with pytest.raises(
        ServiceError, match=f"the lock names pid {innocent.pid}, which does not hold it; try again"
    ):
        control.stop(place.instance(), 0.0)
    assert innocent.poll() is None


def test_a_stop_that_meets_an_old_name_looks_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who stops codexd while others restart it is not shown a race: the one that holds the lock in the end is stopped."""
    innocent = place.start(args=["sleep", "1000"])
    process = hold_lock(place)
    old = Holder(innocent.pid, str(place.socket), str(place.codex_home))
    found = [old, old, Holder(process.pid, str(place.socket), str(place.codex_home))]
    monkeypatch.setattr(Instance, "runner", lambda self: found.pop(0))
    assert control.stop(place.instance(), 0.0) == 0
    assert innocent.poll() is None
    assert process.wait() == -signal.SIGTERM


def test_one_that_was_quicker_to_end(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A codexd that is gone before it is told has been stopped."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    found = [Holder(gone.pid, str(place.socket), "/h"), None]
    monkeypatch.setattr(Instance, "runner", lambda self: found.pop(0))
    assert control.stop(place.instance(), 0.0) == 0


def test_one_of_another_machine_is_not_stopped(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a CODEX_HOME is shared over a network, the pid in its lock is that of another machine's process."""
    innocent = place.start(args=["sleep", "1000"])
    named = Holder(innocent.pid, str(place.socket), str(place.codex_home), "elsewhere")
    monkeypatch.setattr(Instance, "runner", lambda self: named)
    with pytest.raises(ServiceError, match=r"runs on the machine elsewhere .*; stop it there"):
        control.stop(place.instance(), 0.0)
    assert innocent.poll() is None


def test_a_codexd_that_is_suspended_is_stopped(place: Place) -> None:
    """SIGSTOP keeps it from hearing that it is to end: it is let go on, and ends in good order."""
    place.codex()
    place.run("start")
    pid = pid_of(place)
    os.kill(pid, signal.SIGSTOP)
    stopped = place.run("stop")
    assert (stopped.returncode, stopped.stdout) == (0, f"codexd stopped (pid {pid})\n")


def test_a_codexd_that_is_mute_is_said_within_seconds(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """`start` does not wait as long for a codexd that is stopped or stuck as for a Codex that starts."""
    monkeypatch.setattr(control, "ANSWER_SECONDS", 0.2)
    place.codex()
    place.run("start")
    pid = pid_of(place)
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(Unavailable, match=f"codexd runs \\(pid {pid}\\) and does not answer"):
            control.start(place.instance())
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("command", ["status", "start"])
def test_a_socket_that_is_gone_is_made_anew_when_somebody_asks(place: Place, command: str) -> None:
    """The codexd that holds the lock is asked for it, and it is said."""
    place.codex()
    place.run("start")
    pid = pid_of(place)
    shutil.rmtree(place.socket.parent)
    done = place.run(command)
    assert done.returncode == 0
    said = f"codexd: the socket {place.socket} of codexd (pid {pid}) is gone; it was asked to make it anew\n"
    assert done.stderr == said
    assert pid_of(place) == pid


def test_a_socket_that_cannot_be_made_anew_is_said(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in the place of its directory: codexd goes on without, and says where the reason is."""
    place.codex()
    place.run("start")
    runner = place.instance().runner()
    assert runner is not None
    shutil.rmtree(place.socket.parent)
    place.socket.parent.write_text("")
    with monkeypatch.context() as patch:
        patch.setattr(reaching, "LISTEN_SECONDS", 0.3)
        with pytest.raises(
            Unavailable, match=r"nobody answers on .*; why it was not made anew is in: codexd logs"
        ):
            reaching.reached(place.socket, runner, 5.0)
    place.socket.parent.unlink()
    with reaching.reached(place.socket, runner, 5.0) as asker:
        assert asker.ask("codexd/status")["codexd"]["pid"] == runner.pid


def test_restarts_that_race_are_one_after_the_other(place: Place) -> None:
    """Ten restarts and stops at once: each does what it says, and none shows the user a race that it lost."""
    place.codex()
    place.run("start")
    racing = [place.start("restart" if number % 3 else "stop") for number in range(10)]
    said = [process.communicate(timeout=60) for process in racing]
    assert [(process.returncode, err) for process, (_, err) in zip(racing, said, strict=True)] == [
        (0, "")
    ] * 10
    assert place.run("start").returncode == 0
    codexds = [
        stray for stray in place.strays() if "run" in stray.cmdline() and "--detached" in stray.cmdline()
    ]
    assert [stray.pid for stray in codexds] == [pid_of(place)]


def test_one_that_ends_again_and_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A codexd that says READY and is gone the next moment is not started for ever."""
    monkeypatch.setattr(control, "START_SECONDS", 0.0)
    monkeypatch.setattr(control, "_start_anew", lambda instance, deadline: True)
    with pytest.raises(CannotServe, match="codexd ends again as soon as it is started"):
        control.start(place.instance())


def test_one_that_does_not_answer(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A codexd that holds its lock and never comes to its socket is said after a while."""
    monkeypatch.setattr(control, "START_SECONDS", 0.2)
    lock = place.instance().home_lock()
    lock.parent.mkdir(parents=True)
    holder = Holder(os.getpid(), str(place.socket), str(place.codex_home))
    with locks.held(lock, holder), pytest.raises(Exception, match="nobody answers on the socket"):
        control.start(place.instance())


# Under systemd


def service(place: Place) -> str:
    """The shell command that starts codexd as the service would."""
    argv = shlex.join(place.command("run"))
    wait = f"until [ -S {place.socket} ]; do sleep 0.01; done"
    know = "echo LoadState=loaded >show-codexd.service; echo MainPID=$! >>show-codexd.service"
    return f"{argv} >/dev/null 2>&1 & {know}; {wait}"


def test_the_service_is_started_stopped_and_restarted_by_systemd(place: Place) -> None:
    """Where our units are installed for this socket, systemd does it, and it is said what that means."""
    place.codex()
    systemctl = place.systemctl()
    systemctl.has_installed()
    systemctl.does("start", service(place))
    assert place.run("start").stdout.startswith("codexd started (pid ")
    pid = pid_of(place)
    assert place.run("start").stdout.startswith(f"codexd already runs (pid {pid})")
    restarted = place.run("restart").stdout
    new = pid_of(place)
    assert new != pid
    assert restarted.startswith(f"codexd restarted (pid {new}); Codex 0.0.1 is ready")
    stopped = place.run("stop").stdout
    assert (
        stopped == f"codexd stopped (pid {new}); the next client starts it again, until: codexd uninstall\n"
    )
    reset = "reset-failed codexd.service codexd.socket"
    verbs = [reset, "start codexd.service", reset, "start codexd.service"]
    assert systemctl.actions() == verbs


def test_a_service_that_ends_again(place: Place) -> None:
    """A service that systemd has restarted and that is gone already is not said to be there."""
    place.codex()
    place.systemctl().has_installed()
    done = place.run("restart")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "codexd: codexd ends again as soon as it is started; see: codexd logs\n"


@pytest.mark.parametrize("command", ["start", "restart"])
def test_options_cannot_be_given_to_the_service(place: Place, command: str) -> None:
    """The service takes its options from config.toml; to drop them silently would be worse than to say so."""
    systemctl = place.systemctl()
    systemctl.has_installed()
    done = place.run(command, "--cwd", "/", "--socket", str(place.socket))
    assert done.returncode == 2
    assert (
        f"takes its options from {place.root}/config/codexd/config.toml: --cwd=/ cannot be given"
        in done.stderr
    )
    assert systemctl.actions() == []


def test_a_codexd_for_another_socket_is_none_of_systemds(place: Place) -> None:
    """The demo beside an installed service is a process of its own."""
    place.codex()
    systemctl = place.systemctl()
    systemctl.has_installed()
    assert place.run("start", "--demo").returncode == 0
    assert place.run("restart", "--demo").returncode == 0
    assert place.run("stop", "--demo").returncode == 0
    assert systemctl.actions() == []


def test_status_json_of_a_started_codexd(place: Place) -> None:
    """What the command prints is what scripts may rely on."""
    place.codex()
    place.run("start")
    report = json.loads(place.run("status", "--json").stdout)
    assert report["codexd"]["socket"] == str(place.socket)
    assert report["codex"]["state"] == "ready"


def test_a_service_that_does_not_answer_is_stopped_and_restarted_by_systemd(place: Place) -> None:
    """It can't be asked, so systemd does it with its means."""
    place.codex()
    systemctl = place.systemctl()
    systemctl.has_installed()
    systemctl.does("start", service(place))
    kill = "kill -9 $(sed -n s/MainPID=//p show-codexd.service)"
    systemctl.does("restart", f"{kill}; rm {place.socket}; {service(place)}")
    systemctl.does("stop", kill)
    assert place.run("start").returncode == 0
    for verb in ("restart", "stop"):
        psutil.Process(pid_of(place)).suspend()
        assert place.run(verb).returncode == 0
    assert systemctl.actions()[-2:] == ["restart codexd.service", "stop codexd.service"]
