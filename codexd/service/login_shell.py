"""The environment that the user's shell makes at a login: asked for once, as editors do.

Where programs are is said in the start-up files of shells (nvm, pyenv, Homebrew, Nix), and nowhere else. So the shell is run
as a login shell and an interactive one, `$SHELL -lic`, and prints its environment. It has no terminal and no input, is in a
session of its own, and has a time limit. It runs in the environment that Codex would have without it, and with `VARIABLE`,
by which start-up files can tell.
"""

import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping

from codexd.service.inherited import umask_of_user

VARIABLE = "CODEXD_ASKS_SHELL"
"""Is set in the environment of the shell, for the user's start-up files: the pid of who asks."""
SECONDS = 10.0
_CHUNK_BYTES = 64 * 1024
_MOST_BYTES = 16 * 1024 * 1024
_END_SECONDS = 1.0
_FIRST = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*(?:%%|\(\))?=")
"""The name of a variable or of a function of bash: what stands before it in the first entry is no part of it."""
OF_ITSELF = ("_", "OLDPWD", "PWD", "SHLVL", VARIABLE)
"""What a shell keeps for itself, and what was for it alone."""


class NotTold(Exception):
    """The shell did not say it; the rest of a sentence, behind the shell's name, that says why."""


def is_asked(environ: Mapping[str, str]) -> bool:
    """Whether a shell that is being asked now runs this process: then whoever asks waits for it.

    What start-up files leave running has the variable for good, and so has what that starts.
    """
    asker = environ.get(VARIABLE)
    if asker is None:
        return False
    import psutil

    return asker in (str(parent.pid) for parent in psutil.Process().parents())


class LoginShell:
    """One question. `begin` and `answer` are called in one thread, `abandon` in any other one.

    Args:
        environ: the environment to run it in; SHELL names it.
        seconds: how long it may take.
    """

    def __init__(self, environ: Mapping[str, str], seconds: float = SECONDS) -> None:
        self._environ = environ
        self._name = environ["SHELL"]
        self._seconds = seconds
        self._mark = os.urandom(8).hex()
        self._deadline = 0.0
        self._shell: subprocess.Popen[bytes] | None = None
        self._why_not = ""
        self._abandoned = False

    def begin(self) -> None:
        """Starts the shell. Where it cannot be run `answer` says so."""
        # csh takes -l only where nothing else follows.
        options = "-ic" if self._name.endswith("csh") else "-lic"
        self._deadline = time.monotonic() + self._seconds
        # A trap on DEBUG may print each command: the quotes make what is run another text than what that prints.
        say_mark = f"echo {self._mark[:1]}''{self._mark[1:]}"
        try:
            self._shell = subprocess.Popen(
                [self._name, options, f"{say_mark}; /usr/bin/env -0; {say_mark}"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**self._environ, VARIABLE: str(os.getpid())},
                cwd=self._environ["HOME"],
                start_new_session=True,
                umask=umask_of_user(),
            )
        except OSError as error:
            self._why_not = f"cannot be run: {error.strerror}"
        if self._abandoned:
            self.abandon()

    def answer(self) -> dict[str, str]:
        """The environment; waits for it, and for the end of the shell.

        Raises:
            NotTold: it did not come in time, or not at all.
        """
        shell = self._shell
        if shell is None:
            raise NotTold(self._why_not)
        assert shell.stdout
        try:
            said = self._said(shell.stdout.fileno())
        except NotTold:
            self.abandon()
            raise
        finally:
            shell.stdout.close()
        _wait_or_end(shell)
        return {name: value for name, value in _variables(said) if name not in OF_ITSELF}

    def abandon(self) -> None:
        """Ends the shell with all that it runs, now or as soon as it has begun."""
        self._abandoned = True
        if self._shell is not None and self._shell.poll() is None:
            _end(self._shell)

    def _said(self, descriptor: int) -> bytes:
        """What it says between the marks. Start-up files say things, too; what they leave running may keep the pipe open."""
        mark, said = f"{self._mark}\n".encode(), b""
        readable = select.poll()
        readable.register(descriptor, select.POLLIN)
        while said.count(mark) < 2:
            if not readable.poll(max(0.0, self._deadline - time.monotonic()) * 1000):
                raise NotTold(f"did not print its environment within {self._seconds:g} seconds")
            chunk = os.read(descriptor, _CHUNK_BYTES)
            if not chunk or len(said) > _MOST_BYTES:
                raise NotTold("ended without printing its environment")
            said += chunk
        return said.split(mark)[1]


def _variables(said: bytes) -> Iterator[tuple[str, str]]:
    """Those that env has printed. A shell may print something of its own before and behind them, a window's title, say."""
    *entries, _ = said.split(b"\0")
    if entries and (first := _FIRST.search(entries[0])):
        entries[0] = entries[0][first.start() :]
    for entry in entries:
        name, equals, value = os.fsdecode(entry).partition("=")
        if equals:
            yield name, value


def _wait_or_end(shell: subprocess.Popen[bytes]) -> None:
    """What it says at its end may take a while. What its start-up files have left running is left alone."""
    try:
        shell.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        shell.kill()
        shell.wait()


def _end(shell: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(shell.pid, signal.SIGKILL)
        shell.wait(_END_SECONDS)
    except (ProcessLookupError, subprocess.TimeoutExpired):  # it has ended, or takes its time to be killed
        return
