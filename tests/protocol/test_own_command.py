"""How a program of ours starts another one: it is ours, wherever it is started and whatever the environment says."""

import os
import shutil
import site
import subprocess
import sys
from pathlib import Path

import pytest

from codexd.protocol import own_command as module
from codexd.protocol.own_command import CODEXCTL, CODEXD, own_command

HOSTILE = "open({!r}, 'w').close()"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A directory that somebody else wrote, with modules that are called like ours and like those that we use."""
    place = tmp_path / "checkout"
    for folder in ("codexd/service", "codexd/protocol", "codexctl"):
        (place / folder).mkdir(parents=True)
    hostile = HOSTILE.format(str(tmp_path / "ran"))
    for file in (
        "codexd/__init__.py", "codexd/__main__.py", "codexd/service/main.py", "codexctl/__init__.py", "trio.py",
        "queue.py", "msgspec.py",
    ):  # fmt: skip
        (place / file).write_text(hostile)
    return place


@pytest.mark.parametrize("name", [CODEXD, CODEXCTL])
@pytest.mark.parametrize("variable", [None, "PYTHONPATH"])
def test_code_of_the_current_directory_does_not_run(checkout: Path, name: str, variable: str | None) -> None:
    """A library user who stood in an untrusted checkout ran its `codexd/service/main.py`."""
    env = os.environ | ({variable: str(checkout)} if variable else {})
    done = subprocess.run(
        [*own_command(name), "--version"], cwd=checkout, env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{'codexd' if name == CODEXD else 'codexctl'} 0.1.0\n"
    assert not (checkout.parent / "ran").exists()


def test_an_installed_package_is_named_by_its_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """The units of systemd outlive an update of Python."""
    monkeypatch.setattr(site, "getsitepackages", lambda: ["/lib", os.path.relpath(module._ROOT)])
    assert own_command() == [sys.executable, "-E", "-P", "-m", CODEXD]


def test_a_package_that_python_does_not_know_is_found_where_it_is(tmp_path: Path) -> None:
    """A checkout, or what was installed with `pip install --target`: PYTHONPATH, which told, is not read again."""
    copy = tmp_path / "copy"
    root = Path(module._ROOT)
    shutil.copytree(root / "codexd", copy / "codexd", ignore=shutil.ignore_patterns("__pycache__"))
    run_module = copy / "codexd" / "protocol" / "run_module.py"
    script = "import codexd; print(codexd.__file__)"
    (copy / "codexd" / "service" / "main.py").write_text(f"{script}\n")
    argv = [sys.executable, "-E", "-P", str(run_module), CODEXD]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == f"{copy / 'codexd' / '__init__.py'}\n"
