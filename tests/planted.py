"""Runs a Python program of the tests with a fault in one module of codexd, to see whether the program notices.

    python -m tests.planted FILE SOUND BROKEN MODULE [ARGUMENT …]

The text SOUND of FILE, a path below the checkout, is read as BROKEN. No file is changed.
"""

import importlib.machinery
import importlib.util
import runpy
import subprocess
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import CodeType, ModuleType

from tests.unmeasured import CHECKOUT, run_unmeasured


def run_with_fault(path: str, sound: str, broken: str, *argv: str) -> subprocess.CompletedProcess[str]:
    """Runs ``python -m ARGV`` with the fault, to its end; what it says is kept.

    AssertionError when the text does not occur once: the code has changed, so must the fault.
    """
    assert (CHECKOUT / path).read_text().count(sound) == 1, (
        f"the fault can't be planted in {path}: the code has changed"
    )
    return run_unmeasured("tests.planted", path, sound, broken, *argv)


class _Loader(importlib.machinery.SourceFileLoader):
    """Compiles what it reads with the fault in it; what was compiled without it is not used."""

    def __init__(self, name: str, path: str, sound: str, broken: str) -> None:
        super().__init__(name, path)
        self._fault = (sound, broken)

    def get_code(self, fullname: str) -> CodeType:
        source = Path(self.path).read_text().replace(*self._fault)
        return compile(source, self.path, "exec", dont_inherit=True)


class _Finder(MetaPathFinder):
    """Finds the one module that has the fault."""

    def __init__(self, name: str, loader: _Loader) -> None:
        self._name = name
        self._loader = loader

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._name:
            return None
        return importlib.util.spec_from_file_location(fullname, self._loader.path, loader=self._loader)


def main() -> None:
    """Plants the fault and becomes the program."""
    _, path, sound, broken, program, *arguments = sys.argv
    name = path.removesuffix(".py").replace("/", ".")
    sys.meta_path.insert(0, _Finder(name, _Loader(name, str(CHECKOUT / path), sound, broken)))
    sys.argv = [program, *arguments]
    runpy.run_module(program, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
