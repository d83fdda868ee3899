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
from codexd.protocol.sandbox import MARK_VARIABLE
from codexd.service import detached, locks, log_file
from codexd.service.arguments import beyond_identity
from codexd.service.ask import Asker, Refused
from codexd.service.errors import CannotServe, ServiceError, UsageError
from codexd.service.instance import Instance, how_to_talk
from codexd.service.locks import Holder
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
    print(f"codexd {word} (pid {status['codexd']['pid']}); {_codex_line(status)}")
    if runner is not None and beyond_identity(instance.arguments):
        print(
            "codexd: its options stay as they are; new ones take effect with: codexd restart", file=sys.stderr
        )
    if "--demo" in instance.arguments:
        print(f"talk to it with: {how_to_talk(instance.settings)}\nand end it with: codexd stop --demo")
    return 0


def stop(instance: Instance) -> int:
    """Ends the codexd that runs and returns when it is gone.

    Raises:
        ServiceError: it is still there after `STOP_SECONDS`, or cannot be told.
    """
    runner = instance.runner()
    if runner is None:
        print("codexd is not running")
        return 0
    manager = UserManager(instance.environ)
    if manager.main_pid() == runner.pid:
        manager.act("stop", SERVICE)
        print(f"codexd stopped (pid {runner.pid}); the next client starts it again, until: codexd uninstall")
        return 0
    _terminate(runner, instance)
    print(f"codexd stopped (pid {runner.pid})")
    return 0


def restart(instance: Instance) -> int:
    """Stops what runs, if anything does, and starts it again with the options of this instance.

    Raises:
        ServiceError, Unavailable: as `stop` and `start`.
    """
    manager = UserManager(instance.environ)
    if manager.owns(instance.settings.socket):
        _refuse_options(instance)
        manager.act("reset-failed", SERVICE, SOCKET)
        manager.act("restart", SERVICE)
        status = _ready_status(instance, time.monotonic() + START_SECONDS)
        if status is None:
            raise CannotServe(_ENDS_AGAIN)
        print(f"codexd restarted (pid {status['codexd']['pid']}); {_codex_line(status)}")
        return 0
    stop(instance)
    # A command of Codex may ask for this, and the new codexd is none of it.
    unmarked = {name: value for name, value in instance.environ.items() if name != MARK_VARIABLE}
    return start(instance._replace(environ=unmarked))


def _start_anew(instance: Instance, deadline: float) -> bool:
    """Starts codexd and waits until it is ready; False when somebody else was quicker, who is then to be waited for."""
    manager = UserManager(instance.environ)
    if manager.owns(instance.settings.socket):
        _refuse_options(instance)
        manager.act("reset-failed", SERVICE, SOCKET)
        manager.act("start", SERVICE)
        return True
    log = log_file.path_of(instance.settings, instance.environ)
    try:
        detached.launch(instance.arguments, log, instance.environ, deadline - time.monotonic())
    except detached.StartFailed:
        if instance.runner() is None:
            raise
        return False
    return True


def _refuse_options(instance: Instance) -> None:
    if given := beyond_identity(instance.arguments):
        raise UsageError(
            "codexd is installed as a service of systemd and takes its options from "
            f"{instance.settings.config_file}: {' '.join(given)} cannot be given here"
        )


def _check_is_the_same(runner: Holder, instance: Instance) -> None:
    wanted = (str(instance.settings.socket), str(instance.settings.codex_home))
    if (runner.socket, runner.codex_home) != wanted:
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
        try:
            with Asker(instance.settings.socket, max(deadline - time.monotonic(), 0.1)) as asker:
                asker.ask(extension.CODEX_START)
                # codexd holds this until Codex is ready, or says why it is not.
                asker.ask("initialize", {"clientInfo": {"name": "codexd", "version": __version__}})
                status: dict[str, dict[str, object]] = asker.ask(extension.STATUS)
                return status
        except Refused as refused:
            if refused.reason != "stopping":
                raise Unavailable(str(refused)) from None
        except Unavailable:
            if time.monotonic() >= deadline and instance.runner() is not None:
                raise
        if instance.runner() is None:
            return None
        time.sleep(_GLANCE_SECONDS)


def _codex_line(status: dict[str, dict[str, object]]) -> str:
    codex = status["codex"]
    return f"Codex {codex['version']} is ready (pid {codex['pid']})"


def _terminate(runner: Holder, instance: Instance) -> None:
    import psutil  # late: 23 ms

    deadline = time.monotonic() + STOP_SECONDS
    try:
        process = psutil.Process(runner.pid)
        own = {
            os.path.realpath(instance.home_lock()),
            os.path.realpath(locks.socket_lock(Path(runner.socket))),
        }
        # The lock's text may be older than its holder; only a process that has the file open may be ended.
        if not own & {file.path for file in process.open_files()}:
            raise ServiceError(f"the lock names pid {runner.pid}, which does not hold it; try again")
        process.terminate()
        # Not `wait`: where nobody reaps orphans, as in a container, the dead stay in the table.
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() >= deadline:
                raise ServiceError(
                    f"codexd (pid {runner.pid}) is still there {STOP_SECONDS:.0f} seconds after it was told to stop; "
                    f"end it with: kill -9 {runner.pid}"
                )
            time.sleep(_GLANCE_SECONDS)
    except psutil.NoSuchProcess:
        return
