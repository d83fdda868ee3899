"""start, stop, restart: codexd's life from the outside.

Under the user's systemd when our units are installed for this socket, else as a detached process. Who runs is read
from the locks, which wakes nobody; whether it is ready is asked of itself.
"""

import os
import sys
import time
from pathlib import Path

from codexd import __version__
from codexd.protocol import extension
from codexd.protocol.errors import Unavailable
from codexd.protocol.running import Holder
from codexd.protocol.visible import plain
from codexd.service import detached, handover, locks, log_file, login_shell, options_on_stdin
from codexd.service.arguments import DRAIN_SECONDS, beyond_identity
from codexd.service.ask import Mute, Refused
from codexd.service.errors import CannotServe, ServiceError, UsageError
from codexd.service.instance import Instance, how_to_talk
from codexd.service.reaching import ANSWER_SECONDS, reached
from codexd.service.service_manager import SERVICE, SOCKET, UserManager
from codexd.service.sockets import make_private_directory

START_SECONDS = 75.0
"""How long a start may take. Codex answers in 0.1 seconds; one that does not answer within a minute codexd gives up."""
STOP_SECONDS = 10.0
"""How long a stop is waited for; codexd ends within 5."""
_GLANCE_SECONDS = 0.05
_ENDS_AGAIN = "codexd ends again as soon as it is started; see: codexd logs"


def start(instance: Instance) -> int:
    """Makes sure that codexd runs and that its Codex is ready.

    Of many at once exactly one starts it, the others wait and find it running.

    Raises:
        ServiceError, Unavailable: it is not ready; the message is why.
    """
    if login_shell.is_asked(instance.environ):  # whoever waits here waits for itself
        print("codexd is starting, and runs this shell to read its environment")
        return 0
    deadline = time.monotonic() + START_SECONDS
    start_lock = locks.start_lock(instance.environ, instance.settings.codex_home)
    make_private_directory(start_lock.parent)
    while True:
        with locks.waited_for(start_lock, deadline - time.monotonic()):
            runner = instance.runner()
            if runner is None and not _start_anew(instance, deadline):
                continue
        if runner is not None:
            _check_is_the_same(runner, instance)
        status = _ready_status(instance, deadline)
        if status is not None:
            break
        if time.monotonic() >= deadline:
            raise CannotServe(_ENDS_AGAIN)
    word = "started" if runner is None else "already runs"
    print(plain(f"codexd {word} (pid {status['codexd']['pid']}); {_codex_line(status)}"))
    if runner is not None and beyond_identity(instance.arguments):
        print(
            "codexd: its options stay as they are; new ones take effect with: codexd restart", file=sys.stderr
        )
    if "--demo" in instance.arguments:
        print(f"talk to it with: {how_to_talk(instance.settings)}\nand end it with: codexd stop --demo")
    return 0


def stop(instance: Instance, drain: float) -> int:
    """Ends the codexd that runs and returns when it is gone.

    Args:
        drain: for how many seconds running turns are waited for.

    Raises:
        ServiceError: it is still there `STOP_SECONDS` later, or cannot be told.
    """
    runner = instance.runner()
    if runner is None:
        print("codexd is not running")
        return 0
    pid, is_service = _end(runner, instance, drain)
    again = "; the next client starts it again, until: codexd uninstall" if is_service else ""
    print(f"codexd stopped (pid {pid}){again}")
    return 0


def restart(instance: Instance, drain: float, *, has_left: bool = False) -> int:
    """Stops what runs, if anything does, and starts it again with the options of this instance.

    What the new one needs is checked first: while something is in its way, the one that runs goes on. Below that one
    another process does the rest, and this returns before.

    Args:
        instance: the codexd that is meant, with the options for the new one.
        drain: for how many seconds running turns are waited for.
        has_left: this is that other process.

    Raises:
        ServiceError, Unavailable: as `stop` and `start`.
    """
    manager = UserManager(instance.environ)
    is_service = manager.owns(instance.settings.socket)
    if is_service:
        _refuse_options(instance)
    runner = _check_first(instance, is_service)
    if runner is not None and not has_left and handover.is_below(runner):
        if drain != DRAIN_SECONDS:
            raise UsageError(handover.NO_OTHER_DRAIN)
        log = handover.hand_over(instance, runner)
        where = str(log) if is_service else "codexd logs"
        print(
            plain(
                f"codexd restarts in the background, as this command of its Codex ends with it; see: {where}"
            )
        )
        return 0
    if not is_service:
        stop(instance, drain)
        return start(instance)
    has_ended = runner is not None and _ask_to_end(runner, drain)
    if runner is not None and has_ended:
        _wait_until_gone(runner, drain + STOP_SECONDS)
    manager.act("reset-failed", SERVICE, SOCKET)
    # One that has ended may be back already, started by a client that came: that one is not to be ended again.
    manager.act("start" if has_ended else "restart", SERVICE)
    status = _ready_status(instance, time.monotonic() + START_SECONDS)
    if status is None:
        raise CannotServe(_ENDS_AGAIN)
    print(plain(f"codexd restarted (pid {status['codexd']['pid']}); {_codex_line(status)}"))
    return 0


