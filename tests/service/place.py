"""A home of one's own: directories, an environment that leads nowhere else, programs to be found on PATH, processes."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from codexd.demo import places
from codexd.service import settings
from codexd.service.instance import Instance
from tests import left_running

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 90.0
_KEPT = ("LANG", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG", left_running.VARIABLE)
_GLANCE_SECONDS = 0.01


_HAND_OVER = """
import os, sys
count = int(sys.argv[1])
for number, descriptor in enumerate(map(int, sys.argv[2 : 2 + count])):
    os.dup2(descriptor, 100 + number)
for number in range(count):
    os.dup2(100 + number, 3 + number)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": sys.argv[1], "LISTEN_FDNAMES": "codexd"}
os.execv(sys.argv[2 + count], sys.argv[2 + count :])
"""


def handed_over(argv: Sequence[str], *descriptors: int) -> dict[str, Any]:
    """What to give `subprocess` so that the program finds these descriptors as a service manager hands them over."""
    numbers = [str(len(descriptors)), *map(str, descriptors)]
    return {"args": [sys.executable, "-ISc", _HAND_OVER, *numbers, *argv], "pass_fds": descriptors}


class Place:
    """Directories, and what runs in them."""

    def __init__(self) -> None:
        self.root = places.new_directory("cs-")
        self.home, self.run_dir, self.bin = self.root / "home", self.root / "run", self.root / "bin"
        self.codex_home = self.home / ".codex"
        for directory in (self.home, self.run_dir, self.bin, self.codex_home):
            directory.mkdir(0o700)
        self.socket = self.run_dir / "codexd" / "codexd.sock"
        self.log = self.root / "state" / "codexd" / "log" / "codexd.log"
        self.environ = {name: os.environ[name] for name in _KEPT if name in os.environ} | {
            "HOME": str(self.home),
            "PATH": f"{self.bin}:/usr/bin:/bin",
            "PYTHONPATH": f"{self._without_bundled_codex()}:{ROOT}",
            "XDG_RUNTIME_DIR": str(self.run_dir),
            "XDG_STATE_HOME": str(self.root / "state"),
            "XDG_CONFIG_HOME": str(self.root / "config"),
        }
        self._processes: list[subprocess.Popen[str]] = []

    def _without_bundled_codex(self) -> Path:
        """A directory that hides the package with the real Codex, which may be installed or not."""
        hiding = self.root / "hiding"
        hiding.mkdir()
        (hiding / "sitecustomize.py").write_text('import sys; sys.modules["codex_cli_bin"] = None\n')
        return hiding

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            with process:
                process.kill()
        for stray in self.strays():
            try:
                stray.kill()
            except psutil.NoSuchProcess:
                continue  # it has just ended by itself
        shutil.rmtree(self.root)

    # Programs

    def program(self, name: str, script: str, mode: int = 0o755) -> Path:
        """An executable shell script in the directory that is first on PATH."""
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(mode)
        return path

    def codex(self, version: str = "0.163.0", name: str = "codex", **manners: object) -> Path:
        """A `codex` that says this version, and is `tests/fake_codex.py` with these manners else."""
        fake = f"exec {sys.executable} -IS {ROOT / 'tests' / 'fake_codex.py'} '{json.dumps(manners)}' \"$@\""
        return self.program(name, f'[ "$1" = --version ] && echo codex-cli {version} && exit\n{fake}')

    def command(self, *arguments: str) -> list[str]:
        """The argv of codexd."""
        return [sys.executable, "-P", "-m", "codexd", *arguments]

    def start(
        self, *arguments: str, env: Mapping[str, str] | None = None, **how: Any
    ) -> subprocess.Popen[str]:
        """codexd with these arguments, or the program of `args`, its output in pipes."""
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        program: dict[str, Any] = {"args": self.command(*arguments), "cwd": self.home, "text": True}
        surroundings = {"env": {**self.environ, **(env or {})}}
        process: subprocess.Popen[str] = subprocess.Popen(**program | pipes | surroundings | how)
        self._processes.append(process)
        return process

    def run(
        self, *arguments: str, env: Mapping[str, str] | None = None, **how: Any
    ) -> subprocess.CompletedProcess[str]:
        """codexd with these arguments, to its end."""
        process = self.start(*arguments, env=env, **how)
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def instance(self, *arguments: str, **flags: object) -> Instance:
        """What a command line in this place means. The process's own environment has to be this place's, too."""
        return Instance(settings.load(flags, self.environ), arguments, self.environ)

    def systemctl(self) -> "Systemctl":
        """A `systemctl` that stands for a user's systemd in this place."""
        return Systemctl(self)

    # What runs

    def strays(self) -> list[psutil.Process]:
        """The processes whose HOME is in this place."""
        found = []
        for process in psutil.process_iter():
            try:
                if Path(process.environ().get("HOME", "")).is_relative_to(self.root):
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return found

    def wait_until_listening(self, process: subprocess.Popen[str], path: Path | None = None) -> None:
        """Returns when the socket answers; fails when the process ends before that."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                self.connect(path).close()
                return
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(f"codexd did not come up: {process.communicate()}") from None
                time.sleep(_GLANCE_SECONDS)

    def wait_for_line(self, stream: Any, wanted: str) -> str:
        """Reads lines until one has these words."""
        for line in stream:
            if wanted in line:
                return str(line)
        raise AssertionError(f"the stream ended without {wanted!r}")

    def connect(self, path: Path | None = None) -> socket.socket:
        """A connection to the socket."""
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(PATIENCE_SECONDS)
        try:
            connection.connect(str(path or self.socket))
        except OSError:
            connection.close()
            raise
        return connection

    @contextmanager
    def listener(self) -> Iterator[socket.socket]:
        """Somebody else's listening socket at the path of codexd's, as systemd's is."""
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.socket))
            listener.listen()
            yield listener

    @staticmethod
    def python(script: str) -> str:
        """What a Python script prints that is run in the source tree."""
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
        )
        return done.stdout

    def ask(self, method: str, path: Path | None = None) -> dict[str, Any]:
        """The whole answer to one request on a connection of its own."""
        with self.connect(path) as connection, connection.makefile("rwb") as stream:
            stream.write(json.dumps({"id": 1, "method": method, "params": {}}).encode() + b"\n")
            stream.flush()
            answer: dict[str, Any] = json.loads(stream.readline())
            return answer

    def end(self, process: subprocess.Popen[str], number: int = signal.SIGTERM) -> int:
        """Sends a signal and waits for the end; returns the exit status."""
        process.send_signal(number)
        process.communicate(timeout=PATIENCE_SECONDS)
        return process.returncode


