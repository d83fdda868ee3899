"""The settings: command line over environment over `config.toml` over default, each value with where it came from.

The file is read strictly: an unknown key, a wrong type and a relative path are errors that say what is wanted. A
setting exists here only when something reads it.
"""

import difflib
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from codexd.protocol import socket_path
from codexd.protocol.framing import MAX_MESSAGE_BYTES
from codexd.protocol.sandbox import Inside
from codexd.service import setting_kinds
from codexd.service.errors import UsageError

DEFAULT = "default"


class Choice(NamedTuple):
    """A value that was asked for, and where: a flag, an environment variable or a file."""

    value: str
    source: str


class Settings(NamedTuple):
    """What one codexd is to be. Paths are absolute; sizes are in bytes."""

    socket: Path
    codex: tuple[Choice, ...]
    """Where Codex is said to be, strongest first; empty: it has to be looked for."""
    codex_home: Path
    """Without links."""
    codex_config: tuple[str, ...]
    environment: setting_kinds.Environment
    cwd: Path
    log_dir: Path
    control_socket: bool
    """Whether codexd listens at Codex's own control socket, too."""
    client_name: str
    inside: Inside
    """What becomes of clients that Codex itself runs: refused, allowed to read, or not told from others."""
    request_attestation: bool
    thread_unload_delay_seconds: float
    """How long a thread stays loaded that nobody follows and in which nothing happens; 0: not at all."""
    codex_silence_seconds: float
    """After how long a Codex that says nothing, though it has something to do and is asked, counts as hung; 0: never."""
    sweep: bool
    """Whether what Codex leaves behind when it ends is ended."""
    max_message_bytes: int
    outbox_spill_bytes: int
    """Past it, or past 64 pieces, events are queued for a client on disk alone."""
    max_outbox_bytes: int
    """With more than this waiting, a client is cut off that has taken nothing for `stalled_seconds`."""
    max_outboxes_bytes: int
    """For all clients together, of what can't wait on disk: past it the one that holds most for longest is cut off."""
    stalled_seconds: float
    max_buffered_bytes: int
    timeline: str
    """`on`: events are kept on disk; `off`: in memory only."""
    timeline_days: float
    timeline_bytes: int
    log_level: str
    log_content: bool
    """Whether what Codex says stands in the observability log, too."""
    config_file: Path
    sources: Mapping[str, str]
    """For each setting: a flag, an environment variable, a file's path, or `default`."""


_READERS: dict[str, Callable[[object], Any]] = {
    "socket": setting_kinds.path,
    "codex": setting_kinds.program,
    "codex_home": setting_kinds.path,
    "codex_config": setting_kinds.assignments,
    "environment": setting_kinds.environment,
    "cwd": setting_kinds.path,
    "log_dir": setting_kinds.path,
    "control_socket": setting_kinds.truth,
    "client_name": setting_kinds.client_name,
    "inside": setting_kinds.inside,
    "request_attestation": setting_kinds.truth,
    "thread_unload_delay_seconds": setting_kinds.seconds,
    "codex_silence_seconds": setting_kinds.seconds,
    "sweep": setting_kinds.truth,
    "max_message_bytes": setting_kinds.size,
    "outbox_spill_bytes": setting_kinds.size,
    "max_outbox_bytes": setting_kinds.size,
    "max_outboxes_bytes": setting_kinds.size,
    "stalled_seconds": setting_kinds.seconds,
    "max_buffered_bytes": setting_kinds.size,
    "timeline": setting_kinds.timeline,
    "timeline_days": setting_kinds.days,
    "timeline_bytes": setting_kinds.size,
    "log_level": setting_kinds.level,
    "log_content": setting_kinds.truth,
}
_VARIABLES = {"socket": "CODEXD_SOCKET", "codex": "CODEX_PATH", "codex_home": "CODEX_HOME"}
_PATHS = ("socket", "codex_home", "cwd", "log_dir")
_SIZES = {
    "max_message_bytes": MAX_MESSAGE_BYTES,
    "outbox_spill_bytes": 4 * 1024 * 1024,
    "max_outbox_bytes": 64 * 1024 * 1024,
    "max_outboxes_bytes": 256 * 1024 * 1024,
    "max_buffered_bytes": 256 * 1024 * 1024,
    "timeline_bytes": 1024 * 1024 * 1024,
}


def load(flags: Mapping[str, Any], environ: Mapping[str, str], problems: list[str] | None = None) -> Settings:
    """The settings of this command line.

    Args:
        flags: what was given on the command line, by the name of the setting, and `config`; absent or None: not given.
        problems: where what is wrong in the config file is noted, in sentences, instead of being raised. What is wrong
            there then counts as not given.

    Raises:
        UsageError: a value is wrong, wherever it came from; the message says where and what is wanted.
    """
    file, layer = _from_file(flags.get("config"), environ, problems)
    layers = (_from_flags(flags), _from_environment(environ), layer)
    values = _defaults()
    sources = dict.fromkeys(_READERS, DEFAULT)
    for layer in reversed(layers):
        for name, (value, source) in layer.items():
            values[name] = value
            sources[name] = source
    home = socket_path.codex_home(environ, values["codex_home"])
    try:
        socket = socket_path.socket_path(environ, os.getuid(), values["socket"], home)
    except socket_path.SocketPathTooLong as error:
        raise UsageError(str(error)) from None
    if values["max_buffered_bytes"] < values["max_message_bytes"]:
        contradiction = UsageError(
            f"max_buffered_bytes ({values['max_buffered_bytes']}) is less than max_message_bytes "
            f"({values['max_message_bytes']}): no message of that size could ever be read"
        )
        _note(contradiction, problems)
        values |= _SIZES
    if values["codex_config"]:
        values["codex_config"] = _codex_config(values["codex_config"], home, problems)
    values |= {
        "socket": Path(socket),
        "codex_home": Path(home),
        "codex": tuple(Choice(*layer["codex"]) for layer in layers if "codex" in layer),
        "cwd": Path(values["cwd"]),
        "log_dir": Path(values["log_dir"]) if values["log_dir"] else default_log_dir(),
    }
    return Settings(**values, config_file=file, sources=sources)


