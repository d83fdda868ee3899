"""How Codex is spawned."""

import pytest

from codexd.protocol.sandbox import MARK_VARIABLE
from codexd.runtime.codex import CodexUnavailable
from codexd.service.codex_launch import Launcher, check_directories
from codexd.service.errors import UsageError
from tests.service.place import Place


def test_the_command_and_its_surroundings(place: Place) -> None:
    """Codex gets the whole environment of whoever started codexd, less what is between codexd and its starter."""
    path = place.codex()
    environ = place.environ | {
        "API_KEY": "k",
        "NOTIFY_SOCKET": "/n",
        "WATCHDOG_USEC": "1",
        "LISTEN_FDS": "1",
        "INVOCATION_ID": "i",
        "JOURNAL_STREAM": "1:2",
        "CODEXD_SHIM": "1",
    }
    settings = place.instance(codex_config=["a=b", "c.d=e"], cwd="/srv").settings
    launch = Launcher(settings, environ).launch()
    assert launch.argv == [
        *(str(path), "-c", "thread_unload_delay_secs=0"),
        *("-c", "a=b", "-c", "c.d=e", "app-server"),
    ]
    assert (launch.cwd, launch.version) == ("/srv", "0.163.0")
    mark = launch.env.pop(MARK_VARIABLE)
    assert launch.env == place.environ | {"API_KEY": "k", "CODEX_HOME": str(place.codex_home)}
    other = place.instance(codex_home=str(place.home / "other")).settings
    assert Launcher(other, environ).launch().mark != mark


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
    monkeypatch.setattr(launcher, "find", (place.home / "gone").stat)
    with pytest.raises(CodexUnavailable, match="no Codex can be had just now"):
        launcher.launch()