def _check_first(instance: Instance, is_service: bool) -> Holder | None:
    """The codexd that runs, once it is known that another could take its place; others may restart it meanwhile.

    Raises:
        ServiceError, Unavailable: what is in the way.
    """
    # Late: it needs what `stop` and `start` have no use for.
    from codexd.service import preflight

    deadline = time.monotonic() + STOP_SECONDS
    while True:
        runner = instance.runner()
        pid = runner.pid if runner else None
        try:
            preflight.check(instance, runner_pid=pid, has_own_socket=not is_service)
            return runner
        except (ServiceError, Unavailable) as refusal:
            now = instance.runner()
            if now == runner or time.monotonic() >= deadline:
                if now is None:
                    raise
                raise type(refusal)(
                    f"not restarted, codexd (pid {now.pid}) goes on as it was: {refusal}"
                ) from None
        time.sleep(_GLANCE_SECONDS)


def _end(runner: Holder, instance: Instance, drain: float) -> tuple[int, bool]:
    """Ends the codexd that runs, after the drain that it is asked for: its pid, and whether it was systemd's service."""
    manager = UserManager(instance.environ)
    is_service = manager.main_pid() == runner.pid
    if _ask_to_end(runner, drain):
        _wait_until_gone(runner, drain + STOP_SECONDS)
    elif is_service:
        manager.act("stop", SERVICE)
    else:
        return _terminate(runner, instance), False
    return runner.pid, is_service


def _ask_to_end(runner: Holder, drain: float) -> bool:
    """Asks codexd to end, and says what it waits for. False where it does not answer, or knows no such request."""
    try:
        with reached(Path(runner.socket), runner, ANSWER_SECONDS) as asker:
            turns = asker.ask(extension.STOP, {"drainSeconds": drain})["turns"]
    except (Unavailable, Refused):
        return False
    if turns and drain:
        threads = ", ".join(dict.fromkeys(turn["threadId"] for turn in turns))
        count = f"{len(turns)} running turn{'' if len(turns) == 1 else 's'}"
        print(
            f"codexd: waiting for {count}, for {drain:g} seconds at most: thread {threads}; "
            "to end without waiting: codexd stop --now",
            file=sys.stderr,
        )
    return True


def _start_anew(instance: Instance, deadline: float) -> bool:
    """Starts codexd and waits until it is ready; False when that is to be tried again.

    Somebody else was quicker, who is then to be waited for, or has stopped it meanwhile.
    """
    manager = UserManager(instance.environ)
    if manager.owns(instance.settings.socket):
        _refuse_options(instance)
        manager.act("reset-failed", SERVICE, SOCKET)
        manager.act("start", SERVICE)
        return True
    log = log_file.path_of(instance.settings, instance.environ)
    try:
        detached.launch(instance.arguments, log, instance.environ, deadline - time.monotonic())
    except detached.StartFailed as failure:
        if instance.runner() is None and not failure.was_stopped:
            raise
        return False
    return True


def _refuse_options(instance: Instance) -> None:
    if given := beyond_identity(instance.arguments):
        raise UsageError(
            "codexd is installed as a service of systemd and takes its options from "
            f"{instance.settings.config_file}: {' '.join(options_on_stdin.names(given))} cannot be given here"
        )


def _check_is_the_same(runner: Holder, instance: Instance) -> None:
    """Raises `CannotServe` for one of another CODEX_HOME, or on another socket than the one that `--socket` names."""
    wanted = (str(instance.settings.socket), str(instance.settings.codex_home))
    found = (runner.socket if instance.socket_is_named() else wanted[0], runner.codex_home)
    if found != wanted:
        raise CannotServe(
            f"codexd already runs for {runner.codex_home}: pid {runner.pid}, socket {runner.socket}; "
            f"wanted was {wanted[1]} on {wanted[0]}"
        )


