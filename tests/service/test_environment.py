"""The environment that Codex gets: that of a login, and little of whoever started codexd."""

import pwd
from pathlib import Path
from types import SimpleNamespace

import pytest

from codexd.protocol.sandbox import MARK_VARIABLE
from codexd.service import environment
from codexd.service.environment import PATH, Environment, of_codex
from codexd.service.settings import Settings
from tests.service.place import Place


@pytest.fixture
def login(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    """A user with a shell that is quick, and no locale of the system."""
    shell = place.program("shell", 'PATH=$PATH:/rc; export PATH RC=1; eval "$2"')
    user = SimpleNamespace(pw_name="somebody", pw_shell=str(shell), pw_dir=str(place.home))
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: user)
    monkeypatch.setattr(environment, "_LOCALE_FILES", ())


def settings(place: Place, table: str = "", **flags: object) -> Settings:
    """Settings with this table `[environment]`."""
    file = place.root / "config" / "codexd" / "config.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"[environment]\n{table}\n")
    return place.instance(**flags).settings


def of(place: Place, starter: dict[str, str], table: str = "", **flags: object) -> dict[str, str]:
    """What Codex gets with this table, started by this environment; without what is codexd's own."""
    found = dict(of_codex(settings(place, table, **flags), starter).variables)
    assert found.pop(MARK_VARIABLE)
    assert found.pop("CODEX_HOME") == str(place.codex_home)
    assert found.pop("HOME") == str(place.home)
    return found


