"""From the `codex` that npm installs to the binary that it runs.

npm's `codex` is a small node program that starts the native binary: 82 ms for the wrapper, 7 for the binary. Layouts
seen: the platform's package beside the wrapper's (`node_modules/@openai/codex-linux-x64`, hoisted) or inside it, its
`vendor/TRIPLE/bin/codex`; older ones `vendor/TRIPLE/codex/codex`, in the wrapper's own package too.
"""

import platform
import re
import sys
from collections.abc import Iterator
from pathlib import Path

_ARCHITECTURES = {"x86_64": ("x86_64", "x64"), "aarch64": ("aarch64", "arm64"), "arm64": ("aarch64", "arm64")}
_SYSTEMS = {"linux": ("unknown-linux-musl", "linux"), "darwin": ("apple-darwin", "darwin")}
_SCRIPT_BYTES = 4096
_PNPM_TARGET = re.compile(r'"\$basedir/([^"]*@openai/codex/bin/codex\.js)"')


def wrapper_script(candidate: Path) -> Path | None:
    """The `codex.js` of npm that this candidate is, links to, or (pnpm's shell script) starts; None for all others."""
    real = candidate.resolve()
    if real.name == "codex.js":
        return real
    with real.open("rb") as file:
        beginning = file.read(_SCRIPT_BYTES)
    if beginning.startswith(b"#!") and (target := _PNPM_TARGET.search(beginning.decode(errors="replace"))):
        return (real.parent / target[1]).resolve()
    return None


def native_binary(script: Path, system: str = sys.platform, machine: str = "") -> Path | None:
    """The binary that this `codex.js` would run here, None when the package does not have it."""
    architecture, short = _ARCHITECTURES.get(machine or platform.machine(), ("unknown", "unknown"))
    vendor, name = _SYSTEMS.get(system, ("unknown", "unknown"))
    triple = f"{architecture}-{vendor}"
    package = script.parent.parent
    for root in _vendor_directories(package, f"codex-{name}-{short}"):
        for inside in ("bin/codex", "codex/codex"):
            binary = root / triple / inside
            if binary.is_file():
                return binary
    return None


def _vendor_directories(package: Path, platform_package: str) -> Iterator[Path]:
    """Where node would look for the platform's package, nearest first, then the wrapper's own directory."""
    for directory in (package, *package.parents):
        yield directory / "node_modules" / "@openai" / platform_package / "vendor"
    yield package / "vendor"
