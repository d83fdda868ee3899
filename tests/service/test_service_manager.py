"""The user's systemd, through a `systemctl` that plays it."""

import pytest

from codexd.service import service_manager
from codexd.service.errors import CannotServe
from codexd.service.service_manager import UserManager
from tests.service.place import Place


def test_without_systemd(place: Place) -> None:
    """Where there is no systemctl, or no manager for this user, nothing is owned, nothing runs, nothing can be done."""
    place.environ["PATH"] = str(place.bin)
    manager = UserManager(place.environ)
    assert not manager.is_reachable()
    assert not manager.owns(place.socket)
    assert manager.main_pid() is None
    with pytest.raises(CannotServe, match="there is no systemd on this machine"):
        manager.act("start", "codexd.service")
    place.program("systemctl", "echo Failed to connect to bus >&2; exit 1")
    assert not manager.is_reachable()
    with pytest.raises(CannotServe, match="systemctl --user enable failed: Failed to connect to bus"):
        manager.act("enable", "codexd.socket")


def test_it_is_found_without_xdg_runtime_dir(place: Place) -> None:
    """After `su` or under cron the variable is missing, and the manager is where it always is."""
    place.program("systemctl", "echo LoadState=$XDG_RUNTIME_DIR")
    del place.environ["XDG_RUNTIME_DIR"]
    assert UserManager(place.environ).show("x", "LoadState")["LoadState"].startswith("/run/user/")


def test_whose_socket_it_is(place: Place) -> None:
    """The units are ours for this socket only when they are loaded and listen on this very path."""
    systemctl, manager = place.systemctl(), UserManager(place.environ)
    systemctl.knows("codexd.socket", LoadState="not-found", Listen="")
    assert not manager.owns(place.socket)
    systemctl.has_installed(pid=7)
    assert manager.owns(place.socket)
    assert not manager.owns(place.root / "other.sock")
    assert manager.main_pid() == 7
    systemctl.has_installed(pid=0)
    assert manager.main_pid() is None


def test_a_start_that_fails_says_what_codexd_said(place: Place) -> None:
    """The sentence of codexd itself is better than systemctl's advice to look into two logs."""
    systemctl, manager = place.systemctl(), UserManager(place.environ)
    systemctl.does("start", "echo Job failed, see the log >&2; exit 1")
    systemctl.knows("codexd.service", StatusText="no Codex found: install one")
    with pytest.raises(CannotServe, match=r"^no Codex found: install one$"):
        manager.act("start", "codexd.service")
    systemctl.knows("codexd.service", StatusText="")
    with pytest.raises(CannotServe, match=r"^systemctl --user start failed: Job failed, see the log$"):
        manager.act("start", "codexd.service")
    assert systemctl.actions() == ["start codexd.service"] * 2


def test_what_succeeds(place: Place) -> None:
    """A verb that systemctl carries out is carried out."""
    systemctl = place.systemctl()
    UserManager(place.environ).act("enable", "codexd.socket")
    assert systemctl.actions() == ["enable codexd.socket"]


def test_a_systemd_that_hangs(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for ever for a service manager."""
    monkeypatch.setattr(service_manager, "_SECONDS", 0.05)
    place.program("systemctl", "exec sleep 1000")
    with pytest.raises(CannotServe, match="systemctl --user stop did not come back"):
        UserManager(place.environ).act("stop", "codexd.service")
    assert not UserManager(place.environ).is_reachable()
