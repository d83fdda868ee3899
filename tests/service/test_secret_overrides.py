"""Which settings of Codex may hold a secret, and where they go instead of its command line."""

import tomllib
from typing import Any

import pytest

from codexd.protocol.overrides import config_of
from codexd.service import secret_overrides
from codexd.service.errors import UsageError

S = "PLANTED"


@pytest.mark.parametrize(
    ("assignments", "public", "private"),
    [
        ([f'mcp_servers.x.env.KEY="{S}"'], [], {"mcp_servers.x.env.KEY": S}),
        (
            [f'mcp_servers.x={{command="c", args=["{S}"]}}', f"mcp_servers.x.http_headers={{A.B='{S}'}}", 'model="m"'],
            ['model="m"'],
            {"mcp_servers.x.command": "c", "mcp_servers.x.args": [S], "mcp_servers.x.http_headers.A.B": S},
        ),
        (
            [f'mcp_servers={{x={{command="c", env={{PIN={7}, "A.B"="{S}"}}}}, y={{command="d"}}}}'],
            [],
            {"mcp_servers.x.command": "c", "mcp_servers.x.env": {"PIN": 7, "A.B": S}, "mcp_servers.y.command": "d"},
        ),
        ([f'mcp_servers.x.url="https://example.org/{S}"'], [], {"mcp_servers.x.url": f"https://example.org/{S}"}),
        ([f'hooks.Stop=[{{hooks=[{{command="c {S}"}}]}}]'], [], {"hooks.Stop": [{"hooks": [{"command": f"c {S}"}]}]}),
        ([f'notify=["n", "{S}"]'], [], {"notify": ["n", S]}),
        ([f""" 'mcp_servers'.x.args=["{S}"]"""], [], {"'mcp_servers'.x.args": [S]}),
        (
            [f'model_providers.p={{name="P", auth={{command="c", args=["{S}"]}}}}'],
            ['model_providers.p={"name" = "P"}'],
            {"model_providers.p.auth.command": "c", "model_providers.p.auth.args": [S]},
        ),
        (
            [f'model_providers.p={{name="P", n=[1.5, true], env_key="K", query_params={{v="{S}"}}}}', 'model_provider="p"'],
            ['model_providers.p={"name" = "P", "n" = [1.5, true], "env_key" = "K"}', 'model_provider="p"'],
            {"model_providers.p.query_params.v": S},
        ),
        ([f'model_providers.p.experimental_bearer_token="{S}"'], [], {"model_providers.p.experimental_bearer_token": S}),
        ([f"shell_environment_policy.set.A='{S}'"], [], {"shell_environment_policy.set.A": S}),
        ([f'notify=["n", "--api-key", "{S}"]'], [], {"notify": ["n", "--api-key", S]}),
        ([f'x_base_url="https://me:{S}@example.org/"'], [], {"x_base_url": f"https://me:{S}@example.org/"}),
        ([f'my_key_of_old="{S}"'], [], {"my_key_of_old": S}),
        ([f'a.token="{S}"', "a={b=1}"], ["a={b=1}"], {}),
        ([f'x.token="{S}"', 'x.token="T"'], [], {"x.token": "T"}),
    ],
)  # fmt: skip
def test_what_may_be_a_secret_is_given_to_threads(
    assignments: list[str], public: list[str], private: dict[str, Any]
) -> None:
    """All else stays on the command line, in words that Codex reads as the same."""
    assert list(secret_overrides.on_command_line(assignments)) == public
    assert secret_overrides.of_threads(assignments) == private
    assert S not in "".join(secret_overrides.without_secrets(assignments))
    secret_overrides.check(assignments, "/h")


@pytest.mark.parametrize(
    "assignment",
    [
        "model=gpt-5", " a = 1979-05-27", "a={b = inf}", "use_legacy_landlock=true", 'cli_auth_credentials_store="file"',
        'mcp_oauth_credentials_store="keyring"', "tool_output_token_limit=1000", "features.api_key=true", "a={}",
        'projects={"/srv/keys"={trust_level="trusted"}}', 'model_providers.token.env_key="K"', "otel.exporter='none'",
        'model_providers.auth.env_key="K"', "shell_environment_policy.inherit='core'",
    ],
)  # fmt: skip
def test_what_is_no_secret_stays_as_it_was(assignment: str) -> None:
    """To the letter: names of variables, stores and limits, and names that a user made up."""
    assert secret_overrides.on_command_line([assignment]) == (assignment,)
    assert secret_overrides.of_threads([assignment]) == {}
    assert secret_overrides.without_secrets([assignment]) == (assignment,)


def test_a_secret_that_only_the_whole_process_reads_is_refused() -> None:
    """With the file that it belongs into."""
    assignment = f'otel.exporter={{otlp-http={{endpoint="e", headers={{A="{S}"}}}}}}'
    with pytest.raises(
        UsageError, match=r"otel\.exporter\..*headers\.A.*put it into /h/config.toml"
    ) as refused:
        secret_overrides.check([assignment], "/h")
    assert S not in str(refused.value)


def test_what_is_left_of_a_table_is_toml() -> None:
    """Whatever is in its strings."""
    text = 'a"b\\\x7f\u00e9\U0001f600\n'
    written = {"token": S, "kept": {"a.b": text, "list": [{"n": 1e300}, -7, False]}}
    toml = secret_overrides._toml(written)
    assert tomllib.loads(f"x = {toml}")["x"] == written
    (left,) = secret_overrides.on_command_line([f"p={toml}"])
    assert config_of([left], {}) == {"p": {"kept": written["kept"]}}
