"""scripts/setup.sh, with Pythons that are shell scripts: what it picks, what it says, when it does nothing."""

import shutil
import subprocess
from pathlib import Path

import pytest

SETUP = Path(__file__).parents[2] / "scripts" / "setup.sh"
TOOLS = ("sh", "sed", "cat", "cksum", "dirname", "rm", "tr", "cp", "mkdir", "chmod")

# Answers what setup.sh asks of a Python; keeps a record of what it was told to do.
FAKE_PYTHON = """#!/bin/sh
case "$*" in
    *ensurepip*) exit {without_venv} ;;
    *version_info*11*) exit {too_old} ;;
    *version_info*) echo {version} ;;
    -V) echo "Python {version}.0" ;;
    "-m venv"*) mkdir -p .venv/bin && cp "$0" .venv/bin/python && echo "venv {version}" >>"{record}" ;;
    "-m pip"*) echo "pip $*" >>"{record}"; exit {pip_fails} ;;
esac
"""


class Checkout:
    """A directory with setup.sh and a PATH of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.record = root / "record"
        self.bin = root / "path"
        self.bin.mkdir()
        for tool in TOOLS:
            (self.bin / tool).symlink_to(shutil.which(tool) or tool)
        (root / "scripts").mkdir()
        shutil.copy(SETUP, root / "scripts" / "setup.sh")
        (root / "pyproject.toml").write_text("one")
        (root / "tests").mkdir()
        self.pin("1.2.3")

    def python(self, name: str, version: str, *, without_venv: bool = False, pip_fails: bool = False) -> None:
        script = FAKE_PYTHON.format(
            version=version,
            too_old=int(tuple(map(int, version.split("."))) < (3, 11)),
            without_venv=int(without_venv),
            pip_fails=int(pip_fails),
            record=self.record,
        )
        self.tool(name, script)

    def tool(self, name: str, script: str = "#!/bin/sh\n") -> None:
        (self.bin / name).write_text(script)
        (self.bin / name).chmod(0o755)

    def pin(self, version: str) -> None:
        (self.root / "tests" / "codex_versions.env").write_text(f"PYPI={version}\n")

    def setup(self, extras: str = "codex", **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["scripts/setup.sh", extras],
            cwd=self.root,
            env={"PATH": str(self.bin), **env},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def done(self) -> list[str]:
        """What was made and installed since the last time this was asked, in words."""
        lines = self.record.read_text().splitlines() if self.record.exists() else []
        self.record.unlink(missing_ok=True)
        return [line if line.startswith("venv") else line.split()[-1] for line in lines]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_the_first_time_it_makes_and_installs(checkout: Checkout) -> None:
    """With the first Python that will do, which need not be python3."""
    checkout.python("python3", "3.9")
    checkout.python("python3.13", "3.13", without_venv=True)
    checkout.python("python3.12", "3.12")
    done = checkout.setup("codex,test")
    assert (done.returncode, checkout.done()) == (0, ["venv 3.12", ".[codex,test]"])


def test_the_second_time_it_does_nothing(checkout: Checkout) -> None:
    """Fewer extras are there already; more are installed into the same environment."""
    checkout.python("python3", "3.12")
    checkout.setup("codex")
    assert checkout.done() == ["venv 3.12", ".[codex]"]
    checkout.setup("codex")
    assert checkout.done() == []
    checkout.setup("codex,test")
    assert checkout.done() == [".[codex,test]"]
    assert checkout.setup("codex").stderr == ""
    assert checkout.done() == []


def test_a_changed_pyproject_is_installed_again(checkout: Checkout) -> None:
    """Into the environment that is there."""
    checkout.python("python3", "3.12")
    checkout.setup()
    checkout.done()
    (checkout.root / "pyproject.toml").write_text("two")
    checkout.setup()
    assert checkout.done() == [".[codex]"]


def test_codex_and_its_sdk_are_of_the_pinned_version(checkout: Checkout) -> None:
    """And of another one when another one is pinned."""
    checkout.python("python3", "3.12")
    checkout.setup()
    assert "--constraint .venv/pinned.txt --editable" in checkout.record.read_text()
    pinned = checkout.root / ".venv" / "pinned.txt"
    assert pinned.read_text() == "openai-codex-cli-bin==1.2.3\nopenai-codex==1.2.3\n"
    checkout.done()
    checkout.pin("1.2.4")
    checkout.setup()
    assert checkout.done() == [".[codex]"]
    assert pinned.read_text() == "openai-codex-cli-bin==1.2.4\nopenai-codex==1.2.4\n"


def test_an_environment_that_is_broken_is_made_anew(checkout: Checkout) -> None:
    """As when the Python it was made with is gone."""
    checkout.python("python3", "3.12")
    checkout.setup()
    checkout.done()
    (checkout.root / ".venv" / "bin" / "python").unlink()
    checkout.setup()
    assert checkout.done() == ["venv 3.12", ".[codex]"]


def test_the_python_asked_for_comes_first(checkout: Checkout) -> None:
    """PYTHON chooses."""
    checkout.python("python3", "3.12")
    checkout.python("mine", "3.14")
    checkout.setup(PYTHON="mine")
    assert checkout.done()[0] == "venv 3.14"


@pytest.mark.parametrize(
    ("manager", "command"),
    [
        ("apt-get", "sudo apt-get install python"),
        ("dnf", "sudo dnf install python3"),
        ("pacman", "sudo pacman -S python"),
        ("apk", "sudo apk add python3"),
        ("brew", "brew install python"),
        (None, "https://www.python.org/downloads/"),
    ],
)
def test_without_a_venv_module_it_says_how_to_get_one(
    checkout: Checkout, manager: str | None, command: str
) -> None:
    """As on a plain Debian, where the module is a package of its own."""
    checkout.python("python3", "3.11", without_venv=True)
    if manager:
        checkout.tool(manager)
    done = checkout.setup()
    assert (done.returncode, checkout.done()) == (1, [])
    assert "python3 cannot make virtual environments" in done.stderr
    assert command in done.stderr


def test_an_old_python_is_named(checkout: Checkout) -> None:
    """With the version that is needed."""
    checkout.python("python3", "3.9")
    done = checkout.setup()
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed; python3 here is Python 3.9.0" in done.stderr


def test_no_python_at_all_is_said(checkout: Checkout) -> None:
    """Not left to the shell's "not found"."""
    checkout.tool("apt-get")
    done = checkout.setup()
    assert done.returncode == 1
    assert "there is no python3 here" in done.stderr
    assert "sudo apt-get install python3 python3-venv" in done.stderr


def test_a_failed_installation_is_tried_again(checkout: Checkout) -> None:
    """And says what it needed."""
    checkout.python("python3", "3.12", pip_fails=True)
    done = checkout.setup()
    assert done.returncode == 1
    assert "PIP_INDEX_URL" in done.stderr
    checkout.done()
    checkout.setup()
    assert checkout.done() == [".[codex]"]