def _codex_config(assignments: tuple[str, ...], home: str, problems: list[str] | None) -> tuple[str, ...]:
    from codexd.service import secret_overrides  # late: few say anything there, and TOML takes 15 ms

    try:
        secret_overrides.check(assignments, home)
    except UsageError as error:
        _note(error, problems)
        return ()
    return assignments


def default_log_dir() -> Path:
    """The user's log directory of codexd."""
    from platformdirs import user_log_path  # late: 20 ms that no `--help` should pay

    return user_log_path("codexd", appauthor=False)


def default_config_file() -> Path:
    """`config.toml` in the user's config directory."""
    from platformdirs import user_config_path

    return user_config_path("codexd", appauthor=False) / "config.toml"


def _defaults() -> dict[str, Any]:
    return {
        "socket": None,
        "codex_home": None,
        "codex_config": (),
        "environment": setting_kinds.Environment(),
        "cwd": os.path.expanduser("~"),
        "log_dir": None,
        "control_socket": False,
        "client_name": "codexd",
        "inside": "refuse",
        "request_attestation": False,
        "thread_unload_delay_seconds": 60.0,
        "codex_silence_seconds": 30.0,
        "stalled_seconds": 60.0,
        "sweep": True,
        "timeline": "on",
        "timeline_days": 14.0,
        "log_level": "info",
        "log_content": False,
    } | _SIZES


_Layer = dict[str, tuple[Any, str]]


def _from_flags(flags: Mapping[str, Any]) -> _Layer:
    layer: _Layer = {}
    for name, reader in _READERS.items():
        value = flags.get(name)
        if value is None:
            continue
        flag = "--" + name.replace("_", "-")
        if name in _PATHS or (name == "codex" and "/" in value):
            value = os.path.abspath(os.path.expanduser(value))
        layer[name] = (_read(reader, flag, value), flag)
    return layer


def _from_environment(environ: Mapping[str, str]) -> _Layer:
    layer: _Layer = {}
    for name, variable in _VARIABLES.items():
        if value := environ.get(variable):
            if name in _PATHS or "/" in value:
                value = os.path.abspath(os.path.expanduser(value))
            layer[name] = (value, variable)
    return layer


def _from_file(
    flag: str | None, environ: Mapping[str, str], problems: list[str] | None
) -> tuple[Path, _Layer]:
    layer: _Layer = {}
    chosen = flag or environ.get("CODEXD_CONFIG")
    file = Path(os.path.abspath(os.path.expanduser(chosen))) if chosen else default_config_file()
    if not file.exists():
        if chosen:
            raise UsageError(f"there is no config file {file}, which {_asker(flag)} names")
        return file, layer
    try:
        text, values = _read_file(file)
    except UsageError as error:
        _note(error, problems)
        return file, layer
    for name, value in values.items():
        where = f"{file}, line {_line_of(name, text)}: {name}"
        try:
            if name not in _READERS:
                raise UsageError(
                    f"{file}, line {_line_of(name, text)}: {name!r} is no setting of codexd{_nearest(name)}"
                )
            layer[name] = (_read(_READERS[name], where, value), str(file))
        except UsageError as error:
            _note(error, problems)
    return file, layer


def _note(error: UsageError, problems: list[str] | None) -> None:
    if problems is None:
        raise error
    problems.append(str(error))


def _line_of(name: str, text: str) -> int:
    """The line that sets a key at the top of the file, or that begins its table; 1 where it is spelt in another way."""
    wanted = re.compile(rf"\s*\[*\s*[\"']?{re.escape(name)}[\"']?\s*[].=]")
    return next((number for number, line in enumerate(text.split("\n"), 1) if wanted.match(line)), 1)


def _read(reader: Callable[[object], Any], where: str, value: object) -> Any:
    try:
        return reader(value)
    except setting_kinds.Unwanted as wanted:
        if reader is setting_kinds.environment:
            raise UsageError(f"{where}: {wanted}") from None
        raise UsageError(f"{where} is {_shown(reader, value)!r}; it has to be {wanted}") from None


def _shown(reader: Callable[[object], Any], value: object) -> object:
    """What an assignment assigns may be a secret, and errors are logged."""
    if reader is not setting_kinds.assignments:
        return value
    return [_key_of(each) for each in value] if isinstance(value, list) else _key_of(value)


def _key_of(assignment: object) -> object:
    if not isinstance(assignment, str) or "=" not in assignment:
        return assignment
    return assignment.partition("=")[0] + "=…"


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name, _READERS, n=1)
    return f"; did you mean {near[0]!r}?" if near else "; they are " + ", ".join(_READERS)


def _read_file(file: Path) -> tuple[str, Mapping[str, object]]:
    import tomllib

    try:
        text = file.read_text(encoding="utf-8")
        return text, tomllib.loads(text)
    except OSError as error:
        raise UsageError(f"the config file {file} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"the config file {file} is not TOML: {error}") from None


def _asker(flag: str | None) -> str:
    return "--config" if flag else "CODEXD_CONFIG"
