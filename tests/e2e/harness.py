"""A world of its own for every end-to-end test: directories, a scripted model, processes, and no leftovers.

Everything that a world starts, and everything that those start in turn, has the world's HOME in its
environment (Codex hands HOME on to commands and MCP servers, where it withholds most else). That is how
leftovers are found.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import psutil

from codexd.demo import mcp_server, places
from codexd.demo.scripted_model import ScriptedModel
from tests.e2e.harness_client import PATIENCE_S, JsonLinesClient
from tests.e2e.harness_terminal import Terminal
from tests.ends import wait_for_ends

# What could lead a program of the world out of it. And nobody counts the lines that it runs: that would cost a quarter of
# the time, and the other tests reach nearly all of them.
_FOREIGN = ("COV", "XDG_", "CODEX", "OPENAI_", "LISTEN_", "NOTIFY_", "WATCHDOG_", "NO_COLOR", "TMUX")

CHECKOUT = Path(__file__).parents[2]
MODULES = {"codexd": "codexd.service.main", "codexctl": "codexctl.main", "codexd-codex": "codexctl.stand_in"}

# Run first by the leader of a new session: takes stdin as its controlling terminal, whose end it hears of even where
# the tests ignore that (nohup), then becomes the program.
TAKE_TERMINAL = """
import fcntl, os, signal, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""

_SOON_S = 0.5  # an idle codexd ends within it

_Client = TypeVar("_Client", bound=JsonLinesClient)


