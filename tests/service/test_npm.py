"""From npm's wrapper to the binary behind it, in every layout that was seen."""

from pathlib import Path

import pytest

from codexd.service.npm import native_binary, wrapper_script
from tests.service.place import Place

LINUX, MAC = "x86_64-unknown-linux-musl", "aarch64-apple-darwin"


def make(path: Path) -> Path:
    """An empty file and its directories."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


@pytest.mark.parametrize(
    ("binary", "system", "machine"),
    [
        (f"node_modules/@openai/codex-linux-x64/vendor/{LINUX}/bin/codex", "linux", "x86_64"),
        (
            f"node_modules/@openai/codex/node_modules/@openai/codex-linux-x64/vendor/{LINUX}/bin/codex",
            "linux",
            "x86_64",
        ),
        (f"node_modules/@openai/codex/vendor/{LINUX}/codex/codex", "linux", "x86_64"),
        ("node_modules/@openai/codex/vendor/aarch64-unknown-linux-musl/codex/codex", "linux", "aarch64"),
        (f"node_modules/@openai/codex-darwin-arm64/vendor/{MAC}/bin/codex", "darwin", "arm64"),
        ("node_modules/@openai/codex-darwin-x64/vendor/x86_64-apple-darwin/codex/codex", "darwin", "x86_64"),
    ],
)
def test_layouts(place: Place, binary: str, system: str, machine: str) -> None:
    """Hoisted or nested, with a package for the platform or everything in one, Linux or macOS: the binary is found."""
    script = make(place.root / "lib/node_modules/@openai/codex/bin/codex.js")
    wanted = make(place.root / "lib" / binary)
    assert native_binary(script, system, machine) == wanted


def test_the_nearest_package_wins(place: Place) -> None:
    """As node resolves it: what is inside the wrapper's package stands before what is beside it."""
    script = make(place.root / "lib/node_modules/@openai/codex/bin/codex.js")
    make(place.root / f"lib/node_modules/@openai/codex-linux-x64/vendor/{LINUX}/bin/codex")
    near = make(script.parents[1] / f"node_modules/@openai/codex-linux-x64/vendor/{LINUX}/bin/codex")
    assert native_binary(script, "linux", "x86_64") == near


@pytest.mark.parametrize(
    ("system", "machine"), [("linux", "riscv64"), ("freebsd14", "x86_64"), ("linux", "aarch64")]
)
def test_a_package_without_a_binary_for_this_machine(place: Place, system: str, machine: str) -> None:
    """Another machine's binary is none."""
    script = make(place.root / "lib/node_modules/@openai/codex/bin/codex.js")
    make(place.root / f"lib/node_modules/@openai/codex-linux-x64/vendor/{LINUX}/bin/codex")
    assert native_binary(script, system, machine) is None


def test_a_link_to_the_wrapper_is_the_wrapper(place: Place) -> None:
    """npm puts a link into its bin directory; the wrapper is what it leads to."""
    script = make(place.root / "lib/node_modules/@openai/codex/bin/codex.js")
    link = place.bin / "codex"
    link.symlink_to(script)
    assert wrapper_script(link) == script


def test_the_shell_script_of_pnpm_is_the_wrapper(place: Place) -> None:
    """pnpm writes a shell script that runs node on the wrapper, beside which the real package is."""
    script = make(place.root / "store/.pnpm/@openai+codex@1/node_modules/@openai/codex/bin/codex.js")
    inside = (
        'exec node "$basedir/../store/.pnpm/@openai+codex@1/node_modules/@openai/codex/bin/codex.js" "$@"'
    )
    assert wrapper_script(place.program("codex", inside)) == script


def test_other_programs_are_no_wrappers(place: Place) -> None:
    """A script of the user's own, or a binary, is spawned as it is."""
    assert wrapper_script(place.program("codex", "exec /opt/codex")) is None
    binary = place.bin / "binary"
    binary.write_bytes(b'\x7fELF "$basedir/@openai/codex/bin/codex.js"')
    assert wrapper_script(binary) is None
