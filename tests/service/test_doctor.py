"""doctor: what it prints, and when it says that something is broken."""

import json
from pathlib import Path

import pytest

from tests.service.place import Place


def test_settings_and_where_they_came_from(place: Place) -> None:
    """Every setting is shown with its value and its origin, in words and as JSON."""
    place.codex()
    config = place.root / "config" / "codexd" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(
        'log_level = "debug"\ncodex_config = ["a=b", "c=d"]\nrequest_attestation = true\n'
        '[environment]\nlogin_shell = false\npass = ["P_*"]\nset = { KEY = "s3cret" }\n'
    )
    environ = {"CODEX_PATH": str(place.bin / "codex"), "CODEXD_SOCKET": str(place.socket)}
    done = place.run("doctor", "--cwd", "/", "--json", env=environ)
    assert done.returncode == 0
    report = json.loads(done.stdout)
    assert report["settings"] == {
        "socket": {"value": str(place.socket), "source": "CODEXD_SOCKET"},
        "codex": {"value": [str(place.bin / "codex")], "source": "CODEX_PATH"},
        "codex_home": {"value": str(place.codex_home), "source": "default"},
        "codex_config": {"value": ["a=b", "c=d"], "source": str(config)},
        "environment": {"value": ["pass P_*", "set KEY", "login_shell = false"], "source": str(config)},
        "cwd": {"value": "/", "source": "--cwd"},
        "log_dir": {"value": str(place.log.parent), "source": "default"},
        "control_socket": {"value": False, "source": "default"},
        "client_name": {"value": "codexd", "source": "default"},
        "inside": {"value": "refuse", "source": "default"},
        "request_attestation": {"value": True, "source": str(config)},
        "thread_unload_delay_seconds": {"value": 60.0, "source": "default"},
        "codex_silence_seconds": {"value": 30.0, "source": "default"},
        "sweep": {"value": True, "source": "default"},
        "max_message_bytes": {"value": 134217728, "source": "default"},
        "outbox_spill_bytes": {"value": 4194304, "source": "default"},
        "max_outbox_bytes": {"value": 67108864, "source": "default"},
        "max_outboxes_bytes": {"value": 268435456, "source": "default"},
        "stalled_seconds": {"value": 60.0, "source": "default"},
        "max_buffered_bytes": {"value": 268435456, "source": "default"},
        "timeline": {"value": "on", "source": "default"},
        "timeline_days": {"value": 14.0, "source": "default"},
        "timeline_bytes": {"value": 1073741824, "source": "default"},
        "log_level": {"value": "debug", "source": str(config)},
        "log_content": {"value": False, "source": "default"},
    }
    assert report["version"] == "0.1.0"
    words = place.run("doctor", env=environ).stdout
    assert f"  codex_config         a=b, c=d  ({config})\n" in words
    assert f"  environment          pass P_*, set KEY, login_shell = false  ({config})\n" in words
    assert "s3cret" not in words + done.stdout
    assert f"  socket               {place.socket}  (CODEXD_SOCKET)\n" in words
    assert "  log_level            debug" in words


def test_findings_and_their_remedies(place: Place) -> None:
    """A finding is a line, its remedy the next; something broken makes the exit code 1."""
    done = place.run("doctor", "--codex", "/nowhere")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    broken = next(line for line in lines if line.startswith("  broken"))
    assert broken.startswith(
        "  broken  Codex           no Codex found: there is no file /nowhere (from --codex)"
    )
    at = next(index for index, line in enumerate(lines) if line.startswith("  note    codexd "))
    assert lines[at + 1] == " " * 26 + "codexd start"


def test_no_secrets(place: Place) -> None:
    """Of the environment that Codex gets only what leads it somewhere is shown; of all else the name alone."""
    place.codex()
    environ = {
        "OPENAI_API_KEY": "sk-secret",
        "MY_API_KEY": "sk-secret",
        "HTTPS_PROXY": "http://me:sk-secret@proxy:80",
        "no_proxy": "a,b",
        "PATH": f"{place.environ['PATH']}:/sk-secret",
    }
    for flags in ((), ("--json",)):
        out = place.run("doctor", *flags, env=environ).stdout
        assert "sk-secret" not in out
        assert "OPENAI_API_KEY" in out
    found = json.loads(out)["environment"]
    path = found["shown"].pop("PATH")
    assert path.endswith("/usr/sbin:/usr/bin:/sbin:/bin")
    assert found["shown"] == {
        "CODEX_HOME": str(place.codex_home),
        "HOME": str(place.home),
        "HTTPS_PROXY": "http://…@proxy:80",
        "no_proxy": "a,b",
    }
    assert (found["of"], found["cwd"]) == ("a Codex that is started from this shell", str(place.home))
    assert "MY_API_KEY" in found["missing"]
    assert "PATH" in found["different"]
    assert {"CODEX_HOME", "TERM"} <= set(found["extra"])
    assert "OPENAI_API_KEY" not in found["missing"] + found["different"] + found["extra"]


@pytest.mark.parametrize("text", ["log_level = 1", "not toml"])
def test_wrong_settings_are_a_finding(place: Place, text: str) -> None:
    """doctor works when nothing else does: it says what is wrong with the file, and looks at the rest."""
    place.codex()
    file = place.root / "c.toml"
    file.write_text(text)
    done = place.run("doctor", "--json", env={"CODEXD_CONFIG": str(file)})
    assert done.returncode == 1
    findings = json.loads(done.stdout)["findings"]
    assert findings[0]["name"] == "settings"
    assert findings[0]["state"] == "broken"
    assert str(file) in findings[0]["text"]
    assert {"name": "CODEX_HOME", "state": "ok", "text": str(place.codex_home), "remedy": ""} in findings


def test_a_path_of_another_home(place: Place, tmp_path: Path) -> None:
    """doctor looks at the codexd that the options mean, as every command does."""
    place.codex()
    out = place.run("doctor", "--codex-home", str(place.root), "--json").stdout
    assert json.loads(out)["settings"]["codex_home"] == {"value": str(place.root), "source": "--codex-home"}