class Systemctl:
    """A program `systemctl` that knows the properties of units and does what a test says a verb does."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._directory = place.root / "systemctl"
        self._directory.mkdir()
        (self._directory / "calls").touch()
        place.program(
            "systemctl",
            f"""cd {self._directory}
[ "$1" = --user ] || exit 9
shift
echo "$@" >>calls
if [ "$1" = show ]; then cat "show-$2"; else [ ! -e "on-$1" ] || . "./on-$1"; fi""",
        )

    def knows(self, unit: str, **properties: object) -> None:
        """From now on the unit has these properties, all of which every question gets."""
        lines = [f"{name}={value}\n" for name, value in properties.items()]
        (self._directory / f"show-{unit}").write_text("".join(lines))

    def does(self, verb: str, script: str) -> None:
        """From now on this is what the verb does, in shell."""
        (self._directory / f"on-{verb}").write_text(script + "\n")

    def has_installed(self, pid: int = 0, state: str = "inactive") -> None:
        """Our units are there, for the default socket."""
        both = {"LoadState": "loaded", "UnitFileState": "enabled"}
        self.knows("codexd.socket", Listen=f"{self._place.socket} (Stream)", ActiveState="active", **both)
        self.knows("codexd.service", MainPID=pid, ActiveState=state, **both)

    def actions(self) -> list[str]:
        """What was asked of it, questions left out."""
        return [
            line
            for line in (self._directory / "calls").read_text().splitlines()
            if not line.startswith("show")
        ]
