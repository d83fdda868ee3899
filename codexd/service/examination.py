"""The checks of doctor: each looks at one thing, changes nothing and wakes nobody."""

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from codexd.protocol import extension
from codexd.protocol.errors import STALE_LOGIN, Unavailable
from codexd.runtime.archive_inspection import Inspection, inspect
from codexd.service import control_socket, install, locks, log_file, sockets
from codexd.service.ask import Asker, Refused
from codexd.service.codex_launch import broken_link, check_directories
from codexd.service.discovery import Finder, other_than
from codexd.service.errors import UsageError
from codexd.service.finding import BROKEN, NOTE, OK, Finding
from codexd.service.installation import shadowed
from codexd.service.instance import Instance
from codexd.service.service_manager import SERVICE, SOCKET, UserManager
from codexd.service.settings import DEFAULT
from codexd.service.sockets import Occupant
from codexd.service.surroundings import problem_of

_ANSWER_SECONDS = 5.0


def examine(instance: Instance) -> list[Finding]:
    """What every check finds, in the order in which things depend on each other."""
    checks: tuple[Callable[[Instance], Iterator[Finding]], ...] = (
        _codex,
        _directories,
        _daemon,
        _socket,
        _service,
        _control_socket,
        _commands,
        _start_up,
        _timeline,
        _log,
    )
    return [finding for check in checks for finding in check(instance)]


def _codex(instance: Instance) -> Iterator[Finding]:
    try:
        codex = Finder(instance.settings.codex, instance.environ).find()
    except Unavailable as error:
        yield Finding("Codex", BROKEN, str(error))
        return
    via = f", which npm's {codex.found_as} starts" if codex.binary != codex.found_as else ""
    yield Finding("Codex", OK, f"{codex.version}, {codex.binary}{via} (from {codex.source})")


def _directories(instance: Instance) -> Iterator[Finding]:
    home = instance.settings.codex_home
    if problem := broken_link(instance.settings, instance.environ) or problem_of(home):
        yield Finding("CODEX_HOME", BROKEN, problem)
        return
    if not home.exists() and instance.settings.sources["codex_home"] == DEFAULT:
        yield Finding("CODEX_HOME", NOTE, f"{home} does not exist yet; the first start makes it")
        return
    try:
        check_directories(instance.settings, instance.environ, demo=False)
    except UsageError as error:
        yield Finding("CODEX_HOME", BROKEN, str(error))
        return
    yield Finding("CODEX_HOME", OK, str(home))


def _daemon(instance: Instance) -> Iterator[Finding]:
    runner = instance.runner()
    if runner is None:
        lock = instance.name_file()
        yield Finding("codexd", NOTE, f"not running; nobody holds the lock {lock}", "codexd start")
        return
    yield Finding(
        "lock", OK, f"held by pid {runner.pid}, which serves {runner.codex_home} on {runner.socket}"
    )
    try:
        with Asker(Path(runner.socket), _ANSWER_SECONDS) as asker:
            status = asker.ask(extension.STATUS)
            own, codex = status["codexd"], status["codex"]
            yield Finding(
                "codexd", OK, f"{own['version']} runs (pid {own['pid']}) with {status['clients']} clients"
            )
            if (problem := status["timeline"]["problem"]) is not None:
                yield Finding("events", BROKEN, problem)
            yield from _version(instance, codex)
            yield from _answers_of_codex(asker, codex)
    except Refused as refused:
        yield Finding("codexd", BROKEN, f"pid {runner.pid} runs and says: {refused}")
    except Unavailable as error:
        yield Finding(
            "codexd", BROKEN, f"pid {runner.pid} runs and does not answer: {error}", "codexd restart"
        )


def _version(instance: Instance, codex: dict[str, Any]) -> Iterator[Finding]:
    """A Codex that was updated is another one than the one that runs."""
    there = other_than(codex["version"], Finder(instance.settings.codex, instance.environ))
    if there is not None:
        what = f"{codex['version']} runs, and {there.version} is installed: {there.binary}"
        yield Finding("Codex's version", NOTE, what, "codexd restart")


