"""Finding Codex: where, in which order, which version, and what is said when there is none."""

import os
import subprocess
import sys
import sysconfig
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from codexd.protocol.errors import Unavailable
from codexd.service import discovery
from codexd.service.discovery import Codex, Finder, _bundled
from codexd.service.settings import Choice
from tests.service.place import Place


@pytest.fixture(autouse=True)
def bundled(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What the package openai-codex-cli-bin has: nothing, unless the test puts it here."""
    package: list[Path] = []
    monkeypatch.setattr(discovery, "_bundled", lambda: package[0] if package else None)
    return package


def find(place: Place, *choices: str) -> Codex:
    """The Codex for these paths, as if they came from --codex."""
    return Finder(tuple(Choice(value, "--codex") for value in choices), place.environ).find()


def test_on_path(place: Place) -> None:
    """Without any word about it Codex is the `codex` on PATH; its version is what it says itself."""
    path = place.codex("0.151.0-alpha.2")
    assert find(place) == Codex(path, "0.151.0-alpha.2", path, "PATH")


def test_what_was_named_comes_first(place: Place, bundled: list[Path]) -> None:
    """A named path, then a named program, stand before PATH, and PATH before the package."""
    named, on_path = place.codex("0.163.0", "mine"), place.codex("0.164.0")
    bundled.append(place.codex("0.165.0", "packaged"))
    assert find(place, str(named), str(on_path)).version == "0.163.0"
    assert find(place, "mine") == Codex(named, "0.163.0", named, "--codex")
    assert find(place).version == "0.164.0"
    on_path.unlink()
    assert find(place) == Codex(bundled[0], "0.165.0", bundled[0], "the package openai-codex-cli-bin")


def test_npms_wrapper_is_replaced_by_its_binary(place: Place) -> None:
    """The native binary is spawned, and the wrapper only remembered."""
    script = place.root / "lib/node_modules/@openai/codex/bin/codex.js"
    script.parent.mkdir(parents=True)
    script.write_text("#!/usr/bin/env node\nprocess.exit(9)")
    script.chmod(0o755)
    machine = {"x86_64": "x64", "aarch64": "arm64"}[os.uname().machine]
    vendor = script.parents[2] / f"codex-linux-{machine}/vendor/{os.uname().machine}-unknown-linux-musl"
    (vendor / "bin").mkdir(parents=True)
    (place.bin / "codex").symlink_to(script)
    with pytest.raises(
        Unavailable, match="is npm's wrapper without the binary for this machine; reinstall it"
    ):
        find(place)
    binary = place.codex("0.163.0", "native").rename(vendor / "bin" / "codex")
    assert find(place) == Codex(binary, "0.163.0", place.bin / "codex", "PATH")


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ("echo codex-cli 0.150.9", "Codex 0.150.9 at .* is too old: codexd needs 0.151 or newer; update it"),
        ("echo codex-cli 0.99.0", "Codex 0.99.0 at .* is too old"),
        ("echo hello; echo world", "is no Codex: it answers --version with 'hello'"),
        ("exit 1", "is no Codex: it answers --version with ''"),
    ],
)
def test_what_is_no_usable_codex_is_refused(
    place: Place, bundled: list[Path], script: str, complaint: str
) -> None:
    """A wrong or old Codex is an error that names it: nobody wants another one in its place without a word."""
    bundled.append(place.codex("0.163.0", "packaged"))
    place.program("codex", script)
    with pytest.raises(Unavailable, match=complaint):
        find(place)


def test_versions_are_numbers(place: Place) -> None:
    """1.0 is newer than 0.151, though its second number is smaller."""
    place.codex("1.0.0")
    assert find(place).version == "1.0.0"


def test_what_is_missing_is_said_with_the_way_out(place: Place) -> None:
    """No Codex anywhere, no file at the path, no program of the name: each is one sentence that says what to do."""
    with pytest.raises(
        Unavailable, match=r"^no Codex found: install one \(npm .* or say where it is with --codex PATH"
    ):
        find(place)
    with pytest.raises(Unavailable, match=r"there is no file /nowhere/codex \(from --codex\); install one"):
        find(place, "/nowhere/codex")
    with pytest.raises(Unavailable, match="--codex names 'codex-beta', which is not on PATH"):
        find(place, "codex-beta")
    with pytest.raises(Unavailable, match="there is no file"):
        find(place, str(place.home))


def test_what_cannot_be_run_is_said(place: Place) -> None:
    """Not executable, not readable, not of this machine: the sentence says which."""
    plain = place.program("plain", "", mode=0o644)
    with pytest.raises(Unavailable, match=f"is not executable; allow it with: chmod \\+x {plain}"):
        find(place, str(plain))
    foreign = place.program("foreign", "")
    foreign.write_bytes(b"\x7fELF no")
    with pytest.raises(Unavailable, match="cannot be run: Exec format error"):
        find(place, str(foreign))
    with pytest.raises(Unavailable, match="cannot be read: File name too long"):
        find(place, f"/{'x' * 300}")
    loop = place.bin / "loop"
    loop.symlink_to(loop)
    with pytest.raises(Unavailable, match="there is no file"):
        find(place, str(loop))


def test_the_stand_in_for_codex_is_passed_over(place: Place) -> None:
    """codexd's own stand-in on PATH or in CODEX_PATH would start a codexd that asks the stand-in, and so on for ever."""
    stand_in = place.program("stand-in", '[ "$CODEXD_SHIM" = 1 ] && echo codexd-codex 0.1.0')
    other = place.root / "other"
    other.mkdir()
    real = place.codex("0.163.0").rename(other / "codex")
    place.program("codex", f"exec {stand_in}")
    place.environ["PATH"] = f"{place.bin}:{other}:/usr/bin:/bin"
    assert find(place, str(stand_in)) == Codex(real, "0.163.0", real, "PATH")


def test_the_stand_in_of_this_installation_is_not_even_asked(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command beside codexd is known for what it is through any number of links."""
    own = place.program("codexd-codex", "touch $HOME/asked; echo codex-cli 0.163.0")
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(place.bin))
    (place.bin / "codex").symlink_to(own)
    with pytest.raises(Unavailable, match="no Codex found"):
        find(place)
    assert not (place.home / "asked").exists()


def test_a_binary_is_asked_once(place: Place) -> None:
    """Its version is asked for again only when it is another file, or was changed."""
    path = place.program("codex", "echo x >>$HOME/asked; echo codex-cli 0.163.0")
    finder = Finder((), place.environ)
    assert [finder.find().version, finder.find().version] == ["0.163.0", "0.163.0"]
    assert (place.home / "asked").read_text() == "x\n"
    path.unlink()
    place.program("codex", "echo x >>$HOME/asked; echo codex-cli 0.164.0")
    assert finder.find().version == "0.164.0"
    assert (place.home / "asked").read_text() == "x\nx\n"


def test_one_that_does_not_answer_is_given_up(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Codex that hangs is ended and named."""
    place.program("codex", "exec sleep 1000")
    monkeypatch.setattr(discovery, "_VERSION_SECONDS", 0.05)
    with pytest.raises(Unavailable, match="did not answer --version within 0 seconds"):
        find(place)
    assert place.strays() == []


def test_a_question_can_be_abandoned(place: Place) -> None:
    """A stop ends a Codex that is just being asked: nothing is left of it, and nobody waits for it."""
    place.program("codex", "touch $HOME/asked; exec sleep 1000")
    finder, ends = Finder((), place.environ), []

    def ask() -> None:
        with pytest.raises(Unavailable, match="is no Codex"):
            finder.find()
        ends.append("ended")

    thread = threading.Thread(target=ask)
    thread.start()
    while not (place.home / "asked").exists():
        time.sleep(0.01)
    finder.abandon()
    thread.join(10)
    assert ends == ["ended"]
    assert place.strays() == []


def test_what_was_abandoned_before_it_began(place: Place) -> None:
    """A stop that comes between the search and the question ends the question all the same."""
    place.program("codex", "exec sleep 1000")
    finder = Finder((), place.environ)
    finder.abandon()
    with pytest.raises(Unavailable, match="is no Codex"):
        finder.find()
    assert place.strays() == []


def test_a_question_that_does_not_die(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """What the kernel does not let die at once is not waited for; that is said."""

    class Undying:
        pid = 7

        def kill(self) -> None:
            """Without effect."""

        def wait(self, seconds: float) -> None:
            raise subprocess.TimeoutExpired("codex", seconds)

    finder = Finder((), place.environ)
    undying: Any = Undying()
    finder._question = undying
    finder.abandon()
    assert caplog.messages == ["pid 7 is being killed and takes its time"]


def test_the_bundled_package(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is asked where its binary is; one that is not installed has none."""
    package = place.home / "codex_cli_bin.py"
    package.write_text("def bundled_codex_path():\n    return '/opt/codex'\n")
    monkeypatch.syspath_prepend(place.home)
    monkeypatch.delitem(sys.modules, "codex_cli_bin", raising=False)
    assert _bundled() == Path("/opt/codex")
    monkeypatch.setitem(sys.modules, "codex_cli_bin", None)
    assert _bundled() is None
