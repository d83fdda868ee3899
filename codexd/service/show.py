"""status and logs: what codexd says of itself."""

import json
import os
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from codexd.protocol import extension
from codexd.protocol.errors import STALE_LOGIN, Unavailable
from codexd.protocol.visible import plain
from codexd.service import log_file
from codexd.service.ask import Refused
from codexd.service.discovery import Codex, Finder, other_than
from codexd.service.errors import CannotServe, ServiceError
from codexd.service.instance import Instance
from codexd.service.reaching import ANSWER_SECONDS, reached
from codexd.service.service_manager import SERVICE, UserManager

_LINES = 200
_FOLLOW_SECONDS = 0.25


def status(instance: Instance, as_json: bool) -> int:
    """Prints what codexd says of itself and of Codex.

    Raises:
        CannotServe: it does not run.
        Unavailable: it runs and does not answer, or does not serve this process.
    """
    runner = instance.runner()
    if runner is None:
        raise CannotServe("codexd is not running; start it with: codexd start")
    try:
        with reached(Path(runner.socket), runner, ANSWER_SECONDS) as asker:
            report = asker.ask(extension.STATUS)
    except Unavailable as silent:
        raise Unavailable(f"codexd runs (pid {runner.pid}) and does not answer: {silent}") from None
    except Refused as refused:
        raise Unavailable(str(refused)) from None
    if as_json:
        print(json.dumps(report))
    else:
        installed = other_than(report["codex"]["version"], Finder(instance.settings.codex, instance.environ))
        print(plain(_in_words(report, installed)))
    return 0


def logs(instance: Instance, follow: bool) -> int:
    """Prints the end of the log; with `follow` goes on until it is interrupted.

    Raises:
        ServiceError: there is no log yet.
    """
    manager = UserManager(instance.environ)
    runner = instance.runner()
    if manager.owns(instance.settings.socket) and (runner is None or runner.pid == manager.main_pid()):
        more = ["--follow"] if follow else ["--no-pager"]
        os.execvp("journalctl", ["journalctl", "--user", f"--unit={SERVICE}", f"--lines={_LINES}", *more])
    path = log_file.path_of(instance.settings, instance.environ)
    try:
        for line in _lines_of(path, follow):
            sys.stdout.write(plain(line))
            sys.stdout.flush()
    except FileNotFoundError:
        raise ServiceError(f"there is no log yet: codexd writes it to {path} when it runs detached") from None
    return 0


def _lines_of(path: Path, follow: bool) -> Iterator[str]:
    """The last lines of the file, then with `follow` what comes, through rotations."""
    file = path.open(encoding="utf-8", errors="replace")
    try:
        yield from deque(file, _LINES)
        while follow:
            yield from file
            if _has_been_replaced(path, file.fileno()):
                file.close()
                file = path.open(encoding="utf-8", errors="replace")
            else:
                time.sleep(_FOLLOW_SECONDS)
    finally:
        file.close()


def _has_been_replaced(path: Path, descriptor: int) -> bool:
    try:
        return not os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _in_words(report: dict[str, Any], installed: Codex | None) -> str:
    """`installed`: a Codex of another version than the one that runs."""
    own, codex = report["codexd"], report["codex"]
    rows = [
        ("codexd", f"{own['version']}, pid {own['pid']}, up {_duration(time.time() - own['startedAt'])}"),
        ("socket", own["socket"]),
        ("CODEX_HOME", own["codexHome"]),
        ("Codex", _codex_in_words(codex)),
        ("clients", report["clients"]),
        ("threads", report["threads"]),
        ("approvals", f"{report['pendingApprovals']} pending"),
        ("requests", f"{report['inFlight']} under way, {report['queued']} queued"),
    ]
    if installed is not None:
        rows.append(("installed", f"Codex {installed.version}, which takes over with: codexd restart"))
    return "\n".join(f"{name:<11} {value}" for name, value in rows)


def _codex_in_words(codex: dict[str, Any]) -> str:
    known = [f"{codex['state']}"]
    if codex["version"]:
        known.insert(0, codex["version"])
    if codex["pid"]:
        known.append(f"pid {codex['pid']}")
    if codex["restarts"]:
        known.append(f"restarted {codex['restarts']} time{'s' if codex['restarts'] > 1 else ''}")
    if codex["reason"]:
        known.append(codex["reason"])
    if codex.get("loginIsStale"):
        known.append(STALE_LOGIN)
    if codex["schemaProblem"]:
        known.append(f"{codex['schemaProblem']}; experimental methods are not held back")
    return ", ".join(known)


def _duration(seconds: float) -> str:
    whole = int(seconds)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if whole >= size:
            return f"{whole // size} {unit}"
    return f"{whole} s"