def _answers_of_codex(asker: Asker, codex: dict[str, Any]) -> Iterator[Finding]:
    if codex["state"] == "exited":
        yield Finding("Codex's state", BROKEN, f"exited: {codex['reason']}", "codexd start")
        return
    if codex["state"] != "ready":
        why = f": {codex['reason']}" if codex["reason"] else ""
        yield Finding("Codex's state", NOTE, f"{codex['state']}{why}")
        return
    yield Finding("Codex's state", OK, f"ready (pid {codex['pid']}), restarted {codex['restarts']} times")
    if codex.get("loginIsStale"):
        yield Finding("login", NOTE, STALE_LOGIN)
    asker.ask("initialize", {"clientInfo": {"name": "codexd-doctor", "version": "1"}})
    try:
        asker.ask("config/read")
    except Refused as refused:
        # Codex has said nothing of an account then, or that of another model provider than is configured.
        yield Finding("Codex's configuration", BROKEN, " ".join(str(refused).split()), "correct it")
        return
    answer = asker.ask("account/read")
    # Another Codex may answer otherwise; a doctor looks and does not fall over.
    account = answer.get("account")
    if account is None and answer.get("requiresOpenaiAuth"):
        yield Finding("account", BROKEN, "Codex is not signed in", "codex login, or codexd-codex login")
    else:
        yield Finding(
            "account", OK, account.get("type") if account else "none is needed for its model provider"
        )


def _socket(instance: Instance) -> Iterator[Finding]:
    runner = instance.runner()
    path = instance.socket_of(runner)
    if runner is None and UserManager(instance.environ).owns(path):
        yield Finding("socket", OK, f"{path}: systemd listens and starts codexd with the first client")
        return
    try:
        if path.parent.exists():
            sockets.check_private_directory(path.parent)
    except sockets.SocketRefused as error:
        yield Finding("socket", BROKEN, str(error))
        return
    found, pid = sockets.occupant(path)
    who = f" (pid {pid})" if pid else ""
    holder = locks.holder(locks.socket_lock(path))
    if found is Occupant.LIVE and holder is None:
        yield Finding(
            "socket", BROKEN, f"{path}: something that is not codexd listens there{who}", f"end pid {pid}"
        )
    elif found in (Occupant.STALE, Occupant.NOTHING) and runner is not None and runner.is_listening:
        yield Finding(
            "socket",
            BROKEN,
            f"{path} is gone; codexd makes it anew within half a minute, or says in its log why it cannot",
            f"kill -HUP {runner.pid}; codexd logs",
        )
    elif found is Occupant.STALE:
        yield Finding("socket", NOTE, f"{path}: left by a codexd that was killed; the next start replaces it")
    elif found in (Occupant.LIVE, Occupant.NOTHING):
        yield Finding("socket", OK, f"{path}: {found.value}{who}")
    else:
        yield Finding(
            "socket", BROKEN, f"{path} is {found.value}", "remove it, or choose another path with --socket"
        )


def _service(instance: Instance) -> Iterator[Finding]:
    manager = UserManager(instance.environ)
    service = manager.show(SERVICE, "LoadState", "ActiveState", "UnitFileState")
    if not service:
        yield Finding("systemd", NOTE, "no systemd for this user here; codexd start works without")
        return
    if service["LoadState"] != "loaded":
        yield Finding("systemd", NOTE, "codexd is not installed as a service", "codexd install")
        return
    socket = manager.show(SOCKET, "ActiveState", "UnitFileState", "Listen")
    text = f"{SOCKET} {socket['ActiveState']} ({socket['UnitFileState']}), {SERVICE} {service['ActiveState']}"
    failed = "failed" in (socket["ActiveState"], service["ActiveState"])
    yield Finding("systemd", BROKEN if failed else OK, text, "codexd logs; codexd restart" if failed else "")
    if not install.lingers():
        yield Finding("linger", NOTE, "codexd ends when you log out", "loginctl enable-linger")


