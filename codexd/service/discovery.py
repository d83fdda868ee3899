"""Finding Codex: the native binary to spawn, and its version.

In this order: `--codex`, CODEX_PATH, the config file, `codex` on PATH, the `openai-codex-cli-bin` package. What was
named and is no Codex is an error, never passed over for something else; only codexd's own stand-in for `codex` is,
because it would ask codexd for a Codex.
"""

import importlib
import logging
import os
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from codexd.protocol import stand_in
from codexd.protocol.errors import Unavailable
from codexd.service.installation import add_codex_command
from codexd.service.npm import native_binary, wrapper_script
from codexd.service.settings import Choice

logger = logging.getLogger(__name__)

OLDEST = (0, 151)
"""Older ones lack methods that the clients of today need (the official SDK asks for the same)."""
STAND_IN_QUESTION = {stand_in.QUESTION: "1"}
_VERSION_SECONDS = 10.0
_DEATH_SECONDS = 1.0
_VERSION = re.compile(r"\d+\.\d+\.\d+\S*")


class Codex(NamedTuple):
    """A Codex that can be spawned. `found_as` is what was named or found; `binary` differs where that is npm's wrapper."""

    binary: Path
    version: str
    found_as: Path
    source: str


class Finder:
    """Finds Codex, again and again: a binary is asked for its version only when it is another one than before.

    Args:
        choices: where Codex is said to be, strongest first; empty when nobody said.
    """

    def __init__(self, choices: tuple[Choice, ...], environ: Mapping[str, str]) -> None:
        self._choices = choices
        self._environ = environ
        self._answers: dict[tuple[str, int, int, int], str] = {}
        self._question: subprocess.Popen[str] | None = None
        self._abandoned = False

    def find(self) -> Codex:
        """The Codex to use; blocks while it is asked for its version.

        Raises:
            Unavailable: there is none, or the one that was named or found first cannot be used.
        """
        for candidate, source in self._candidates():
            binary = _runnable(candidate, source)
            if _is_stand_in_beside_us(binary):
                continue
            answer = self._ask_version(binary, source)
            if answer.split(" ")[0] == stand_in.NAME:
                continue
            return Codex(binary, _checked_version(answer, binary, source), candidate, source)
        raise Unavailable(f"no Codex found: {_get_one()}, or say where it is with --codex PATH or CODEX_PATH")

    def abandon(self) -> None:
        """Ends for good what `find` does in another thread, its process included; `find` raises there."""
        # Set before looking: whoever is just starting a question looks after having started it.
        self._abandoned = True
        question = self._question
        if question is None:
            return
        question.kill()
        try:
            question.wait(_DEATH_SECONDS)
        except subprocess.TimeoutExpired:
            logger.warning("pid %d is being killed and takes its time", question.pid)

    def _candidates(self) -> Iterator[tuple[Path, str]]:
        path = _absolute_parts(self._environ.get("PATH", os.defpath))
        for value, source in self._choices:
            if "/" in value:
                yield Path(value), source
            elif named := shutil.which(value, path=path):
                yield Path(named), source
            else:
                raise Unavailable(f"no Codex found: {source} names {value!r}, which is not on PATH")
        for directory in path.split(os.pathsep):
            if directory and (found := shutil.which("codex", path=directory)):
                yield Path(found), "PATH"
        if bundled := _bundled():
            yield bundled, "the package openai-codex-cli-bin"

    def _ask_version(self, binary: Path, source: str) -> str:
        status = binary.stat()
        key = (str(binary), status.st_dev, status.st_ino, status.st_mtime_ns)
        if key not in self._answers:
            self._answers[key] = self._run(binary, source)
        return self._answers[key]

    def _run(self, binary: Path, source: str) -> str:
        try:
            self._question = subprocess.Popen(
                [binary, "--version"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                errors="replace",
                env={**self._environ, **STAND_IN_QUESTION},
            )
        except OSError as error:
            raise Unavailable(f"Codex at {binary} (from {source}) cannot be run: {error.strerror}") from None
        with self._question as question:
            if self._abandoned:
                question.kill()
            try:
                return question.communicate(timeout=_VERSION_SECONDS)[0].strip()
            except subprocess.TimeoutExpired:
                question.kill()
                raise Unavailable(
                    f"Codex at {binary} (from {source}) did not answer --version within {_VERSION_SECONDS:.0f} seconds"
                ) from None
            finally:
                self._question = None


def _get_one() -> str:
    return f"install one (npm install -g @openai/codex, or {add_codex_command()})"


def other_than(running: str | None, finder: Finder) -> Codex | None:
    """The Codex that is there now, if it is of another version than the one that runs: that one was updated."""
    try:
        there = finder.find()
    except Unavailable:
        return None
    return there if running not in (None, there.version) else None


def _runnable(candidate: Path, source: str) -> Path:
    """The executable to spawn for this candidate: itself, or what npm's wrapper starts."""
    where = f"{candidate} (from {source})"
    try:
        if not candidate.is_file():
            raise Unavailable(f"no Codex found: there is no file {where}; {_get_one()}, or correct the path")
        script = wrapper_script(candidate)
    except OSError as error:
        raise Unavailable(f"Codex at {where} cannot be read: {error.strerror}") from None
    binary = native_binary(script) if script else candidate
    if binary is None:
        raise Unavailable(
            f"{where} is npm's wrapper without the binary for this machine; "
            "reinstall it (npm install -g @openai/codex@latest)"
        )
    if not os.access(binary, os.X_OK):
        raise Unavailable(
            f"Codex at {binary} (from {source}) is not executable; allow it with: chmod +x {binary}"
        )
    return binary


def _checked_version(answer: str, binary: Path, source: str) -> str:
    found = _VERSION.search(answer)
    if found is None:
        raise Unavailable(
            f"{binary} (from {source}) is no Codex: it answers --version with {answer.partition(chr(10))[0][:80]!r}"
        )
    major, minor = found[0].split(".")[:2]
    if (int(major), int(minor)) < OLDEST:
        raise Unavailable(
            f"Codex {found[0]} at {binary} (from {source}) is too old: codexd needs {OLDEST[0]}.{OLDEST[1]} or newer; "
            "update it (npm install -g @openai/codex@latest)"
        )
    return found[0]


def _is_stand_in_beside_us(binary: Path) -> bool:
    own = shutil.which(stand_in.NAME, path=_scripts_directory())
    return own is not None and os.path.samefile(own, binary)


def _absolute_parts(path: str) -> str:
    """PATH without what means another directory wherever one stands: a checkout may bring a `codex` along."""
    return os.pathsep.join(part for part in path.split(os.pathsep) if os.path.isabs(part))


def _scripts_directory() -> str:
    """The directory of this installation's commands."""
    return sysconfig.get_path("scripts")


def _bundled() -> Path | None:
    try:
        package = importlib.import_module("codex_cli_bin")
    except ImportError:
        return None
    return Path(package.bundled_codex_path())
