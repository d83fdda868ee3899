"""The command line of codexd."""

import pytest

from codexd.service.arguments import beyond_identity, flags_of, of_restart_alone, parse, repeatable
from codexd.service.errors import UsageError
from tests.service.place import Place


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (["sttaus"], "there is no command 'sttaus'; did you mean 'status'?\nusage: codexd "),
        (["xyzzy"], "there is no command 'xyzzy'\nusage: codexd "),
        (
            ["start", "--sokcet", "/x"],
            "there is no option '--sokcet'; did you mean '--socket'?\nusage: codexd start ",
        ),
        (["start", "extra"], "there is no option 'extra'\nusage: codexd start "),
        (["--verzion"], "the following arguments are required: COMMAND\nusage: codexd "),
        ([], "the following arguments are required: COMMAND\nusage: codexd "),
        (["start", "--socket"], "argument --socket: expected one argument\nusage: codexd start "),
        (["start", "--sock", "/x"], "there is no option '--sock'; did you mean '--socket'?"),
        (["install", "--demo"], "there is no option '--demo'"),
    ],
)
def test_mistakes(argv: list[str], complaint: str) -> None:
    """A word that codexd does not know is named, with the nearest that it knows; it guesses nothing."""
    with pytest.raises(UsageError) as refusal:
        parse(argv)
    assert str(refusal.value).startswith(complaint)
    assert refusal.value.exit_code == 2


def test_options_that_another_codexd_is_given_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The options are the same wherever they are given again: paths are absolute, one string holds each."""
    monkeypatch.chdir(place.home)
    argv = ["--socket", "s", "--codex", "bin/codex", "--codex-home=~/h", "--cwd", ".", "--log-dir", "/l"]
    argv += [
        "--config",
        "c.toml",
        "--codex-config",
        "a=b c",
        "--codex-config=d=e",
        "--control-socket",
        "--demo",
    ]
    again = repeatable(parse(["start", *argv]))
    assert again == (
        f"--socket={place.home}/s",
        f"--codex-home={place.home}/h",
        f"--config={place.home}/c.toml",
        f"--codex={place.home}/bin/codex",
        f"--cwd={place.home}",
        "--log-dir=/l",
        "--codex-config=a=b c",
        "--codex-config=d=e",
        "--control-socket",
        "--demo",
    )
    monkeypatch.chdir("/")
    assert repeatable(parse(["run", *again])) == again
    assert repeatable(parse(["start", "--codex", "codex-beta"])) == ("--codex=codex-beta",)
    assert repeatable(parse(["start"])) == ()


def test_which_options_say_which_codexd(place: Place) -> None:
    """Socket, CODEX_HOME and demo say which codexd is meant; everything else, how it is to be."""
    given = [
        "--socket=/s",
        "--codex-home=/h",
        "--demo",
        "--codex=/c",
        "--codex-config=socket=/s",
        "--control-socket",
    ]
    assert beyond_identity(given) == ["--codex=/c", "--codex-config=socket=/s", "--control-socket"]


def test_the_demo_has_a_home_of_its_own(place: Place) -> None:
    """The scripted model never gets into a CODEX_HOME that is somebody's, unless that one is named."""
    home = str(place.root / "state" / "codexd" / "demo-codex-home")
    assert flags_of(parse(["status", "--demo"]))["codex_home"] == home
    assert flags_of(parse(["status", "--demo", "--codex-home", "/h"]))["codex_home"] == "/h"
    assert flags_of(parse(["status"]))["codex_home"] is None
    assert flags_of(parse(["install"]))["codex_home"] is None


@pytest.mark.parametrize(
    ("argv", "again"),
    [
        ([], ["--drain=10.0"]),
        (["--now"], ["--drain=0.0"]),
        (["--drain=0.1", "--after=7"], ["--drain=0.1", "--after=7"]),
    ],
)
def test_what_a_restart_is_told_again(argv: list[str], again: list[str]) -> None:
    """When it begins anew as another process."""
    parsed = parse(["restart", *argv])
    assert of_restart_alone(parsed) == again
    assert of_restart_alone(parse(["restart", *again])) == again
