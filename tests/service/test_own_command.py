"""How codexd starts codexd."""

import subprocess

from codexd.service.own_command import own_command
from tests.service.place import Place


def test_it_is_this_codexd_wherever_it_is_started(place: Place) -> None:
    """A directory `codexd` where it happens to start, the home directory even, is not taken for codexd."""
    (place.home / "codexd").mkdir()
    (place.home / "codexd" / "__init__.py").touch()
    (place.home / "codexd" / "__main__.py").write_text("print('not me')")
    done = subprocess.run(
        [*own_command(), "--version"],
        cwd=place.home,
        env=place.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "codexd 0.1.0\n"
