from pathlib import Path

import pytest

from codexd.protocol.named_variables import Named, named_in, read

CONFIG = """
model_provider = "mine"
[model_providers.mine]
name = "Mine"
env_key = "MINE_KEY"
env_http_headers = { "X-Org" = "MINE_ORG", "X-None" = 1 }
[mcp_servers.one]
command = "one"
env = { A = "value" }
env_vars = ["ONE_TOKEN", { name = "ONE_URL", source = "local" }, { source = "local" }, 7]
[mcp_servers.two]
url = "https://two"
bearer_token_env_var = "TWO_TOKEN"
env_http_headers = { X = "TWO_HEADER" }
[mcp_servers.three]
env_vars = "not a list"
[other.mine]
env_key = "NOT_A_PROVIDERS"
"""


def test_what_a_configuration_names(tmp_path: Path) -> None:
    """Keys and headers of providers, tokens and variables of MCP servers; nothing that only looks like them."""
    (tmp_path / "config.toml").write_text(CONFIG)
    assert named_in(read(str(tmp_path))) == [
        Named("MINE_KEY", "mine"),
        Named("MINE_ORG", "mine"),
        Named("ONE_TOKEN", None),
        Named("ONE_URL", None),
        Named("TWO_TOKEN", None),
        Named("TWO_HEADER", None),
    ]


def test_dotted_keys_and_names_that_are_none() -> None:
    """As in the `config` of a thread. Each name is there once; what is no name of a variable is left out."""
    config = {
        "model_providers.a.env_key": "A_KEY",
        "model_providers.a": {"env_key": "A_KEY", "env_http_headers": {"x": "NOT=A NAME", "y": ""}},
        "model_providers.b.env_key": "A_KEY",
        "mcp_servers": {"c": "no table"},
    }
    assert named_in(config) == [Named("A_KEY", "a"), Named("A_KEY", "b")]


@pytest.mark.parametrize("text", ["= no TOML", "x = '\udcff'", "a = " + "[" * 5000])
def test_a_configuration_that_cannot_be_read_names_nothing(tmp_path: Path, text: str) -> None:
    """Codex says what is wrong with it."""
    assert read(str(tmp_path)) == {}
    (tmp_path / "config.toml").write_bytes(text.encode(errors="surrogateescape"))
    assert read(str(tmp_path)) == {}
