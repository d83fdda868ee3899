import pytest

from codexd.protocol.overrides import config_of, of_the_process


@pytest.mark.parametrize(
    ("override", "config"),
    [
        ("model=o3", {"model": "o3"}),
        (' model = "o3" ', {"model": "o3"}),
        ("model='a b'", {"model": "a b"}),
        ('model="half', {"model": "half"}),
        ("model=", {"model": ""}),
        ("a=b=c", {"a": "b=c"}),
        ("a.b=true", {"a.b": True}),
        ("a=-7", {"a": -7}),
        ("a=1.5", {"a": 1.5}),
        ("a=[1, 'x', {y = 2}]", {"a": [1, "x", {"y": 2}]}),
        ('sandbox={mode="x", roots=["/"]}', {"sandbox": {"mode": "x", "roots": ["/"]}}),
        ("a=007", {"a": "007"}),
        ("a=1979-05-27", {"a": "1979-05-27"}),
        ("a={b = 1979-05-27}", {"a": "{b = 1979-05-27}"}),
        ("a=[inf]", {"a": "[inf]"}),
        ("a=99999999999999999999", {"a": "99999999999999999999"}),
        pytest.param(f"a={'9' * 5000}", {"a": "9" * 5000}, id="very long"),
        pytest.param(f"a={'[' * 2000}", {"a": "[" * 2000}, id="very deep"),
        ("a=1\nb=2", {"a": 1}),
        ("use_legacy_landlock=true", {"features.use_legacy_landlock": True}),
    ],
)
def test_a_value_is_toml_and_else_a_string(override, config):
    """As Codex reads it; what JSON cannot hold is the text that it was."""
    assert config_of([override], {}) == config


@pytest.mark.parametrize("override", ["model", "", "=x", " = x"])
def test_what_codex_refuses_is_refused(override):
    """Without a key or without an equals sign."""
    assert config_of(["a=1", override], {}) is None


@pytest.mark.parametrize(
    ("overrides", "config"),
    [
        (["a=1", "a=2"], {"a": 2}),
        (["a.b=1", "a={c=2}"], {"a": {"c": 2}}),
        (["a={c=2}", "a.b=1"], {"a": {"c": 2, "b": 1}}),
        (["a={c={x=1}}", "a.c.y=2"], {"a": {"c": {"x": 1, "y": 2}}}),
        (["a={c=2}", "a.c.y=2"], {"a": {"c": {"y": 2}}}),
        (["a={}", "a.c.y=2"], {"a": {"c": {"y": 2}}}),
        (["a=1", "a.b=2"], {"a.b": 2}),
        (["a.b=1", "a.bc=2", "a.b.d=3"], {"a.bc": 2, "a.b.d": 3}),
    ],
)
def test_a_later_override_wins(overrides, config):
    """No two keys of the result say something of the same place, so their order does not matter."""
    assert config_of(overrides, {}) == config


def test_features_have_the_last_word():
    """As with Codex, whatever `-c` says."""
    assert config_of(["features={a=true, b=true}"], {"a": False}) == {"features": {"a": False, "b": True}}
    assert config_of([], {"a": True}) == {"features.a": True}


def test_what_only_a_whole_process_can_be_told_is_found():
    """By the first word of the key."""
    config = {"model": "o3", "otel.exporter": "none", "log_dir": "/tmp", "features.otel": True}
    assert of_the_process(config) == ["otel.exporter", "log_dir"]
