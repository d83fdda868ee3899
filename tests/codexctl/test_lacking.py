import os

import pytest

from codexctl.lacking import say, wanted

CONFIG = """
model_provider = "mine"
[model_providers.mine]
env_key = "MINE_KEY"
[model_providers.other]
env_key = "OTHER_KEY"
[mcp_servers.one]
env_vars = ["ONE_TOKEN"]
"""
SAID = (
    "codexctl: Codex does not have {}, which its configuration names and which is set here; to pass it on: "
    "codexd restart, or [environment] in codexd's config.toml if codexd is a service (docs/environment.md)\n"
)


@pytest.fixture(autouse=True)
def configured(place):
    """A configuration of Codex that names three variables."""
    (place / ".codex").mkdir()
    (place / ".codex" / "config.toml").write_text(CONFIG)


def everything():
    """An environment that has all of them."""
    return {**os.environ, "MINE_KEY": "s3cret", "OTHER_KEY": "s3cret", "ONE_TOKEN": "s3cret"}


def test_what_is_wanted_of_what_is_set_here():
    """What is not set, or empty, is nothing that anybody could hand on."""
    assert wanted(everything()) == (
        [("MINE_KEY", "mine"), ("OTHER_KEY", "other"), ("ONE_TOKEN", None)],
        "mine",
    )
    assert wanted({**os.environ, "MINE_KEY": "", "OTHER_KEY": "x"}) == ([("OTHER_KEY", "other")], "mine")
    assert wanted(os.environ) is None


def test_overrides_of_a_client_count(place):
    """Also where the file names nothing, or is not there."""
    own = {"model_provider": "x", "model_providers.x.env_key": "MINE_KEY"}
    assert wanted({**os.environ, "MINE_KEY": "k"}, own) == ([("MINE_KEY", "mine"), ("MINE_KEY", "x")], "x")
    (place / ".codex" / "config.toml").write_text('model = "x"')
    assert wanted(everything()) is None
    assert wanted(everything(), {"model": "y"}) is None
    (place / ".codex" / "config.toml").unlink()
    assert wanted(everything()) is None
    assert wanted(everything(), own) == ([("MINE_KEY", "x")], "x")


@pytest.mark.parametrize(
    ("names", "provider", "lacking"),
    [
        (["PATH"], None, "MINE_KEY, ONE_TOKEN"),
        (["PATH"], "other", "OTHER_KEY, ONE_TOKEN"),
        (["PATH", "ONE_TOKEN"], "openai", None),
        (["MINE_KEY", "ONE_TOKEN"], None, None),
    ],
)
def test_what_codex_lacks_is_said_in_one_line(capsys, names, provider, lacking):
    """The key of the model provider in use, and what MCP servers are given; names alone."""
    say("codexctl", wanted(everything()), {"environment": names}, provider)
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "" if lacking is None else SAID.format(lacking))


def test_a_codexd_that_does_not_say_what_codex_has(capsys):
    """An older one, or one whose Codex is not there yet."""
    say("codexctl", wanted(everything()), {})
    say("codexctl", wanted(everything()), {"environment": []})
    say("codexctl", None, {"environment": ["PATH"]})
    assert capsys.readouterr().err == ""
