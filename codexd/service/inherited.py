"""What a process inherits beside its environment, put right: codexd must not be as the first shell happened to be.

Limits, priority, umask and signals of whoever started codexd would hold for every later client, and for what Codex runs.
Called before there are threads.
"""

import os
import resource
import signal

OWN_UMASK = 0o077
_DEFAULT_UMASK = 0o022
_LOGIN_DEFS = "/etc/login.defs"
_LIMITS = {
    "RLIMIT_CPU": "seconds of CPU time (ulimit -t)",
    "RLIMIT_FSIZE": "the size of a file (ulimit -f)",
    "RLIMIT_DATA": "memory for data (ulimit -d)",
    "RLIMIT_AS": "virtual memory (ulimit -v)",
    "RLIMIT_NPROC": "processes (ulimit -u)",
    "RLIMIT_NOFILE": "open files (ulimit -n)",
}
"""Not RLIMIT_STACK, which decides where memory is mapped and how large a thread's stack is, nor RLIMIT_CORE: nobody asked
for the core files of what Codex runs."""
_UNLIMITED_LATER = ("RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_DATA", "RLIMIT_AS")
"""Limits that no system sets by itself: where the hard one is finite, a shell has set it."""


def put_right() -> list[str]:
    """Resets what can be reset for this process and all that it starts; returns sentences about what cannot."""
    os.umask(OWN_UMASK)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGPIPE, signal.SIGXFSZ}:
        # What a shell starts in the background ignores SIGINT, and what nohup starts SIGHUP; so would all commands.
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    return [*_raise_limits(), *_reset_priority()]


def umask_of_user() -> int:
    """The umask for what Codex runs: that of a login, by UMASK of login.defs(5), else 022."""
    try:
        with open(_LOGIN_DEFS, encoding="utf-8", errors="replace") as file:
            values = [
                words[1] for line in file if (words := line.split())[:1] == ["UMASK"] and len(words) > 1
            ]
        return int(values[-1], 8) & 0o777 if values else _DEFAULT_UMASK
    except (OSError, ValueError):
        return _DEFAULT_UMASK


def _raise_limits() -> list[str]:
    """Every soft limit becomes the hard one."""
    left = []
    for name, what in _LIMITS.items():
        number = getattr(resource, name)
        soft, hard = resource.getrlimit(number)
        if soft != hard:
            try:
                resource.setrlimit(number, (hard, hard))
            except (ValueError, OSError):  # macOS has a smaller limit of its own for open files
                hard = soft
        if name in _UNLIMITED_LATER and hard != resource.RLIM_INFINITY:
            left.append(f"whoever started codexd has limited {what} to {hard} for all that it starts")
    return left


def _reset_priority() -> list[str]:
    """Only root, or who has RLIMIT_NICE for it, may lower the nice value."""
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    if nice <= 0:
        return []
    try:
        os.setpriority(os.PRIO_PROCESS, 0, 0)
    except PermissionError:
        return [f"whoever started codexd has made it nice ({nice}), and all that it starts"]
    return []
