"""Programs at terminals that are drawn: what stands on the screen at the moment, as tmux renders it.

`harness_terminal` keeps all that a program wrote; a program that draws all over its screen needs this one.
"""

import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Any

import psutil
import pytest

from tests.e2e.harness import World
from tests.e2e.harness_client import PATIENCE_S
from tests.ends import has_ended

_AGAIN_S = 1.0
_GLANCE_S = 0.02  # nothing announces what a program has drawn


class Tmux:
    """A tmux server in a world, of which the user's own configuration and sessions know nothing."""

    def __init__(self, world: World) -> None:
        if shutil.which("tmux") is None:
            pytest.skip("there is no tmux here")
        self._world = world
        self._socket = str(world.root / "tmux")
        self._count = 0

    def open(self, argv: Sequence[str]) -> "Screen":
        """Runs a program on a screen of its own, in the world's project."""
        self._count += 1
        name = f"screen{self._count}"
        self.command("new-session", "-d", "-s", name, "-x", "120", "-y", "50", *argv)
        return Screen(self, name)

    def command(self, *arguments: str) -> str:
        """A command to the server; what it prints."""
        done = self._run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def close(self) -> None:
        """Ends all programs, at once: Codex's own takes two seconds to end when it is hung up on.

        The server ends with the last of them.
        """
        if not self._count:
            return
        listed = self._run("list-panes", "-a", "-F", "#{pid} #{pane_pid}").stdout.split()
        processes = [psutil.Process(pid) for pid in set(map(int, listed)) if psutil.pid_exists(pid)]
        for process in processes:
            process.kill()
        self._world.until(lambda: all(map(has_ended, processes)))

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        argv = ["tmux", "-S", self._socket, "-f", "/dev/null", *arguments]
        where: dict[str, Any] = {"env": self._world.env, "cwd": self._world.project}
        return subprocess.run(argv, **where, capture_output=True, text=True, check=False)


class Screen:
    """What one program shows, and keys for it."""

    def __init__(self, tmux: Tmux, name: str) -> None:
        self._tmux = tmux
        self._name = name

    @property
    def text(self) -> str:
        """What stands on the screen now."""
        return self._tmux.command("capture-pane", "-p", "-t", self._name)

    @property
    def pid(self) -> int:
        """The program."""
        return int(self._tmux.command("display-message", "-p", "-t", self._name, "#{pane_pid}"))

    def paste(self, text: str) -> None:
        """Pastes text as a terminal does: typed so fast, a line end would be taken for a part of it."""
        self._tmux.command("set-buffer", "--", text)
        self._tmux.command("paste-buffer", "-p", "-d", "-t", self._name)

    def press(self, *keys: str) -> None:
        """Presses keys by tmux's names for them: `Enter`, `Escape`, `C-c`, `y`."""
        self._tmux.command("send-keys", "-t", self._name, *keys)

    def press_until_gone(self, key: str, unwanted: str) -> None:
        """Presses a key, and again when this text still stands there a second later."""
        deadline = time.monotonic() + PATIENCE_S
        while unwanted in self.text:
            assert time.monotonic() < deadline, f"{key} does not make {unwanted!r} go away"
            self.press(key)
            again = time.monotonic() + _AGAIN_S
            while unwanted in self.text and time.monotonic() < again:
                time.sleep(_GLANCE_S)

    def wait(self, *wanted: str, timeout: float = PATIENCE_S) -> str:
        """Waits until all of these texts stand on the screen."""
        return self._wait(
            lambda text: all(each in text for each in wanted), f"{wanted!r} are not there", timeout
        )

    def wait_below(self, upper: str, lower: str) -> str:
        """Waits until the one text stands on the screen and the other behind or below it."""
        return self._wait(
            lambda text: lower in text.partition(upper)[2], f"there is no {lower!r} below {upper!r}"
        )

    def wait_gone(self, unwanted: str) -> str:
        """Waits until this text stands on the screen no more."""
        return self._wait(lambda text: unwanted not in text, f"{unwanted!r} is still there")

    def _wait(self, holds: Callable[[str], bool], what: str, timeout: float = PATIENCE_S) -> str:
        deadline = time.monotonic() + timeout
        while not holds(text := self.text):
            assert time.monotonic() < deadline, f"after {timeout} s {what}; the screen shows\n{text}"
            time.sleep(_GLANCE_S)
        return text
