"""Which codexd is meant by a command line, and whether it runs."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from codexd.protocol import running
from codexd.protocol.running import Holder
from codexd.service import locks
from codexd.service.settings import Settings

_NAMING_SECONDS = 1.0
_NAMING_GLANCE = 0.01


class Instance(NamedTuple):
    """The codexd that these settings mean. `arguments`: the options given, to be given again to the one that runs."""

    settings: Settings
    arguments: tuple[str, ...]
    environ: Mapping[str, str]

    def runner(self) -> Holder | None:
        """Who serves this socket or, unless `--socket` named one, this CODEX_HOME, whatever the environment says.

        The locks tell, not the socket: to ask there would wake a codexd whose socket is systemd's.
        """
        deadline = time.monotonic() + _NAMING_SECONDS
        while True:
            found = locks.holder(locks.socket_lock(self.settings.socket))
            if found is None and not self.socket_is_named():
                # The second one is found where CODEX_HOME cannot be written to.
                found = running.running(os.fspath(self.name_file())) or locks.holder(self.home_lock())
            if found is None or found.pid or time.monotonic() > deadline:
                return _as_it_is_now(found)
            time.sleep(_NAMING_GLANCE)

    def socket_is_named(self) -> bool:
        """Whether this very socket was asked for on the command line."""
        return self.settings.sources["socket"] == "--socket"

    def socket_of(self, runner: Holder | None) -> Path:
        """Where the codexd that runs listens; where it will, while nobody runs."""
        return Path(runner.socket) if runner is not None and runner.pid else self.settings.socket

    def name_file(self) -> Path:
        """The file in the CODEX_HOME that names its codexd."""
        return Path(running.home_lock(os.fspath(self.settings.codex_home)))

    def home_lock(self) -> Path:
        """The lock of what codexd keeps of the CODEX_HOME."""
        return locks.home_lock(self.environ, self.settings.codex_home)


def _as_it_is_now(found: Holder | None) -> Holder | None:
    """What the file in the CODEX_HOME says of the same codexd: it alone is kept up to date."""
    if found is None or not found.pid:
        return found
    newer = running.running(running.home_lock(found.codex_home))
    return newer if newer is not None and newer.pid == found.pid else found


def how_to_talk(settings: Settings) -> str:
    """A command line that reaches the codexd of these settings, whatever else the user's environment says."""
    return f"CODEX_HOME={settings.codex_home} CODEXD_SOCKET={settings.socket} codexctl send hello"
