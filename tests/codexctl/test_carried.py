import pytest

from codexctl.carried import beneath, config_of
from codexctl.exits import Exit, Failure

SET = "shell_environment_policy.set."


def test_what_is_carried_by_default_is_nobodys_secret():
    """Where programs are found and how they speak; a key in the environment stays there."""
    environ = {
        "PATH": "/bin",
        "VIRTUAL_ENV": "/venv",
        "TZ": "UTC",
        "OPENAI_API_KEY": "secret",
        "HOME": "/home",
    }
    assert config_of(environ) == {f"{SET}PATH": "/bin", f"{SET}VIRTUAL_ENV": "/venv", f"{SET}TZ": "UTC"}
    assert config_of({}) == {}


def test_a_value_that_codex_could_not_read_is_left_out():
    """It takes UTF-8 alone."""
    assert config_of({"PATH": "/bin:/\udcff", "LANG": "C"}) == {f"{SET}LANG": "C"}


def test_more_is_carried_by_name():
    """Once, also when it would have been carried anyway; a variable may be empty."""
    environ = {"PATH": "/bin", "MINE": "1", "EMPTY": ""}
    assert config_of(environ, ["MINE", "PATH", "MINE", "EMPTY"]) == {
        f"{SET}PATH": "/bin", f"{SET}MINE": "1", f"{SET}EMPTY": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("MINE=1", "everybody can read a value on a command line"),
        ("a.b", "not the name of a variable"),
        ("", "not the name of a variable"),
        ("GONE", "it is not set here"),
        ("BROKEN", "not valid UTF-8"),
    ],
)
def test_what_cannot_be_carried_is_said(name, why):
    """Nothing that was asked for is dropped without a word."""
    with pytest.raises(Failure, match=why) as failure:
        config_of({"BROKEN": "\udcff"}, [name])
    assert failure.value.code == Exit.USAGE


@pytest.mark.parametrize(
    ("own", "all_of_it"),
    [
        ({}, {f"{SET}PATH": "/bin", f"{SET}TZ": "UTC"}),
        ({"model": "x"}, {"model": "x", f"{SET}PATH": "/bin", f"{SET}TZ": "UTC"}),
        ({f"{SET}TZ": "CET"}, {f"{SET}PATH": "/bin", f"{SET}TZ": "CET"}),
        (
            {"shell_environment_policy.set": {"A": "b", "TZ": "CET"}},
            {f"{SET}PATH": "/bin", f"{SET}TZ": "CET", f"{SET}A": "b"},
        ),
        (
            {"shell_environment_policy": {"set": {"A": "b"}}},
            {f"{SET}PATH": "/bin", f"{SET}TZ": "UTC", f"{SET}A": "b"},
        ),
        ({"shell_environment_policy": {}}, {f"{SET}PATH": "/bin", f"{SET}TZ": "UTC"}),
    ],
)
def test_a_client_may_have_overrides_of_its_own(own, all_of_it):
    """They count more, and no two keys say something of the same place."""
    assert beneath(own, {"PATH": "/bin", "TZ": "UTC", "KEY": "secret"}) == all_of_it


@pytest.mark.parametrize(
    "own",
    [
        {"shell_environment_policy.inherit": "none"},
        {"shell_environment_policy": {"inherit": "none", "set": {"A": "b"}}},
        {"shell_environment_policy": {"include_only": ["A"]}},
        {"shell_environment_policy": "what"},
        {"shell_environment_policy.set": {"a.b": "c"}},
        {"shell_environment_policy.set": 5},
    ],
)
def test_nothing_is_carried_where_the_client_says_what_commands_inherit(own):
    """Nor where what it says is for Codex to refuse."""
    assert beneath(own, {"PATH": "/bin"}) == own
