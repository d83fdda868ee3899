"""The Codex home that uses the scripted model."""

import sys
import tomllib
from pathlib import Path

import pytest

from codexd.demo import mcp_server
from codexd.demo.codex_config import write_config


def test_the_home_is_made_for_the_user_alone(tmp_path: Path) -> None:
    """With directories above it where they are missing."""
    home = tmp_path / "not" / "yet"
    write_config(home, "http://127.0.0.1:1/v1", mcp=False)
    assert home.stat().st_mode & 0o777 == 0o700


def test_only_the_scripted_model_is_asked(tmp_path: Path) -> None:
    """Once per request, so a failure is seen at once."""
    write_config(tmp_path, "http://127.0.0.1:1/v1", mcp=False)
    config = tomllib.loads((tmp_path / "config.toml").read_text())
    provider = config["model_providers"][config["model_provider"]]
    assert provider["base_url"] == "http://127.0.0.1:1/v1"
    assert (provider["request_max_retries"], provider["stream_max_retries"]) == (0, 0)
    assert "mcp_servers" not in config


def test_the_mcp_server_is_one_to_be_run_with_this_python(tmp_path: Path) -> None:
    """By its path, because Codex hands no PYTHONPATH on."""
    write_config(tmp_path, "http://127.0.0.1:1/v1", mcp=True)
    config = tomllib.loads((tmp_path / "config.toml").read_text())
    assert config["mcp_servers"]["scripted"] == {"command": sys.executable, "args": [mcp_server.__file__]}


def test_somebody_elses_settings_are_not_replaced(tmp_path: Path) -> None:
    """Only a file that the scripted model has written itself is written again."""
    write_config(tmp_path, "http://127.0.0.1:1/v1", mcp=False)
    write_config(tmp_path, "http://127.0.0.1:2/v1", mcp=False)
    config = tmp_path / "config.toml"
    assert "127.0.0.1:2" in config.read_text()
    config.write_text('model = "my own"\n')
    with pytest.raises(FileExistsError, match=r"config\.toml is not the scripted model's"):
        write_config(tmp_path, "http://127.0.0.1:3/v1", mcp=False)
    assert config.read_text() == 'model = "my own"\n'
