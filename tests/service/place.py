"""A home of one's own: directories, an environment that leads nowhere else, programs to be found on PATH, processes."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from codexd.service import settings
from codexd.service.instance import Instance

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 30.0
_KEPT = ("LANG", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")
_GLANCE_SECONDS = 0.01


class Place:
    """Directories under `/tmp`, because a socket's path may have 107 bytes, and what runs in them."""

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="cs-", dir="/tmp")).resolve()
        self.home, self.run_dir, self.bin = self.root / "home", self.root / "run", self.root / "bin"
        self.codex_home = self.home / ".codex"
        for directory in (self.home, self.run_dir, self.bin, self.codex_home):
            directory.mkdir(0o700)
        self.socket = self.run_dir / "codexd" / "codexd.sock"
        self.log = self.root / "state" / "codexd" / "log" / "codexd.log"
        self.environ = {name: os.environ[name] for name in _KEPT if name in os.environ} | {
            "HOME": str(self.home),
            "PATH": f"{self.bin}:/usr/bin:/bin",
            "PYTHONPATH": str(ROOT),
            "XDG_RUNTIME_DIR": str(self.run_dir),
            "XDG_STATE_HOME": str(self.root / "state"),
            "XDG_CONFIG_HOME": str(self.root / "config"),
        }
        self._processes: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.kill()
            process.communicate()
        for stray in self.strays():
            stray.kill()
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
        fake = f"exec {sys.executable} -IS {ROOT / 'tests' / 'fake_codex.py'} '{json.dumps(manners)}'"
        return self.program(name, f'[ "$1" = --version ] && echo codex-cli {version} && exit\n{fake}')

    def command(self, *arguments: str) -> list[str]:
        """The argv of codexd."""
        return [sys.executable, "-P", "-m", "codexd", *arguments]

    def start(
        self, *arguments: str, env: Mapping[str, str] | None = None, **how: Any
    ) -> subprocess.Popen[str]:
        """codexd with these arguments, its output in pipes."""
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(
            self.command(*arguments),
            env={**self.environ, **(env or {})},
            cwd=self.home,
            text=True,
            **pipes | how,
        )
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

    # What runs

    def strays(self) -> list[psutil.Process]:
        """The processes whose HOME this is."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("HOME") == str(self.home):
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