class World:
    """Directories, environment and processes of one test. ``close`` stops everything, whatever happened.

    Until then this process stands in ``project``: its clients are in this process, and where they name no directory,
    that one counts.
    """

    def __init__(self, codex: Path) -> None:
        self.codex = codex
        self.grace_s = 20.0  # how long a process may take to end when it is told to
        self.root = places.new_directory("cw-")
        self.home = self._directory("home")
        self.codex_home = self._directory("home/.codex")
        self.runtime_dir = self._directory("run")
        self.state_home = self._directory("state")
        self.config_home = self._directory("config")
        self.project = self._directory("project")
        self.socket_path = self.runtime_dir / "codexd" / "codexd.sock"
        self.model = ScriptedModel()
        self.model.write_config(self.codex_home, mcp=True)
        self.env = self._environment()
        self._clients: list[JsonLinesClient] = []
        self._processes: list[subprocess.Popen[bytes]] = []
        self._terminals: list[Terminal] = []
        self._has_bare_codex = False
        self.model.__enter__()
        os.chdir(self.project)

    def _directory(self, name: str) -> Path:
        path = self.root / name
        path.mkdir(mode=0o700)
        return path

    def _environment(self) -> dict[str, str]:
        ours = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        return ours | {
            "HOME": str(self.home),
            "CODEX_HOME": str(self.codex_home),
            "CODEX_PATH": str(self.codex),
            "XDG_RUNTIME_DIR": str(self.runtime_dir),
            "XDG_STATE_HOME": str(self.state_home),
            "XDG_CONFIG_HOME": str(self.config_home),
            "XDG_CACHE_HOME": str(self.root / "cache"),
            "XDG_DATA_HOME": str(self.root / "data"),
            "TERM": "xterm-256color",
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": str(CHECKOUT),  # for an environment without codexd installed
        }

    # Programs

    def command(self, program: str) -> list[str]:
        """The argv of a program of ours as installed beside this Python, else as a module."""
        installed = Path(sys.executable).parent / program
        module = MODULES[program]
        return [str(installed)] if installed.exists() else [sys.executable, "-m", module]

    def spawn(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        **how: Any,
    ) -> subprocess.Popen[bytes]:
        """Starts a process in this world, in ``project`` unless ``cwd`` says otherwise. ``close`` ends it."""
        process = subprocess.Popen(argv, env={**self.env, **(env or {})}, cwd=cwd or self.project, **how)
        self._processes.append(process)
        return process

    def run(
        self,
        program: str,
        *arguments: str,
        input: str | None = None,
        timeout: float = PATIENCE_S,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Runs ``codexd`` or ``codexctl`` to its end. Without ``input`` its stdin is empty, never the terminal."""
        argv = [*self.command(program), *arguments]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = self.spawn(argv, env=env, cwd=cwd, **pipes)
        try:
            out, err = process.communicate((input or "").encode(), timeout)
        except subprocess.TimeoutExpired as expired:
            process.kill()
            out, err = process.communicate()
            raise TimeoutError(f"{argv} took over {timeout} s; it said\n{out!r}\n{err!r}") from expired
        return subprocess.CompletedProcess(argv, process.returncode, out.decode(), err.decode())

    def codexctl(self, *arguments: str, **how: Any) -> subprocess.CompletedProcess[str]:
        return self.run("codexctl", *arguments, **how)

    def codexd(self, *arguments: str, **how: Any) -> subprocess.CompletedProcess[str]:
        return self.run("codexd", *arguments, **how)

    def terminal(self, program: str, *arguments: str, **how: Any) -> Terminal:
        """Runs ``codexd`` or ``codexctl`` at a terminal."""
        return self.terminal_for([*self.command(program), *arguments], **how)

    def terminal_for(self, argv: Sequence[str], **how: Any) -> Terminal:
        """Runs any program at a terminal, the leader of a session of its own."""
        terminal = Terminal()
        self._terminals.append(terminal)

        def start(tty: int) -> subprocess.Popen[bytes]:
            on_tty: dict[str, Any] = {"stdin": tty, "stdout": tty, "stderr": tty, "start_new_session": True}
            return self.spawn([sys.executable, "-ISc", TAKE_TERMINAL, *argv], **on_tty, **how)

        terminal.attach(start)
        return terminal

    # Daemons and clients

    def start_daemon(self, *options: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """``codexd run`` on this world's socket, with ``log`` as its stdout and stderr; returns when it answers."""
        places = ["--socket", self.socket_path, "--codex", self.codex, "--codex-home", self.codex_home]
        argv = [*self.command("codexd"), "run", *map(str, places), *options]
        with self.log.open("ab") as log:
            daemon = self.spawn(argv, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.wait_for_socket(daemon)
        client = self.connect()
        client.call("codexd/status")
        client.close()
        return daemon

    @property
    def log(self) -> Path:
        """What ``start_daemon``'s daemons wrote to stdout and stderr."""
        return self.root / "codexd.log"

    def connect_raw(self) -> socket.socket:
        """A bare connection to codexd, for tests that send halves of lines or never read."""
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(PATIENCE_S)
        try:
            connection.connect(str(self.socket_path))
        except OSError:
            connection.close()
            raise
        return connection

    def connect(self) -> JsonLinesClient:
        """A client of codexd that has not said ``initialize`` yet."""
        return self.connect_as(JsonLinesClient)

    def connect_as(self, kind: type[_Client]) -> _Client:
        """The same, of a kind of its own. Its owner may close it before the world does."""
        connection = self.connect_raw()
        connection.settimeout(None)
        incoming, outgoing = connection.makefile("rb"), connection.makefile("wb")

        def hang_up() -> None:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:  # the far side was first
                pass
            connection.close()

        return self.noted(kind(incoming, outgoing, hang_up))

    def client(self, name: str = "test", **capabilities: object) -> JsonLinesClient:
        """A client of codexd after its handshake."""
        client = self.connect()
        client.initialize(name, **capabilities)
        return client

    def stand_in(self, *options: str, **how: Any) -> JsonLinesClient:
        """A client that has started ``codexd-codex OPTIONS app-server`` and has not said ``initialize`` yet."""
        argv = [*self.command("codexd-codex"), *options, "app-server", "--listen", "stdio://"]
        with self.log.open("ab") as log:
            process = self.spawn(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, **how)
        assert process.stdin
        assert process.stdout
        return self.noted(JsonLinesClient(process.stdout, process.stdin))

    def bare_codex(self, name: str = "test", *options: str, **capabilities: object) -> JsonLinesClient:
        """A client of a private ``codex app-server`` on stdio: what codexd is measured against."""
        client = self.bare_connection(*options)
        client.initialize(name, **capabilities)
        return client

    def bare_connection(self, *options: str) -> JsonLinesClient:
        """The same before it has said ``initialize``."""
        argv = [str(self.codex), *options, "app-server"]
        self._has_bare_codex = True
        with self.log.open("ab") as log:
            process = self.spawn(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        assert process.stdin
        assert process.stdout
        return self.noted(JsonLinesClient(process.stdout, process.stdin))

    def noted(self, client: _Client) -> _Client:
        """Closed with the world."""
        self._clients.append(client)
        return client

    def wait_for_socket(self, daemon: subprocess.Popen[bytes] | None = None) -> None:
        """Returns when somebody listens on the world's socket, or fails because ``daemon`` has ended.

        Nothing announces a socket that does not exist yet, so this asks until somebody answers.
        """
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                self.connect_raw().close()
            except (FileNotFoundError, ConnectionRefusedError):
                if (daemon and daemon.poll() is not None) or time.monotonic() > deadline:
                    said = self.log.read_text() if self.log.exists() else ""
                    raise AssertionError(f"codexd does not listen; it said\n{said}") from None
                time.sleep(0.01)
            else:
                return

    # The end

    def living(self) -> list[psutil.Process]:
        """The processes of this world that run, zombies not counted, those that outlived their parents too."""
        # Fresh objects: those of `process_iter` keep what a process was before it became another program.
        fresh = (_told(partial(psutil.Process, pid)) for pid in psutil.pids())
        return [process for process in fresh if process is not None and self._is_ours(process)]

    def command_lines(self) -> list[list[str]]:
        """Those of the processes that run, one that ends meanwhile left out."""
        return [argv for process in self.living() if (argv := _told(process.cmdline))]

    def named(self, name: str) -> list[int]:
        """The PIDs of this world's processes that go by this name."""
        return [process.pid for process in self.living() if _told(process.name) == name]

    def codexes(self) -> list[int]:
        """The PIDs of this world's Codexes. Not those that write down their schema for codexd, nor a child of one that
        is about to become another program and still looks like its parent."""
        found = {process.pid: process for process in self.living() if self._is_codex(process)}
        return [pid for pid, process in found.items() if _told(process.ppid) not in {None, *found}]

    def _is_codex(self, process: psutil.Process) -> bool:
        argv = _told(process.cmdline) or []
        return _told(process.exe) == str(self.codex) and argv[-1:] == ["app-server"]

    def _is_mcp_server(self, process: psutil.Process) -> bool:
        """Or one that Codex is about to start. A bare Codex does not wait for them: one whose thread has just begun
        outlives it by the time that it needs to start and to find its stdin closed, 1.6 s on a loaded machine."""
        return _told(process.exe) == str(self.codex) or mcp_server.__file__ in (_told(process.cmdline) or [])

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            return Path(process.environ().get("HOME", "")).is_relative_to(self.root)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return False

    def until(self, holds: Callable[[], bool], timeout: float = PATIENCE_S) -> None:
        """Asks until it holds. For what nobody announces; ``holds`` asks the daemon or the system each time."""
        deadline = time.monotonic() + timeout
        while not holds():
            assert time.monotonic() < deadline, f"did not come true in {timeout} s"
            time.sleep(0.01)

    def stop(self, process: subprocess.Popen[bytes], sent: signal.Signals = signal.SIGTERM) -> int:
        """Sends a signal and waits for the end; the exit code. codexd does not wait for running turns."""
        process.send_signal(sent)
        if sent is signal.SIGTERM:
            _end_drain(process.pid)
        return process.wait(PATIENCE_S)

    def close(self) -> list[str]:
        """Ends everything. Returns what had to be killed because it did not end when codexd did."""
        os.chdir(CHECKOUT)
        for client in self._clients:
            client.close()
        self._stop_detached_daemon()
        self.model.__exit__()
        killed = [str(process.args) for process in self._processes if not self._ended(process)]
        if self._has_bare_codex:
            wait_for_ends(filter(self._is_mcp_server, self.living()), self.grace_s)
        for left in self.living():
            killed.append(_describe(left))
            left.kill()
        for process in self._processes:
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe:
                    pipe.close()
        for terminal in self._terminals:
            terminal.close()
        shutil.rmtree(self.root, ignore_errors=True)
        return killed

    def _ended(self, process: subprocess.Popen[bytes]) -> bool:
        """Asks a process to end, unless it has; False when it had to be killed."""
        if process.poll() is None:
            process.terminate()
            _end_drain(process.pid)
        try:
            process.wait(self.grace_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(PATIENCE_S)
            return False
        return True

    def _stop_detached_daemon(self) -> None:
        """A codexd that ``codexctl`` or ``codexd start`` has started is nobody's child here."""
        try:
            client = self.connect()
        except (FileNotFoundError, ConnectionRefusedError):
            return
        try:
            daemon = psutil.Process(client.call("codexd/status", timeout=self.grace_s)["codexd"]["pid"])
            daemon.terminate()
            _end_drain(daemon.pid)
            wait_for_ends([daemon], self.grace_s)
        except (TimeoutError, ConnectionError, psutil.NoSuchProcess):
            pass  # what is left of it is found, killed and reported next
        finally:
            client.close()


@contextmanager
def a_world(codex: Path) -> Iterator[World]:
    """A world of its own; AssertionError at the end when something in it outlived codexd."""
    place = World(codex)
    left: list[str] = []
    try:
        yield place
    finally:
        left = place.close()
    assert left == [], "processes outlived the end of their world"


def _end_drain(pid: int) -> None:
    """Repeats SIGTERM for a process that does not end soon: the first has codexd wait ten seconds for running turns."""
    try:
        process = psutil.Process(pid)
        if wait_for_ends([process], _SOON_S):
            process.terminate()
    except psutil.NoSuchProcess:
        return


def _told(question: Callable[[], Any]) -> Any:
    """What a process says of itself; None when it has just ended."""
    try:
        return question()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None


def _describe(process: psutil.Process) -> str:
    try:
        return f"{process.pid} {' '.join(process.cmdline())}"
    except psutil.NoSuchProcess:
        return f"{process.pid}, which ended just then"
