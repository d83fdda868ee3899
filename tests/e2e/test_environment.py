"""Codex has the environment of a login and the keys that its configuration names, and nobody is told a value."""

import os
import subprocess

import psutil
import pytest

from tests.e2e.harness import World

pytestmark = pytest.mark.e2e


def test_a_key_of_the_model_provider(world: World) -> None:
    """Where codexd was started without it, `send` says so before the turn fails; where it has it, Codex has it."""
    file = world.codex_home / "config.toml"
    file.write_text(file.read_text().replace("wire_api =", 'env_key = "MINE_KEY"\nwire_api ='))
    secret = os.urandom(16).hex()
    daemon = world.start_daemon()
    lacking = world.codexctl("send", "hello", env={"MINE_KEY": secret})
    assert lacking.returncode == 1
    assert "codexctl: Codex does not have MINE_KEY, which its configuration names" in lacking.stderr
    assert "Missing environment variable: `MINE_KEY`" in lacking.stderr
    world.stop(daemon)

    world.start_daemon(env={"MINE_KEY": secret, "OTHER_KEY": "other", "FOO": "bar"})
    sent = world.codexctl("send", "run-free echo =${FOO-none}=${OTHER_KEY-none}=", env={"MINE_KEY": secret})
    assert "=none=none=" in sent.stdout
    assert "does not have" not in sent.stderr
    status = world.client().call("codexd/status")
    assert "MINE_KEY" in status["codex"]["environment"]
    told = [str(status), world.codexd("doctor", "--json").stdout, world.log.read_text()]
    told += [str(process.info["cmdline"]) for process in psutil.process_iter(["cmdline"])]
    assert secret not in "".join(told)
    # Codex itself writes its environment there, as it does without codexd (0.163, 0.171).
    grep = ["grep", "-rlaF", "--exclude-dir=shell_snapshots", secret]
    search = subprocess.run([*grep, world.codex_home, world.state_home], capture_output=True)
    assert (search.returncode, search.stdout) == (1, b"")
