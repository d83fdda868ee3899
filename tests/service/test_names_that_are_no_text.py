"""Paths, arguments and variables that are not UTF-8: what can work works, the rest is a sentence, and nobody else suffers."""

import os
import sys
from collections.abc import Callable

import pytest

from tests.service.place import Place

ODD = os.fsdecode(b"odd-\xff\xe9")
AS_BYTES = "surrogateescape"
EXIT_CODES = {0, 1, 2, 3, 4, 5, 124, 130}


def odd_directory(place: Place) -> str:
    """A directory whose name is no text."""
    path = f"{place.root}/{ODD}"
    os.makedirs(path, 0o700, exist_ok=True)
    return path


def the_socket(place: Place) -> list[str]:
    place.environ["CODEXD_SOCKET"] = f"{odd_directory(place)}/s"
    return []


def the_socket_as_an_option(place: Place) -> list[str]:
    return [f"--socket={odd_directory(place)}/s"]


def the_runtime_directory(place: Place) -> list[str]:
    place.environ["XDG_RUNTIME_DIR"] = odd_directory(place)
    return []


def the_state_directory(place: Place) -> list[str]:
    place.environ["XDG_STATE_HOME"] = odd_directory(place)
    return []


def the_config_directory(place: Place) -> list[str]:
    place.environ["XDG_CONFIG_HOME"] = odd_directory(place)
    return []


def the_codex_home(place: Place) -> list[str]:
    place.environ["CODEX_HOME"] = odd_directory(place)
    return []


def the_home(place: Place) -> list[str]:
    place.environ["HOME"] = odd_directory(place)
    return []


def a_variable(place: Place) -> list[str]:
    place.environ["ODD"] = ODD
    return []


def a_variable_name(place: Place) -> list[str]:
    place.environ[ODD] = "x"
    return []


def a_directory_on_the_path(place: Place) -> list[str]:
    place.environ["PATH"] = f"{odd_directory(place)}:{place.environ['PATH']}"
    return []


def codex_itself(place: Place) -> list[str]:
    path = f"{odd_directory(place)}/codex"
    os.rename(place.bin / "codex", path)
    place.environ["CODEX_PATH"] = path
    return []


def a_codex_that_is_missing(place: Place) -> list[str]:
    place.environ["CODEX_PATH"] = f"{place.root}/{ODD}/codex"
    return []


@pytest.mark.skipif(sys.platform == "darwin", reason="its file systems take no name that is not UTF-8")
@pytest.mark.parametrize(
    "odd",
    [
        the_socket,
        the_socket_as_an_option,
        the_runtime_directory,
        the_state_directory,
        the_config_directory,
        the_codex_home,
        the_home,
        a_variable,
        a_variable_name,
        a_directory_on_the_path,
        codex_itself,
        a_codex_that_is_missing,
    ],
)
def test_no_name_ends_codexd_or_in_a_traceback(place: Place, odd: Callable[[Place], list[str]]) -> None:
    """Whatever is asked of codexd, it goes on, and every command ends with a documented code and without a traceback."""
    place.codex()
    options = odd(place)
    started = place.run("start", *options, errors=AS_BYTES)
    status = place.run("status", *options, errors=AS_BYTES)
    for command in (["status", "--json"], ["doctor"], ["doctor", "--json"], ["status"]):
        place_says(place.run(*command, *options, errors=AS_BYTES))
    for command in (["status"], ["status", "--json"], ["clients"], ["approvals"]):
        argv = [sys.executable, "-P", "-m", "codexctl.main", *options, *command]
        place_says(place.run(args=argv, errors=AS_BYTES))
    if started.returncode == 0:
        assert odd is not a_codex_that_is_missing
        assert (
            place.run("status", *options, errors=AS_BYTES).stdout.split("up")[0]
            == status.stdout.split("up")[0]
        )
    for done in (started, status, place.run("stop", *options, errors=AS_BYTES)):
        place_says(done)
    argv = [sys.executable, "-P", "-m", "codexctl.main", *options, "send", "--no-start", ODD]
    place_says(place.run(args=argv, errors=AS_BYTES))


def place_says(done: "object") -> None:
    """What every command has to keep to."""
    code, out, err = done.returncode, done.stdout, done.stderr  # type: ignore[attr-defined]
    assert "Traceback" not in out + err, err
    assert code in EXIT_CODES, err
    assert code == 0 or out or err, done
