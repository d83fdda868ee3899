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
_UNLIMITED_LATER = {
    "RLIMIT_CPU": "seconds of CPU time (ulimit -t)",
    "RLIMIT_FSIZE": "the size of a file (ulimit -f)",
    "RLIMIT_DATA": "memory for data (ulimit -d)",
    "RLIMIT_AS": "virtual memory (ulimit -v)",
}
"""Limits that no system sets by itself: where the hard one is finite, a shell has set it."""
_LIMITS = (*_UNLIMITED_LATER, "RLIMIT_NPROC", "RLIMIT_NOFILE")
"""Not RLIMIT_STACK, which decides where memory is mapped and how large a thread's stack is, nor RLIMIT_CORE: nobody asked
for the core files of what Codex runs."""


def put_right() -> list[str]:
    """Resets what can be reset for this process and all that it starts; returns sentences about what cannot."""
    os.umask(OWN_UMASK)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGPIPE, signal.SIGXFSZ}:
        # What a shell starts in the background ignores SIGINT, and what nohup starts SIGHUP; so would all commands.
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    _raise_limits()
    _reset_priority()
    return left(os.getpid())


def left(pid: int) -> list[str]:
    """Sentences about what that process has from whoever started it, and could not reset; of another one where that can be
    looked at (Linux)."""
    try:
        hard = {what: _hard_limit(pid, getattr(resource, name)) for name, what in _UNLIMITED_LATER.items()}
        nice = os.getpriority(os.PRIO_PROCESS, pid)
    except (OSError, AttributeError):  # it has ended, or is another user's; macOS has no prlimit
        return []
    found = [
        f"the process that started codexd has limited {what} to {limit} for codexd and its processes"
        for what, limit in hard.items()
        if limit != resource.RLIM_INFINITY
    ]
    if nice > 0:
        found.append(
            f"the process that started codexd has given codexd and its processes the nice value {nice}"
        )
    return found


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


def _hard_limit(pid: int, number: int) -> int:
    if pid == os.getpid():
        return resource.getrlimit(number)[1]
    return resource.prlimit(pid, number)[1]


def _raise_limits() -> None:
    """Every soft limit becomes the hard one."""
    for name in _LIMITS:
        number = getattr(resource, name)
        soft, hard = resource.getrlimit(number)
        if soft != hard:
            try:
                resource.setrlimit(number, (hard, hard))
            except (ValueError, OSError):  # macOS has a smaller limit of its own for open files
                continue


def _reset_priority() -> None:
    """Only root, or who has RLIMIT_NICE for it, may lower the nice value."""
    if os.getpriority(os.PRIO_PROCESS, 0) > 0:
        try:
            os.setpriority(os.PRIO_PROCESS, 0, 0)
        except PermissionError:
            return
