"""codexd as a service of the user's systemd: started by its first client, and again when it dies.

The units in the package are complete; installing them fills in what only this machine knows: the interpreter, the
socket, and those parts of the present environment that decide which codexd and which Codex are meant. systemd's own
environment has neither the PATH of a login shell nor these.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from codexd.protocol.home import home_of
from codexd.protocol.own_command import own_command
from codexd.service.errors import CannotServe
from codexd.service.instance import Instance
from codexd.service.service_manager import SERVICE, SOCKET, UserManager

_MARK = "# Written by `codexd install`; `codexd uninstall` removes it."
_KEPT_VARIABLES = ("PATH", "CODEX_HOME", "CODEX_PATH", "CODEXD_CONFIG", "XDG_CONFIG_HOME", "XDG_STATE_HOME")


def install(instance: Instance) -> int:
    """Writes the units, and enables and starts the socket.

    Raises:
        CannotServe: there is no systemd for this user, or codexd runs outside of it.
    """
    manager = _manager(instance.environ)
    runner = instance.runner()
    if runner is not None and runner.pid != manager.main_pid():
        # systemd would bind the path anew, and the clients of the one that runs would be alone with it.
        raise CannotServe(f"codexd runs outside of systemd (pid {runner.pid}); end it first: codexd stop")
    directory = unit_directory(instance.environ)
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in (
        (SERVICE, service_unit(own_command(), _environment(instance))),
        (SOCKET, socket_unit(instance.settings.socket)),
    ):
        _replace(directory / name, text)
    manager.act("daemon-reload")
    manager.act("enable", SOCKET)
    manager.act("restart", SOCKET)
    print(
        f"installed in {directory}; systemd listens on {instance.settings.socket} and starts codexd with the first client"
    )
    if not lingers():
        print("it ends when you log out; to keep it: loginctl enable-linger")
    return 0


def uninstall(instance: Instance) -> int:
    """Stops what runs as the service, disables the socket and removes the units; does nothing where there are none.

    Raises:
        CannotServe: systemd refuses. Without a systemd the files are removed all the same.
    """
    directory = unit_directory(instance.environ)
    ours = [path for path in (directory / SERVICE, directory / SOCKET) if is_ours(path)]
    if not ours:
        print("codexd is not installed")
        return 0
    manager = UserManager(instance.environ)
    reachable = manager.is_reachable()
    if reachable:
        manager.act("disable", "--now", SOCKET, SERVICE)
    for path in ours:
        path.unlink()
    if reachable:
        manager.act("daemon-reload")
    print(f"uninstalled from {directory}")
    return 0


def unit_directory(environ: Mapping[str, str]) -> Path:
    """Where the user's own units are."""
    return Path(home_of(environ)) / ".config" / "systemd" / "user"


def is_ours(path: Path) -> bool:
    """Whether `install` wrote this file; a unit that somebody wrote by hand is left alone."""
    try:
        return path.read_text().startswith(_MARK)
    except FileNotFoundError:
        return False


def lingers() -> bool:
    """Whether the user's systemd goes on after the last logout."""
    return Path("/var/lib/systemd/linger", os.environ.get("USER", "")).is_file()


def service_unit(command: list[str], environment: Mapping[str, str]) -> str:
    """The service for this installation."""
    lines = []
    for line in _template(SERVICE):
        if line.startswith("ExecStart="):
            lines += [f"Environment={_quoted(f'{name}={value}')}" for name, value in environment.items()]
            line = "ExecStart=" + " ".join(_quoted(part).replace("$", "$$") for part in [*command, "run"])
        lines.append(line)
    return "\n".join([_MARK, *lines, ""])


def socket_unit(path: Path) -> str:
    """The socket for this path."""
    lines = [
        "ListenStream=" + str(path).replace("%", "%%") if line.startswith("ListenStream=") else line
        for line in _template(SOCKET)
    ]
    return "\n".join([_MARK, *lines, ""])


def _replace(path: Path, text: str) -> None:
    """Puts a file in the place of what has the name: through a link, what it leads to would be written over."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with new.open("x", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)
    new.replace(path)


def _template(name: str) -> list[str]:
    """The unit's lines, from the package or, in a source tree, from beside it."""
    packaged = Path(__file__).with_name("units") / name
    in_source = Path(__file__).parents[2] / "systemd" / name
    return (packaged if packaged.is_file() else in_source).read_text().splitlines()


def _manager(environ: Mapping[str, str]) -> UserManager:
    manager = UserManager(environ)
    if not manager.is_reachable():
        raise CannotServe("there is no systemd for this user here; without one, codexd start works as well")
    return manager


def _environment(instance: Instance) -> dict[str, str]:
    chosen = {name: instance.environ[name] for name in _KEPT_VARIABLES if instance.environ.get(name)}
    for name, variable, value in (
        ("codex_home", "CODEX_HOME", instance.settings.codex_home),
        ("config", "CODEXD_CONFIG", instance.settings.config_file),
    ):
        if any(argument.startswith(f"--{name.replace('_', '-')}=") for argument in instance.arguments):
            chosen[variable] = str(value)
    return chosen


def _quoted(text: str) -> str:
    """As systemd.syntax(7) has it: in quotes, with its specifiers and escapes undone."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%") + '"'
