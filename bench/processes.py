"""What processes have used: CPU time, memory, wake-ups. From Linux's /proc and clocks, whose resolution psutil hides."""

import time
from collections.abc import Iterable
from pathlib import Path

import psutil

MIB = 1024 * 1024
_KIB = 1024


def tree(*pids: int) -> list[int]:
    """The processes and all that descend from them; without those that are gone."""
    found: list[int] = []
    for pid in pids:
        try:
            process = psutil.Process(pid)
            found += [pid, *(child.pid for child in process.children(recursive=True))]
        except psutil.NoSuchProcess:
            continue
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """CPU time that the processes have used so far, their ended threads included, to the nanosecond."""
    return sum(time.clock_gettime(_cpu_clock(pid)) for pid in pids)


def _cpu_clock(pid: int) -> int:
    """The clock id of a process's CPU time: the kernel's CPUCLOCK_SCHED, as clock_getcpuclockid(3) makes it."""
    return (~pid << 3) | 2


def pss_bytes(pids: Iterable[int]) -> int:
    """Proportional set size: every page counted once, shared ones divided among the processes that share them."""
    return sum(_memory(pid, "smaps_rollup", "Pss:") for pid in pids)


def resident_bytes(pids: Iterable[int]) -> int:
    """Resident set size: shared pages counted in full for each process."""
    return sum(_memory(pid, "status", "VmRSS:") for pid in pids)


def thread_sleeps(pid: int) -> dict[str, int]:
    """How often each thread of a process has gone to sleep of its own accord so far, by the thread's id."""
    return {
        status.parent.name: _number(status.read_text(), "voluntary_ctxt_switches:")
        for status in Path(f"/proc/{pid}/task").glob("*/status")
    }


def wake_ups(before: dict[str, int], after: dict[str, int]) -> int:
    """How often threads were woken between two looks at `thread_sleeps`; one that is gone was woken to end."""
    slept = sum(count - before.get(thread, 0) for thread, count in after.items())
    return slept + len(before.keys() - after.keys())


def _memory(pid: int, file: str, label: str) -> int:
    try:
        return _number(Path(f"/proc/{pid}/{file}").read_text(), label) * _KIB
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _number(text: str, label: str) -> int:
    for line in text.splitlines():
        if line.startswith(label):
            return int(line.split()[1])
    return 0