def _ready_status(instance: Instance, deadline: float) -> dict[str, dict[str, object]] | None:
    """What `codexd/status` says once Codex is ready; None when the codexd that was there has gone away.

    Raises:
        Unavailable: Codex is not available, or codexd does not answer; the message is why.
    """
    while True:
        runner = instance.runner()
        # One that is just being started, by systemd say, may have its socket long before it can answer.
        first = ANSWER_SECONDS if runner is not None and runner.is_listening else None
        left = max(deadline - time.monotonic(), 0.1)
        try:
            with reached(instance.socket_of(runner), runner, left) as asker:
                asker.ask(extension.CODEX_START, seconds=first)
                # codexd holds this until Codex is ready, or says why it is not.
                asker.ask("initialize", {"clientInfo": {"name": "codexd", "version": __version__}})
                status: dict[str, dict[str, object]] = asker.ask(extension.STATUS)
                return status
        except Refused as refused:
            if refused.reason != "stopping":
                raise Unavailable(str(refused)) from None
        except Mute as mute:
            if runner is not None:
                raise Unavailable(f"codexd runs (pid {runner.pid}) and does not answer: {mute}") from None
        except Unavailable:
            if time.monotonic() >= deadline and instance.runner() is not None:
                raise
        if instance.runner() is None:
            return None
        time.sleep(_GLANCE_SECONDS)


def _codex_line(status: dict[str, dict[str, object]]) -> str:
    codex = status["codex"]
    return f"Codex {codex['version']} is ready (pid {codex['pid']})"


def _terminate(runner: Holder, instance: Instance) -> int:
    """Tells the codexd that holds the lock to end by a signal, which it also hears where it answers nobody.

    Others may stop and start codexd at the same time, and a lock's text may be older than its holder. So it is looked
    again who holds the lock until that is known. A signal has codexd wait for running turns for `DRAIN_SECONDS`. Returns the
    pid of the one that has ended.
    """
    deadline = time.monotonic() + STOP_SECONDS
    while not _told_to_end(runner, instance):
        again = instance.runner()
        if again is None:
            return runner.pid
        if time.monotonic() >= deadline:
            raise ServiceError(f"the lock names pid {runner.pid}, which does not hold it; try again")
        time.sleep(_GLANCE_SECONDS)
        runner = again
    _wait_until_gone(runner, DRAIN_SECONDS + STOP_SECONDS)
    return runner.pid


def _wait_until_gone(runner: Holder, seconds: float) -> None:
    import psutil  # late: 23 ms

    deadline = time.monotonic() + seconds
    try:
        process = psutil.Process(runner.pid)
        # Not `wait`: where nobody reaps orphans, as in a container, the dead stay in the table.
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() >= deadline:
                raise ServiceError(
                    f"codexd (pid {runner.pid}) is still there {seconds:.0f} seconds after it was told to stop; "
                    f"end it with: kill -9 {runner.pid}"
                )
            time.sleep(_GLANCE_SECONDS)
    except psutil.NoSuchProcess:
        return


def _told_to_end(runner: Holder, instance: Instance) -> bool:
    """Sends SIGTERM; False when the process does not hold the lock that names it, or is gone.

    Raises:
        ServiceError: it runs on another machine.
    """
    import psutil

    from codexd.runtime.processes import is_process_table_there

    if runner.machine not in ("", os.uname().nodename):
        raise ServiceError(f"codexd runs on the machine {runner.machine} (pid {runner.pid}); stop it there")
    if not is_process_table_there():
        raise ServiceError(
            f"/proc is not there, and it cannot be told whether pid {runner.pid} is codexd; "
            f"mount -t proc proc /proc, or: kill {runner.pid}"
        )
    own = (instance.name_file(), instance.home_lock(), locks.socket_lock(Path(runner.socket)))
    try:
        process = psutil.Process(runner.pid)
        if not {os.path.realpath(path) for path in own} & {file.path for file in process.open_files()}:
            return False
        process.terminate()
        process.resume()  # one that was stopped (SIGSTOP) would not hear it
    except psutil.NoSuchProcess:
        return False
    return True
