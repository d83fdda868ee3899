"""codexd under a real `systemd --user`: install, activation by the first client, the service's life, uninstall."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from codexd.demo import places

ROOT = Path(__file__).parents[2]
SANDBOX = Path(__file__).with_name("systemd_user.sh")
SCENARIO = Path(__file__).with_name("systemd_scenario.py")
SYSTEMD = Path("/lib/systemd/systemd")
PATIENCE_SECONDS = 300.0


def missing() -> str:
    """What this machine lacks for a systemd in namespaces of its own; empty when it has everything."""
    if os.getuid() != 0:
        return "needs root once, to make a namespace with a systemd in it: run it as root"
    if not SYSTEMD.exists():
        return "needs systemd (apt-get install systemd)"
    programs = [name for name in ("unshare", "setpriv", "systemctl", "bash") if shutil.which(name) is None]
    return f"needs {', '.join(programs)}" if programs else ""


@pytest.fixture
def home() -> Iterator[Path]:
    """A home for the user of the sandbox."""
    directory = places.new_directory("cd-")
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.mark.e2e
@pytest.mark.skipif(bool(missing()), reason=missing())
def test_under_a_real_systemd(codex: Path, home: Path) -> None:
    """Everything that a user does with the service, against the real thing: `systemd_scenario.py` has the steps."""
    argv = [
        str(SANDBOX),
        str(home),
        "env",
        f"PYTHONPATH={ROOT}:{':'.join(p for p in sys.path if 'site-packages' in p)}",
    ]
    argv += [sys.executable, "-P", str(SCENARIO), str(ROOT), str(codex)]
    environ = os.environ | {"EXPOSE": ":".join([str(ROOT), sys.base_prefix, sys.prefix, str(codex.parent)])}
    done = subprocess.run(
        argv,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    log = home / "systemd.log"
    if not (home / "began").exists():
        pytest.skip(
            f"this machine lets root make no namespace with a systemd in it: {done.stderr.strip()[-200:]}"
        )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{log.read_text() if log.exists() else ''}"
