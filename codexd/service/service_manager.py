"""The user's systemd, asked and told through `systemctl --user`."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from codexd.service.errors import CannotServe

SERVICE = "codexd.service"
SOCKET = "codexd.socket"
_SECONDS = 100.0
"""Longer than systemd itself waits for a start or a stop (90 seconds)."""


class UserManager:
    """The service manager of this user. Every question starts one `systemctl`, about 10 ms."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        # Without it systemctl does not find the manager, as in a login by `su` or `cron`, and it is where it always is.
        self._environ = {"XDG_RUNTIME_DIR": f"/run/user/{os.getuid()}", **environ}

    def is_reachable(self) -> bool:
        """Whether there is a systemd that runs for this user and answers."""
        return bool(self.show(SERVICE, "LoadState"))

    def show(self, unit: str, *properties: str) -> dict[str, str]:
        """The unit's properties; empty when the manager cannot be reached."""
        try:
            answer = self._systemctl("show", unit, "--property=" + ",".join(properties))
        except CannotServe:
            return {}
        if answer.returncode != 0:
            return {}
        return dict(line.partition("=")[::2] for line in answer.stdout.splitlines())

    def owns(self, socket: Path) -> bool:
        """Whether our units are there and are for this very socket: then codexd is started and stopped with them."""
        facts = self.show(SOCKET, "LoadState", "Listen")
        return facts.get("LoadState") == "loaded" and facts.get("Listen") == f"{socket} (Stream)"

    def main_pid(self) -> int | None:
        """The codexd that runs as the service."""
        return int(self.show(SERVICE, "MainPID").get("MainPID", "0")) or None

    def act(self, verb: str, *arguments: str) -> None:
        """Carries out a verb of systemctl and waits until it is done.

        Raises:
            CannotServe: it failed; the message is what codexd said of itself, or else what systemctl said.
        """
        answer = self._systemctl(verb, *arguments)
        if answer.returncode != 0:
            said = (
                self.show(SERVICE, "StatusText").get("StatusText") if verb in ("start", "restart") else None
            )
            raise CannotServe(said or f"systemctl --user {verb} failed: {answer.stderr.strip()}")

    def _systemctl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                ["systemctl", "--user", *arguments],
                env=self._environ,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_SECONDS,
                check=False,
            )
        except FileNotFoundError:
            raise CannotServe("there is no systemd on this machine (systemctl is not on PATH)") from None
        except subprocess.TimeoutExpired:
            raise CannotServe(
                f"systemctl --user {arguments[0]} did not come back; is systemd stuck?"
            ) from None
