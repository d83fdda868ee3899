"""Which codexd is meant by a command line, and whether it runs."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from codexd.service import locks
from codexd.service.locks import Holder
from codexd.service.settings import DEFAULT, Settings

_NAMING_SECONDS = 1.0
_NAMING_GLANCE = 0.01


class Instance(NamedTuple):
    """The codexd that these settings mean. `arguments`: the options given, to be given again to the one that runs."""

    settings: Settings
    arguments: tuple[str, ...]
    environ: Mapping[str, str]

    def runner(self) -> Holder | None:
        """Who serves this socket or, unless one was asked for by name, this CODEX_HOME.

        The locks tell, not the socket: to ask there would wake a codexd whose socket is systemd's.
        """
        deadline = time.monotonic() + _NAMING_SECONDS
        anywhere = self.settings.sources["socket"] == DEFAULT
        while True:
            found = locks.holder(locks.socket_lock(self.settings.socket))
            if found is None and anywhere:
                found = locks.holder(self.home_lock())
            if found is None or found.pid or time.monotonic() > deadline:
                return found
            time.sleep(_NAMING_GLANCE)

    def home_lock(self) -> Path:
        """The lock of the CODEX_HOME."""
        return locks.home_lock(self.environ, self.settings.codex_home)


def how_to_talk(settings: Settings) -> str:
    """A command line that reaches the codexd of these settings, whatever else the user's environment says."""
    return f"CODEX_HOME={settings.codex_home} CODEXD_SOCKET={settings.socket} codexctl send hello"