@pytest.mark.usefixtures("login")
def test_a_login(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever starts codexd, Codex has what a login of the user has, and what his shell makes of it."""
    monkeypatch.setattr(environment, "session_dir", lambda uid: None)
    starter = {
        "HOME": str(place.home), "PATH": "/venv/bin", "FOO": "bar", "USER": "other", "SHELL": "/bin/x", "LANG": "de_DE",
        "VIRTUAL_ENV": "/venv", "API_KEY": "k", "PYTHONPATH": "/p", "TERM": "vt100", "AWS_PROFILE": "prod",
    }  # fmt: skip
    expected = {
        "USER": "somebody", "LOGNAME": "somebody", "SHELL": str(place.bin / "shell"), "LANG": "C.UTF-8",
        "TERM": "xterm-256color", "PATH": f"{place.home}/.local/bin:{PATH}:/rc", "RC": "1",
    }  # fmt: skip
    assert of(place, starter) == expected
    monkeypatch.setattr(environment, "session_dir", lambda uid: "/run/user/me")
    assert of(place, starter) == expected | {"XDG_RUNTIME_DIR": "/run/user/me"}


@pytest.mark.usefixtures("login")
def test_what_the_login_shell_starts_is_no_command_of_codex(place: Place) -> None:
    """A server of tmux that a start-up file leaves running has no mark, nor have the shells in it."""
    place.program("shell", f'export MARKS="${{{MARK_VARIABLE}-none}}"; eval "$2"')
    assert of(place, {"HOME": str(place.home)})["MARKS"] == "none"


@pytest.mark.usefixtures("login")
def test_what_is_passed_on(place: Place) -> None:
    """The network, the session and what Codex reads itself; nothing that a Codex has told a command of its own."""
    passed = {
        "https_proxy": "http://p", "NO_PROXY": "x", "SSL_CERT_FILE": "/c", "XDG_RUNTIME_DIR": str(place.run_dir),
        "DBUS_SESSION_BUS_ADDRESS": "unix:", "SSH_AUTH_SOCK": "/s", "DISPLAY": ":0", "CODEX_CA_CERTIFICATE": "/ca",
        "OPENAI_API_KEY": "k", "RUST_LOG": "debug", "TZ": "UTC", "CODEXD_SOCKET": "/sock", "CODEX_PATH": "/codex",
    }  # fmt: skip
    not_passed = {
        "CODEX_SANDBOX_NETWORK_DISABLED": "1", "CODEX_THREAD_ID": "t", "CODEX_CI": "1", "CODEXD_NOTIFY_DESCRIPTOR": "3",
        "NOTIFY_SOCKET": "/n", "LISTEN_FDS": "1", "INVOCATION_ID": "i", "CODEXD_SHIM": "1", MARK_VARIABLE: "other",
    }  # fmt: skip
    found = of(place, {"HOME": str(place.home)} | passed | not_passed)
    assert {name: found.get(name) for name in passed} == passed
    assert found.keys().isdisjoint(not_passed)


@pytest.mark.usefixtures("login")
def test_what_the_configuration_of_codex_names(place: Place) -> None:
    """The key of a model provider, and the variables of an MCP server, as far as whoever started codexd has them."""
    (place.codex_home / "config.toml").write_text(
        '[model_providers.m]\nenv_key = "M_KEY"\n[mcp_servers.s]\nenv_vars = ["S_TOKEN", "GONE"]\n'
    )
    starter = {"HOME": str(place.home), "M_KEY": "m", "S_TOKEN": "s", "FLAG_KEY": "f", "OTHER_KEY": "o"}
    found = of(place, starter, codex_config=['model_providers.f.env_key="FLAG_KEY"'])
    assert (found["M_KEY"], found["S_TOKEN"], found["FLAG_KEY"]) == ("m", "s", "f")
    assert found.keys().isdisjoint({"GONE", "OTHER_KEY"})


@pytest.mark.usefixtures("login")
def test_the_table(place: Place) -> None:
    """`pass`, `unset` and `set`, in this order; what is codexd's own stays."""
    starter = {
        "HOME": str(place.home),
        "PATH": "/mine",
        "MY_A": "1",
        "MY_B": "2",
        "HTTP_PROXY": "h",
        "NO": "n",
    }
    table = 'pass = ["PATH", "MY_?"]\nunset = ["HTTP_*", "MY_B", "SET"]\nset = { SET = "s", RC = "mine" }'
    found = of(place, starter, table)
    assert (found["PATH"], found["MY_A"], found["SET"], found["RC"]) == ("/mine", "1", "s", "mine")
    assert found.keys().isdisjoint({"MY_B", "HTTP_PROXY", "NO"})
    ours = {MARK_VARIABLE: "x", "INVOCATION_ID": "i", "NOTIFY_SOCKET": "/n", "CODEXD_SHIM": "1"}
    everything = of(place, starter | ours, 'pass = ["*"]\nunset = ["H*"]')
    assert (everything["NO"], everything["MY_B"]) == ("n", "2")
    assert everything.keys().isdisjoint(ours)


@pytest.mark.usefixtures("login")
def test_without_the_login_shell(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is not wanted, where there is none, and where it does not answer."""
    path = f"{place.home}/.local/bin:{PATH}"
    starter = {"HOME": str(place.home)}
    assert of(place, starter, "login_shell = false")["PATH"] == path
    place.program("shell", "exit 1")
    variables, problem = of_codex(settings(place), starter)
    assert variables["PATH"] == path
    assert problem == (
        f"the login shell {place.bin}/shell ended without printing its environment; "
        "Codex gets an environment without its variables"
    )
    nobody = SimpleNamespace(pw_name="nobody", pw_shell="/usr/sbin/nologin", pw_dir="/")
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: nobody)
    assert of_codex(settings(place), starter).problem is None

    def unknown(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    variables, problem = of_codex(settings(place), starter)
    assert (variables["PATH"], problem) == (path, None)
    assert variables.keys().isdisjoint({"USER", "SHELL"})
    Environment(settings(place), starter).abandon()


@pytest.mark.parametrize(
    ("text", "locale"),
    [
        ("# a comment\nLANG=de_DE.UTF-8\n", {"LANG": "de_DE.UTF-8"}),
        (
            'LANG="en_US.UTF-8" LC_TIME=C # c\nexport OTHER=1\nKEYMAP=x\nLANGUAGE',
            {"LANG": "en_US.UTF-8", "LC_TIME": "C"},
        ),
        ("LANG='half", {}),
        ("", {}),
    ],
)
def test_the_locale_of_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, locale: dict[str, str]
) -> None:
    """Where a system says one, a login has it. A file that cannot be read says nothing."""
    (tmp_path / "locale").write_text(text)
    monkeypatch.setattr(environment, "_LOCALE_FILES", (tmp_path / "none", tmp_path / "locale"))
    assert environment._locale() == locale