def _control_socket(instance: Instance) -> Iterator[Finding]:
    """Codex's own socket: codexd's where that is wanted, else that of a server which owns the threads it has open."""
    wanted = instance.settings.control_socket
    path = control_socket.path_in(instance.settings.codex_home)
    name = "control socket"
    try:
        control_socket.check_length(path)
    except sockets.SocketRefused as error:
        if wanted:
            yield Finding(name, BROKEN, str(error))
        return
    found, pid = control_socket.occupant(path)
    runner = instance.runner()
    if found is Occupant.LIVE and runner is not None and pid == runner.pid:
        yield Finding(name, OK, f"{path}: codexd listens, and plain `codex` attaches to it")
    elif wanted and found in (Occupant.NOTHING, Occupant.STALE):
        yield Finding(
            name, OK if runner is None else NOTE, f"{path}: free", "" if runner is None else "codexd restart"
        )
    elif wanted:
        yield Finding(name, BROKEN, control_socket.refusal(path, found, pid))
    elif found is Occupant.LIVE:
        yield Finding(
            "shared Codex",
            NOTE,
            f"another server for this CODEX_HOME listens at {path}{f' (pid {pid})' if pid else ''}; "
            "threads that it has open cannot be opened here",
            "codex app-server daemon stop",
        )


def _commands(instance: Instance) -> Iterator[Finding]:
    for command, found, ours in shadowed(instance.environ):
        yield Finding(
            "PATH",
            BROKEN,
            f"`{command}` runs {found}, which is another program; this codexd's own is {ours}",
            f"put {ours.parent} before {found.parent} on PATH",
        )


def _start_up(instance: Instance) -> Iterator[Finding]:
    """A script that is started by a shim of pyenv pays about 85 ms for it, every time (measured)."""
    programs = {shutil.which("codexd"), shutil.which("codexctl"), sys.argv[0]}
    for program in sorted(filter(None, programs)):
        if not os.path.isfile(program):
            continue  # `python -c` has no program
        with open(program, "rb") as file:
            first = file.readline(4096)
        if first.startswith(b"#!") and b"/shims/" in first:
            yield Finding(
                "start-up",
                NOTE,
                f"{program} is started through a shim, which costs 85 ms",
                "install with pipx or uv",
            )


def _timeline(instance: Instance) -> Iterator[Finding]:
    path = locks.timeline_file(instance.environ, instance.settings.codex_home)
    if instance.settings.timeline == "off":
        left = f"; {path} is left of a time when it was on" if path.exists() else ""
        yield Finding("timeline", OK, f"off: events are kept in memory only{left}")
        return
    if not path.exists():
        yield Finding("timeline", OK, f"{path} (not there yet: codexd makes it when it starts)")
        return
    match inspect(path):
        case str(problem):
            yield Finding("timeline", BROKEN, problem)
        case Inspection(oldest=float(oldest), newest=float(newest)) as found:
            text = (
                f"{found.events} events, {_megabytes(found.bytes)}, {_day(oldest)} to {_day(newest)}: {path}"
            )
            yield Finding("timeline", OK, text)
        case Inspection(bytes=size):
            yield Finding("timeline", OK, f"no events, {_megabytes(size)}: {path}")


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB"


def _day(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


def _log(instance: Instance) -> Iterator[Finding]:
    path = log_file.path_of(instance.settings, instance.environ)
    there = "" if path.exists() else " (not there yet: it is written when codexd runs detached)"
    yield Finding("log", OK, f"{path}{there}")
    path = log_file.observability_path_of(instance.settings, instance.environ)
    there = "" if path.exists() else " (not there yet: it is written when Codex says something)"
    yield Finding("observability", OK, f"{path}{there}")
