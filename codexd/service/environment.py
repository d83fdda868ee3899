"""The environment that Codex gets: that of a login, whoever started codexd, and a few names from codexd's own.

In this order, the later ones count more: what a login has at least; what the user's login shell makes of it; what is passed
on from the environment that codexd was started in (`PASSED`, what the configuration of Codex names, `pass` in
`[environment]`); without `unset`; with `set`; and what is codexd's own to say.
"""

import os
import pwd
import shlex
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple

from codexd.protocol import named_variables, overrides
from codexd.protocol.home import home_of
from codexd.protocol.sandbox import MARK_VARIABLE, mark_of
from codexd.protocol.socket_path import session_dir
from codexd.runtime.codex import environment as without_service_manager
from codexd.service.discovery import STAND_IN_QUESTION
from codexd.service.login_shell import LoginShell, NotTold
from codexd.service.settings import Settings

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Before it is `~/.local/bin`. Where the login shell says a PATH, that one counts."""
TERM = "xterm-256color"
"""There is no terminal; what Codex starts with one is told this."""
PASSED = (
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "FTP_PROXY",
    "http_proxy", "https_proxy", "all_proxy", "no_proxy", "ftp_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "NIX_SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO",
    "XDG_*", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "SSH_AUTH_SOCK",
    "GNOME_KEYRING_CONTROL", "KRB5CCNAME", "TMPDIR", "TZ", "WSL_DISTRO_NAME", "WSL_INTEROP",
    "CODEX_*", "OPENAI_*", "RUST_LOG", "RUST_BACKTRACE", "CODEXD_SOCKET", "CODEXD_CONFIG",
)  # fmt: skip
"""How the network is reached, where the session is, and what Codex reads itself."""
_OF_COMMANDS = (
    "CODEX_CI", "CODEX_SANDBOX*", "CODEX_THREAD_ID", "CODEX_SESSION_ID", "CODEX_TOOL_CALL_*", "CODEX_NETWORK_*",
    "CODEX_PERMISSION_*", "CODEX_SNAPSHOT_*", "CODEX_SHELL_SNAPSHOT_*", "CODEX_MANAGED_*",
)  # fmt: skip
"""What a Codex tells its own commands, one of which may have started codexd (0.163, 0.171)."""
_BETWEEN_US = (
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "SYSTEMD_EXEC_PID",
    "CODEXD_NOTIFY_DESCRIPTOR",
    *STAND_IN_QUESTION,
)
"""What a service manager says of codexd's own process, and what is between codexd and its starter."""
_LOCALE_FILES = ("/etc/locale.conf", "/etc/default/locale")
_NO_SHELLS = ("false", "nologin", "true", "sync")
"""What stands for the shell of those who do not log in."""


class Settled(NamedTuple):
    """The environment of Codex; `problem` is a sentence where the login shell could not be asked."""

    variables: dict[str, str]
    problem: str | None = None


class Environment:
    """The environment of one Codex after another. `begin` and `settle` are called in one thread, `abandon` in any other one.

    Args:
        environ: that in which codexd was started.
    """

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self._wanted = settings.environment
        self._own = {
            "HOME": home_of(environ),
            "CODEX_HOME": str(settings.codex_home),
            MARK_VARIABLE: mark_of(environ, str(settings.codex_home)),
        }
        self._passed = _passed(settings, environ)
        self._login = _login(self._own["HOME"])
        name = self._login.get("SHELL", "")
        self._shell: LoginShell | None = None
        if self._wanted.login_shell and os.path.basename(name) not in ("", *_NO_SHELLS):
            # Without the mark: what start-up files leave running, a server of tmux, say, is no command of Codex.
            own = {key: value for key, value in self._own.items() if key != MARK_VARIABLE}
            self._shell = LoginShell(self._login | self._passed | own | {"SHELL": name})

    def begin(self) -> None:
        """Begins to ask the login shell, which takes time."""
        if self._shell is not None:
            self._shell.begin()

    def settle(self) -> Settled:
        """The environment; waits for the login shell, which has to have been begun with."""
        told, problem = {}, None
        if self._shell is not None:
            try:
                told = self._shell.answer()
            except NotTold as why:
                problem = f"the login shell {self._login['SHELL']} {why}; Codex gets an environment without its variables"
        variables = {
            name: value
            for name, value in (self._login | told | self._passed).items()
            if not _is_among(name, self._wanted.unset)
        }
        return Settled({**variables, **self._wanted.set, **self._own}, problem)

    def abandon(self) -> None:
        """Ends the login shell for good; `settle` then goes on without it."""
        if self._shell is not None:
            self._shell.abandon()


def of_codex(settings: Settings, environ: Mapping[str, str]) -> Settled:
    """The environment that a Codex would get; waits for the login shell."""
    environment = Environment(settings, environ)
    environment.begin()
    return environment.settle()


def _passed(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """What goes on from the environment in which codexd was started."""
    assigned = overrides.config_of(settings.codex_config, {}) or {}
    named = [
        *named_variables.named_in(named_variables.read(str(settings.codex_home))),
        *named_variables.named_in(assigned),
    ]
    wanted = {each.variable for each in named}
    return {
        name: value
        for name, value in without_service_manager(environ).items()
        if name not in _BETWEEN_US
        and (
            name in wanted
            or _is_among(name, settings.environment.passed)
            or (_is_among(name, PASSED) and not _is_among(name, _OF_COMMANDS))
        )
    }


def _is_among(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _login(home: str) -> dict[str, str]:
    """What every login has, before a shell runs."""
    path = os.pathsep.join((os.path.join(home, ".local", "bin"), PATH))
    found = {"HOME": home, "PATH": path, "TERM": TERM, "LANG": "C.UTF-8", **_locale()}
    if (runtime := session_dir(os.getuid())) is not None:
        found["XDG_RUNTIME_DIR"] = runtime
    try:
        user = pwd.getpwuid(os.getuid())
    except KeyError:  # a container may run as anybody
        return found
    return found | {"USER": user.pw_name, "LOGNAME": user.pw_name, "SHELL": user.pw_shell}


def _locale() -> dict[str, str]:
    """The system's, as far as it says one."""
    for path in _LOCALE_FILES:
        try:
            with open(path, encoding="utf-8") as file:
                return dict(_assigned(file))
        except (OSError, ValueError):
            continue
    return {}


def _assigned(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        for word in shlex.split(line, comments=True):
            name, equals, value = word.partition("=")
            if equals and name.startswith(("LANG", "LC_")):
                yield name, value
