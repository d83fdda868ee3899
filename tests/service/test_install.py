"""install and uninstall, with a systemctl that plays systemd."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from codexd.protocol.own_command import own_command
from codexd.protocol.running import Holder
from codexd.service import install, locks
from codexd.service.install import service_unit, socket_unit
from tests.service.place import Place


@pytest.fixture
def units(place: Place) -> Path:
    """Where the units go."""
    return place.home / ".config" / "systemd" / "user"


def test_install_and_uninstall(place: Place, units: Path) -> None:
    """The units are written, the socket is enabled and started; uninstall leaves nothing of it."""
    systemctl = place.systemctl()
    systemctl.knows("codexd.service", LoadState="not-found", MainPID=0)
    done = place.run(
        "install", env={"USER": "nobody-lingers", "API_KEY": "secret", "CODEX_PATH": "/opt/codex"}
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert f"systemd listens on {place.socket} and starts codexd with the first client" in done.stdout
    assert "it ends when you log out; to keep it: loginctl enable-linger" in done.stdout
    assert systemctl.actions() == ["daemon-reload", "enable codexd.socket", "restart codexd.socket"]
    written = (units / "codexd.service").read_text()
    command = " ".join(f'"{word}"' for word in [*own_command(), "run"])
    assert f"ExecStart={command}\n" in written
    assert f'Environment="PATH={place.environ["PATH"]}"\n' in written
    assert 'Environment="CODEX_PATH=/opt/codex"\n' in written
    assert f'Environment="XDG_STATE_HOME={place.root}/state"\n' in written
    assert "API_KEY" not in written
    assert "CODEX_HOME" not in written
    assert f"ListenStream={place.socket}\n" in (units / "codexd.socket").read_text()

    assert place.run("install").returncode == 0, "to install again is to update"
    undone = place.run("uninstall")
    assert (undone.returncode, undone.stdout) == (0, f"uninstalled from {units}\n")
    assert list(units.iterdir()) == []
    assert systemctl.actions()[-2:] == ["disable --now codexd.socket codexd.service", "daemon-reload"]
    again = place.run("uninstall")
    assert (again.returncode, again.stdout) == (0, "codexd is not installed\n")


def test_which_codexd_is_installed(place: Place, units: Path) -> None:
    """What was said about which codexd is meant holds for the service, too."""
    place.systemctl().knows("codexd.service", LoadState="not-found", MainPID=0)
    other, config = place.home / "other", place.root / "c.toml"
    config.write_text("")
    flags = ["--codex-home", str(other), "--config", str(config), "--socket", str(place.root / "s 100%.sock")]
    assert place.run("install", *flags, env={"CODEX_HOME": "/not/this"}).returncode == 0
    written = (units / "codexd.service").read_text()
    assert f'Environment="CODEX_HOME={other}"\n' in written
    assert f'Environment="CODEXD_CONFIG={config}"\n' in written
    assert f"ListenStream={place.root}/s 100%%.sock\n" in (units / "codexd.socket").read_text()


def test_without_systemd(place: Place, units: Path) -> None:
    """Where there is no systemd one sentence says so, and that codexd works without; uninstall still removes files."""
    place.environ["PATH"] = str(place.bin)
    done = place.run("install")
    assert (done.returncode, done.stdout) == (3, "")
    assert (
        done.stderr
        == "codexd: there is no systemd for this user here; without one, codexd start works as well\n"
    )
    assert not units.exists()
    units.mkdir(parents=True)
    (units / "codexd.socket").write_text(socket_unit(place.socket))
    assert place.run("uninstall").returncode == 0
    assert list(units.iterdir()) == []


def test_a_codexd_that_runs_outside_is_not_overtaken(place: Place, units: Path) -> None:
    """systemd would bind the socket anew under the feet of a codexd that serves on it."""
    place.systemctl().knows("codexd.service", LoadState="not-found", MainPID=0)
    place.codex()
    process = place.start("run")
    place.wait_until_listening(process)
    done = place.run("install")
    assert done.returncode == 3
    assert f"codexd runs outside of systemd (pid {process.pid}); end it first: codexd stop" in done.stderr
    assert not units.exists()


def test_units_of_somebody_else_are_left_alone(place: Place, units: Path) -> None:
    """What somebody wrote by hand is not ours to remove."""
    units.mkdir(parents=True)
    (units / "codexd.service").write_text("[Service]\n")
    assert place.run("uninstall").stdout == "codexd is not installed\n"
    assert (units / "codexd.service").exists()


def test_one_that_lingers_is_not_told_to(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose services go on after a logout needs no advice."""
    monkeypatch.setattr(install, "lingers", lambda: True)
    place.systemctl().knows("codexd.service", LoadState="not-found", MainPID=0)
    assert install.install(place.instance()) == 0


def test_the_service_itself_may_run(place: Place, monkeypatch: pytest.MonkeyPatch, units: Path) -> None:
    """To install again while the service runs updates the units."""
    lock = place.instance().home_lock()
    lock.parent.mkdir(parents=True)
    place.systemctl().has_installed(pid=42)
    with locks.held(lock, Holder(42, str(place.socket), str(place.codex_home))):
        assert install.install(place.instance()) == 0
    assert install.is_ours(units / "codexd.service")


def test_words_that_systemd_would_read_otherwise() -> None:
    """Spaces, quotes, percent signs and dollars in paths stay what they are."""
    text = service_unit(["/a b/$x/100%", 'say "hi"', "back\\slash"], {"PATH": "/a:%h/$HOME"})
    assert 'ExecStart="/a b/$$x/100%%" "say \\"hi\\"" "back\\\\slash" "run"\n' in text
    assert 'Environment="PATH=/a:%%h/$HOME"\n' in text


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_understands_the_units(place: Place) -> None:
    """Every line of the units is one that systemd knows; a misspelt directive would be passed over in silence."""
    for name, text in (
        ("codexd.service", service_unit([sys.executable, "-P"], {"PATH": "/bin"})),
        ("codexd.socket", socket_unit(place.socket)),
    ):
        (place.root / name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--user", "--man=no", "./codexd.service", "./codexd.socket"],
        cwd=place.root, env=place.environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_the_units_come_from_the_package_when_it_has_them(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an installed codexd the units are beside the module, in a source tree in `systemd/`."""
    in_source = socket_unit(Path("/s"))
    monkeypatch.setattr(install, "__file__", str(place.root / "service" / "install.py"))
    packaged = place.root / "service" / "units"
    packaged.mkdir(parents=True)
    (packaged / "codexd.socket").write_text("ListenStream=x\nPackaged=yes\n")
    assert socket_unit(Path("/s")).splitlines()[1:] == ["ListenStream=/s", "Packaged=yes"]
    assert "ListenStream=/s" in in_source
