"""How Codex is to be spawned: its command, environment and directory."""

import logging
import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from codexd.protocol import socket_path
from codexd.protocol.binary import identity
from codexd.protocol.errors import Unavailable
from codexd.protocol.home import home_of
from codexd.runtime.codex import CodexUnavailable, Launch
from codexd.service import locks, secret_overrides
from codexd.service.discovery import Codex, Finder
from codexd.service.environment import Environment
from codexd.service.errors import UsageError
from codexd.service.inherited import umask_of_user
from codexd.service.setting_kinds import CODEX_UNLOAD_DELAY
from codexd.service.settings import Settings

logger = logging.getLogger(__name__)


class Launcher:
    """Says, before every start of Codex, what is to be started.

    `prepare`, called once, and `launch` are called in a worker thread; `abandon`, from any other one, ends them early and
    for good.
    """

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self._settings = settings
        self._environment = Environment(settings, environ)
        self._environ: dict[str, str] = {}
        self._schema_file = locks.home_directory(environ, settings.codex_home) / "schema.json"
        self._finder = Finder(settings.codex, environ)

    def prepare(self) -> None:
        """Looks for Codex, and settles the environment of all that are to be started.

        Raises:
            Unavailable: there is no Codex.
        """
        with ExitStack() as on_failure:
            self._environment.begin()
            on_failure.callback(self._environment.settle)
            on_failure.callback(self._environment.abandon)
            self._finder.find()
            on_failure.pop_all()
        self._environ, problem = self._environment.settle()
        if problem is not None:
            logger.warning("%s (docs/environment.md)", problem)

    def names(self) -> tuple[str, ...]:
        """The names of the variables that it gets."""
        return tuple(sorted(self._environ))

    def abandon(self) -> None:
        """Ends what another thread waits for here; that thread is told that there is no Codex."""
        self._environment.abandon()
        self._finder.abandon()

    def launch(self) -> Launch:
        """What to spawn now; Codex may have been updated, moved or removed since the last time.

        Raises:
            CodexUnavailable: there is none; the message is a sentence that names the way out.
        """
        try:
            codex = self._finder.find()
        except Unavailable as unavailable:
            raise CodexUnavailable(str(unavailable)) from None
        except OSError as error:  # it is being replaced, say: gone since it was found
            raise CodexUnavailable(f"no Codex can be had just now: {error}") from None
        return Launch(
            command(codex, self._settings),
            self._environ,
            str(self._settings.cwd),
            codex.version,
            self._schema_file,
            umask_of_user(),
            identity(str(codex.binary)),
        )


def command(codex: Codex, settings: Settings) -> list[str]:
    """The command line of `codex app-server` on stdin and stdout.

    codexd is Codex's only subscriber and keeps the delay itself, so Codex is to unload at once what codexd leaves. With
    0 it does so in milliseconds, frees the writer lock before it says `thread/closed`, and still keeps a thread in
    which a turn runs or an approval waits, and a new one as long as codexd follows it; `-c` counts more than
    `config.toml` (all tried on 0.163 and 0.169).

    Every user can read a command line, so what may be a secret is not on it: each thread is given that (`secret_overrides`).
    """
    assignments = (f"{CODEX_UNLOAD_DELAY}=0", *secret_overrides.on_command_line(settings.codex_config))
    overrides = [part for assignment in assignments for part in ("-c", assignment)]
    return [str(codex.binary), *overrides, "app-server"]


def check_directories(settings: Settings, environ: Mapping[str, str], demo: bool) -> None:
    """Makes the default CODEX_HOME where it is missing, as Codex itself would.

    Args:
        demo: the demo's CODEX_HOME is codexd's own to make.

    Raises:
        UsageError: one that was asked for does not exist, or the default one cannot be made; Codex refuses that too, but
            without saying who asked.
    """
    if demo or settings.codex_home == Path(socket_path.default_codex_home(environ)):
        _make_home(settings, environ)
    for name, path in (("codex_home", settings.codex_home), ("cwd", settings.cwd)):
        if not path.is_dir():
            raise UsageError(
                f"there is no directory {path}, which {name} names (from {settings.sources[name]})"
            )


def broken_link(settings: Settings, environ: Mapping[str, str]) -> str | None:
    """A sentence when `~/.codex` is a link that leads nowhere.

    It may lead to a disk that is not mounted: a home that was made there would be another one. Codex refuses it, too.
    """
    link = os.path.join(home_of(environ), ".codex")
    if settings.codex_home != Path(socket_path.default_codex_home(environ)):
        return None
    if not os.path.islink(link) or os.path.exists(link):
        return None
    return f"{link} is a link to {settings.codex_home}, which does not exist; make that directory, or remove the link"


def _make_home(settings: Settings, environ: Mapping[str, str]) -> None:
    if problem := broken_link(settings, environ):
        raise UsageError(problem)
    try:
        os.makedirs(settings.codex_home, mode=0o700, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"the CODEX_HOME {settings.codex_home} cannot be made: {error.strerror}; "
            "name another one with --codex-home or CODEX_HOME"
        ) from None
