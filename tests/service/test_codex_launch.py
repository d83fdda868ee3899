"""How Codex is spawned."""

import pwd

import pytest

from codexd.protocol.binary import identity
from codexd.protocol.errors import Unavailable
from codexd.runtime.codex import CodexUnavailable
from codexd.service.codex_launch import Launcher, check_directories
from codexd.service.environment import of_codex
from codexd.service.errors import UsageError
from tests.service.place import Place


def test_the_command_and_its_surroundings(place: Place) -> None:
    """Codex gets the environment that was settled, however that in which codexd was started looks."""
    path = place.codex()
    environ = place.environ | {"API_KEY": "k", "NOTIFY_SOCKET": "/n", "CODEXD_SHIM": "1"}
    settings = place.instance(codex_config=["a=b", "c.d=e"], cwd="/srv").settings
    launcher = Launcher(settings, environ)
    launcher.prepare()
    launch = launcher.launch()
    assert launch.argv == [
        *(str(path), "-c", "thread_unload_delay_secs=0"),
        *("-c", "a=b", "-c", "c.d=e", "app-server"),
    ]
    assert (launch.cwd, launch.version) == ("/srv", "0.163.0")
    assert launch.binary == (str(path), identity(str(path)))
    assert launch.env == of_codex(settings, place.environ).variables
    assert launcher.names() == tuple(sorted(launch.env))
    other = Launcher(place.instance(codex_home=str(place.home / "other")).settings, environ)
    other.prepare()
    assert other.launch().mark != launch.mark


def test_a_login_shell_that_says_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is in the log, and codexd goes on."""
    place.codex()
    user = pwd.struct_passwd(("me", "x", 0, 0, "", str(place.home), str(place.program("shell", "exit"))))
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: user)
    launcher = Launcher(place.instance().settings, place.environ)
    launcher.prepare()
    assert "PATH" in launcher.launch().env
    assert f"the login shell {place.bin}/shell ended without printing its environment" in caplog.text


def test_the_login_shell_is_not_left_behind(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no Codex there is no need to wait for it."""
    user = pwd.struct_passwd(
        ("me", "x", 0, 0, "", str(place.home), str(place.program("shell", "sleep 1000")))
    )
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: user)
    launcher = Launcher(place.instance(codex="/nowhere/codex").settings, place.environ)
    with pytest.raises(Unavailable):
        launcher.prepare()
    assert place.strays() == []
    launcher.abandon()


def test_without_a_codex(place: Place) -> None:
    """What the search says is what the broker is told."""
    settings = place.instance(codex="/nowhere/codex").settings
    with pytest.raises(CodexUnavailable, match="there is no file /nowhere/codex"):
        Launcher(settings, place.environ).launch()


def test_directories(place: Place) -> None:
    """The default CODEX_HOME and the demo's are made; another one that is missing is a mistake of whoever named it."""
    place.codex_home.rmdir()
    check_directories(place.instance().settings, place.environ, demo=False)
    assert place.codex_home.stat().st_mode & 0o777 == 0o700
    missing = place.instance(codex_home="~/missing").settings
    with pytest.raises(
        UsageError, match=r"no directory .*/missing, which codex_home names \(from --codex-home\)"
    ):
        check_directories(missing, place.environ, demo=False)
    check_directories(missing, place.environ, demo=True)
    assert missing.codex_home.is_dir()
    with pytest.raises(UsageError, match=r"no directory /nowhere, which cwd names \(from --cwd\)"):
        check_directories(place.instance(cwd="/nowhere").settings, place.environ, demo=False)


def test_a_codex_that_is_being_replaced(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two looks at it there is none: that is one more reason to try again, and not the end of codexd."""
    launcher = Launcher(place.instance().settings, place.environ)
    monkeypatch.setattr(launcher._finder, "find", (place.home / "gone").stat)
    with pytest.raises(CodexUnavailable, match="no Codex can be had just now"):
        launcher.launch()
