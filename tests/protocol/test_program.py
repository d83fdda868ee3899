"""How each of our programs begins and, when nobody expected it, ends."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from codexd.protocol import program
from codexd.protocol.program import sentence_of

ROOT = Path(__file__).parents[2]
FOREIGN = ("trio", "msgspec", "queue", "argparse", "socket")
BEGIN = "from codexd.protocol.program import begin; notes = begin('prog')\n"


def python(
    script: str, *, cwd: Path = ROOT, path: str = str(ROOT), options: tuple[str, ...] = (), **environ: str
) -> subprocess.CompletedProcess[str]:
    """What a program prints that begins as ours do."""
    return subprocess.run(
        [sys.executable, *options, "-c", BEGIN + script],
        cwd=cwd,
        env={"HOME": "/", "PYTHONPATH": path, **environ},
        capture_output=True,
        text=True,
    )


def test_foreign_modules_of_pythonpath_come_last(tmp_path: Path) -> None:
    """A `queue.py` or `trio.py` that lies in a directory of PYTHONPATH, or beside the script, breaks no command."""
    for name in FOREIGN:
        (tmp_path / f"{name}.py").write_text("raise SystemError('foreign')")
    (tmp_path / "own.py").write_text("")
    done = python(f"import {', '.join(FOREIGN)}, own; print('fine')", cwd=tmp_path, path=f"{tmp_path}:{ROOT}")
    assert (done.stdout, done.stderr) == ("fine\n", "")


def test_an_isolated_interpreter_has_nothing_to_be_put_last() -> None:
    """`-I`: what is first on the path is Python's own."""
    script = (
        f"import sys; sys.path.append({str(ROOT)!r}); before = [*sys.path]\n{BEGIN}assert sys.path == before"
    )
    done = subprocess.run(
        [sys.executable, "-Ic", script], env={"PYTHONPATH": "/x"}, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_what_was_wrong_with_home_is_said() -> None:
    """Once, by who knows how: a command on stderr, doctor among its findings."""
    assert python("print(notes)").stdout == "()\n"
    assert "HOME is 'here'" in python("print(*notes)", HOME="here").stdout


def test_a_directory_that_cannot_be_meant_is_said_and_taken_out() -> None:
    """But for the stand-in, which may become the real Codex: its environment is its caller's."""
    script = "import os; print(*notes, 'XDG_STATE_HOME' in os.environ)"
    said = "XDG_STATE_HOME=here is no absolute path, and is ignored False\n"
    assert python(script, XDG_STATE_HOME="here").stdout == said
    as_stand_in = script.replace("import os;", "import os; notes = begin('codexd-codex');")
    assert (
        python(f"os = __import__('os'); os.environ['XDG_STATE_HOME'] = 'here'; {as_stand_in}").stdout
        == "True\n"
    )


def test_no_user_sees_a_traceback() -> None:
    """What nobody expected is one sentence and exit code 1; CODEXD_DEBUG=1 shows the rest to who wants it."""
    done = python("raise KeyError('x')")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "prog: something went wrong that should not have (KeyError: 'x'); CODEXD_DEBUG=1 shows where\n"
    )
    assert "Traceback" in python("raise KeyError('x')", CODEXD_DEBUG="1").stderr
    assert python("raise KeyboardInterrupt").stderr == ""


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "No space left on device"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "/x"), "/x: No such file or directory"),
        (
            OSError("AF_UNIX path too long"),
            "something went wrong that should not have (OSError: AF_UNIX path",
        ),
        (
            ModuleNotFoundError("No module named 'trio'"),
            "this installation is incomplete, install it again (No mod",
        ),
        (MemoryError(), "there is not enough memory"),
        (ExceptionGroup("g", [ExceptionGroup("h", [OSError(1, "no")])]), "no"),
        (ValueError("two\nlines"), "something went wrong that should not have (ValueError: two lines)"),
    ],
)
def test_an_unexpected_error_is_one_line(error: BaseException, sentence: str) -> None:
    """It names what the system or Python named."""
    assert sentence_of(error).startswith(sentence)


def test_what_nobody_expected_is_said_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No user sees a traceback who has not asked for one; an interruption needs no words."""
    monkeypatch.delenv("CODEXD_DEBUG", raising=False)
    program._say("codexd", KeyboardInterrupt(), None)
    assert capsys.readouterr().err == ""
    program._say("codexd", MemoryError(), None)
    assert capsys.readouterr().err == "codexd: there is not enough memory\n"
    monkeypatch.setenv("CODEXD_DEBUG", "1")
    program._say("codexd", ValueError("odd"), None)
    assert "ValueError: odd" in capsys.readouterr().err
