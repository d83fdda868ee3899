"""The end of what Codex has left: SIGTERM, a moment to end in good order, then SIGKILL."""

import logging
import os
import signal
import time
from collections.abc import Callable, Collection

import psutil

from codexd.protocol import running
from codexd.runtime import ownership, process_table
from codexd.runtime.ownership import Record
from codexd.runtime.process_table import Process, Table
from codexd.runtime.processes import ended_orphans, reap

logger = logging.getLogger(__name__)

GRACE_SECONDS = 0.5
"""How long a process has between SIGTERM and SIGKILL."""
SWEEP_SECONDS = 1.0
"""How long a sweep goes on after that: what is being ended may be starting others meanwhile."""
_ROUND_SECONDS = 0.01


def sweep(record: Record) -> bool:
    """Ends what is left of a Codex that has just ended, a child of this process; False when something withstands.

    Its exit status must have been taken, and no other one since. Blocks for a bit more than `GRACE_SECONDS` and
    `SWEEP_SECONDS` at most: call it in a thread.
    """
    is_gone = _end_all(record, lambda table: {record.codex, *_sessions_of_the_killed(table)})
    reap(ended_orphans())  # not before the last look: one that ends between the two would stay a zombie
    return is_gone


def sweep_leftovers(record: Record) -> bool:
    """Ends what an earlier codexd has left, its Codex included; False when something withstands. Blocks as `sweep`."""
    return _end_all(record, lambda table: ())


def end_codex(record: Record) -> bool:
    """Ends the Codex of an earlier codexd, if it still runs, and nothing else. Blocks as `sweep`."""
    return _end_all(record, lambda table: (), only_codex=True)


def _end_all(
    record: Record, known_sessions: Callable[[Table], Collection[int]], *, only_codex: bool = False
) -> bool:
    begun = time.monotonic()
    told: dict[int, str] = {}
    while True:
        table = process_table.look()
        sessions = known_sessions(table)
        own = ownership.owned(record, table, sessions)
        if only_codex:
            own &= {record.codex}
        own -= ownership.spared(own, table, os.getpid(), _is_codexd)
        left = [table[pid] for pid in own if not table[pid].ended]
        passed = time.monotonic() - begun
        if not left or passed > GRACE_SECONDS + SWEEP_SECONDS:
            break
        for process in left:
            if process.pid not in told:
                told[process.pid] = _told(process, signal.SIGTERM)
            elif passed > GRACE_SECONDS:
                _told(process, signal.SIGKILL)
        record = ownership.still_owned(record, own, table, sessions)
        time.sleep(_ROUND_SECONDS)
    withstanding = {process.pid: told.get(process.pid, "") for process in left}
    if ended := told.keys() - withstanding.keys():
        logger.info("ended %d processes that Codex had left behind: %s", len(ended), _named(told, ended))
    if withstanding:
        logger.error("processes that could not be ended: %s", _named(withstanding, withstanding))
    return not withstanding


def _told(process: Process, number: signal.Signals) -> str:
    """Sends a signal to this very process, and returns its name, as far as there is one."""
    try:
        handle = psutil.Process(process.pid)
        name: str = handle.name()
        again = process_table.at(process.pid)
        if again is not None and again.started == process.started:
            handle.send_signal(number)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return ""  # the next look tells whether it is still there
    return name


def _named(names: dict[int, str], pids: Collection[int]) -> str:
    return ", ".join(f"{pid} ({names[pid] or 'unknown'})" for pid in sorted(pids))


def _sessions_of_the_killed(table: Table) -> set[int]:
    """The sessions of commands that ended with Codex, for what was started too late to be recorded.

    The kernel sends SIGTERM to each child of Codex when Codex dies, because Codex asks for that (0.163 and 0.171), and
    none to what is below it. A child of Codex is then a child of ours that was ended so, and stays a zombie until the
    sweep is done. What had left and ended before is no zombie any more.
    """
    own = os.getpid()
    return {
        p.pid
        for p in table.values()
        if p.ended and p.parent == own and p.session == p.pid and _was_terminated(p.pid)
    }


def _was_terminated(child: int) -> bool:
    try:
        found = os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return found is not None and found.si_code == os.CLD_KILLED and found.si_status == signal.SIGTERM


def _is_codexd(process: Process) -> bool:
    """Every codexd has the file open that says that it serves its CODEX_HOME, and hands it on to nobody."""
    try:
        files = psutil.Process(process.pid).open_files()
    except psutil.Error:
        return False
    return any(os.path.basename(file.path) == running.FILE for file in files)
