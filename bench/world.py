"""A world of its own for one run: directories, a scripted model, the real Codex, and an end to all that was started."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import psutil

from codexd.demo.codex_config import write_config
from codexd.demo.places import new_directory

# What could lead a program out of its world, or have Python work otherwise than a user's does (without bytecode, say).
_FOREIGN = ("XDG_", "CODEX", "OPENAI_", "LISTEN_", "NOTIFY_", "WATCHDOG_", "PYTHON", "COVERAGE_")
CHECKOUT = Path(__file__).resolve().parent.parent
_END_SECONDS = 10.0


class World:
    """Context manager."""

    def __init__(self, codex: Path) -> None:
        self.codex = codex
        self.root = new_directory("cb-")
        self._processes: list[subprocess.Popen[bytes]] = []
        self._log = (self.root / "log").open("ab")
        self._model_url: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, (ConnectionError, TimeoutError, RuntimeError)):
            sys.stderr.write((self.root / "log").read_text(errors="replace")[-4000:])
        for process in reversed(self._processes):
            end(process)
        _kill(
            psutil.Process().children(recursive=True)
        )  # a signal in the middle of a start leaves one unrecorded
        self._log.close()
        shutil.rmtree(self.root, ignore_errors=True)

    def directory(self, name: str) -> Path:
        """A directory of this world, made when it is not there."""
        path = self.root / name
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path

    @property
    def model_url(self) -> str:
        """The scripted model in a process of its own, so that its CPU time counts for nobody."""
        if self._model_url is None:
            argv = [sys.executable, "-m", "codexd.demo.scripted_model"]
            model = self.spawn(argv, "model", cwd=CHECKOUT, stdout=subprocess.PIPE)
            assert model.stdout
            self._model_url = model.stdout.readline().decode().strip()
        return self._model_url

    def environment(self, side: str, model_url: str | None = None) -> dict[str, str]:
        """What the programs of one side get: directories of their own, with a Codex home that uses the model.

        `model_url`: another model than the world's own.
        """
        home = self.directory(f"{side}/home")
        codex_home = home / ".codex"
        write_config(codex_home, model_url or self.model_url, mcp=False)
        ours = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        return ours | {
            "HOME": str(home),
            "CODEX_HOME": str(codex_home),
            "CODEX_PATH": str(self.codex),
            "PYTHONPATH": str(CHECKOUT),
            "XDG_RUNTIME_DIR": str(self.directory(f"{side}/run")),
            "XDG_STATE_HOME": str(self.directory(f"{side}/state")),
            "XDG_CONFIG_HOME": str(self.directory(f"{side}/config")),
        }

    def spawn(
        self,
        argv: Sequence[str],
        side: str,
        *,
        environment: dict[str, str] | None = None,
        cwd: Path | None = None,
        stdin: int = subprocess.DEVNULL,
        stdout: int | IO[bytes] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Starts a process that ends with this world; stderr, and stdout unless said otherwise, go to the log."""
        process = subprocess.Popen(
            list(argv),
            env=environment if environment is not None else os.environ.copy(),
            cwd=cwd or self.directory(f"{side}/project"),
            stdin=stdin,
            stdout=stdout if stdout is not None else self._log,
            stderr=self._log,
        )
        self._processes.append(process)
        return process


def command(program: str) -> list[str]:
    """A program of ours as installed beside this Python, else as a module."""
    installed = Path(sys.executable).parent / program
    module = {
        "codexd": "codexd.service.main",
        "codexctl": "codexctl.main",
        "codexd-codex": "codexctl.stand_in",
    }[program]
    return [str(installed)] if installed.exists() else [sys.executable, "-m", module]


def end(process: subprocess.Popen[bytes]) -> None:
    """Asks a process to end, then makes it; what it leaves behind is ended too."""
    left = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.terminate()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(_END_SECONDS)
    _kill(left)


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
