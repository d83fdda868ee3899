"""Becoming the real Codex: which one, with what, and what is said when there is none."""

import subprocess
import sys

from tests.service.place import Place


def become(place: Place, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "codexd.service.real_codex", *words],
        env={**place.environ, **env},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_it_is_the_codex_that_codexd_would_start(place: Place) -> None:
    """What was named before what is on PATH, never the stand-in, with every word as it was given."""
    say = '[ "$CODEXD_SHIM" ] && echo codex-cli 0.163.0 && exit; printf "%s," "$0" "$@"; exit 7'
    place.program("codexd-codex", "echo codexd-codex 0.1.0")
    (place.bin / "codex").symlink_to(place.bin / "codexd-codex")
    named = place.program("real", say)
    for choice in (str(named), "real"):
        done = become(place, "exec", "a b", "--x=$y", "", CODEX_PATH=choice)
        assert (done.returncode, done.stdout, done.stderr) == (7, f"{named},exec,a b,--x=$y,,", "")
    assert "no Codex found" in become(place, CODEX_PATH="codexd-codex").stderr


def test_a_script_around_the_stand_in_is_passed_over(place: Place) -> None:
    """Whatever it puts before the words that it was given: it would be asked, and ask itself, without end."""
    real = place.root / "real"
    real.mkdir()
    place.codex("0.163.0").rename(real / "codex")
    at_most_5 = 'echo x >>"$HOME/asked"; [ $(wc -l <"$HOME/asked") -le 5 ] || exit'
    place.program("codex", f'{at_most_5}\nexec {sys.executable} -m codexctl.stand_in -c a=high "$@"')
    done = become(place, "--version", PATH=f"{place.bin}:{real}:/usr/bin:/bin")
    assert (done.returncode, done.stdout) == (0, "codex-cli 0.163.0\n")


def test_npms_wrapper_stays_a_wrapper(place: Place) -> None:
    """It tells its Codex how it was installed; only where it cannot be run it is the binary itself."""
    wrapper = place.root / "lib/node_modules/@openai/codex/bin/codex.js"
    wrapper.parent.mkdir(parents=True)
    wrapper.write_text("#!/bin/sh\necho wrapper")
    wrapper.chmod(0o755)
    for triple in ("x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl"):
        binary = wrapper.parents[1] / "vendor" / triple / "bin" / "codex"
        binary.parent.mkdir(parents=True)
        binary.write_text('#!/bin/sh\n[ "$CODEXD_SHIM" ] && echo codex-cli 0.163.0 && exit; echo binary')
        binary.chmod(0o755)
    assert become(place, CODEX_PATH=str(wrapper)).stdout == "wrapper\n"
    wrapper.chmod(0o644)
    assert become(place, CODEX_PATH=str(wrapper)).stdout == "binary\n"


def test_a_broken_pipe_ends_it_as_it_ends_any_codex(place: Place) -> None:
    """Python ignores SIGPIPE; what it becomes must not."""
    place.program("codex", '[ "$CODEXD_SHIM" ] && echo codex-cli 0.163.0 && exit; kill -PIPE $$; echo alive')
    assert become(place).returncode == -13


def test_without_a_codex_it_says_how_to_get_one(place: Place) -> None:
    """And without settings that can be read, what is wrong with them."""
    done = become(place, "login")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("codexd-codex: no Codex found: install one")
    config = place.root / "config" / "codexd" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("nonsense = 1")
    done = become(place, "login")
    assert done.returncode == 2
    assert "'nonsense' is no setting of codexd" in done.stderr
